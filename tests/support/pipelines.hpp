// Pipelines of actions played by the engine with costs of our own, for schedules' oracles.
#pragma once

#include <optional>
#include <vector>

#include "sim/base/units.hpp"
#include "sim/schedule/schedule.hpp"

namespace danlu::testing {

/// How long the actions on a part of the model take.
struct PassCosts {
  double forward = 1;
  double input = 1;
  double weight = 1;

  double of(ActionKind kind) const;
};

/// What every stage does, in order, and how long that takes.
struct Pipeline {
  Placement placement{1, 1};
  std::vector<std::vector<Action>> actions;  // by stage
  std::vector<PassCosts> costs;              // by part of the model, or one for all
  Seconds latency{};                         // from one stage to another, beside compute
  std::optional<double> pair{};  // how long actions side by side take together; else one by one
};

struct PlayedPipeline {
  double total = 0;            // from 0 to the last end
  double span = 0;             // the longest from a stage's first start to its last end
  std::vector<double> bubble;  // total less what a stage computes
};

/// Each action comes after the one before it on its stage and after what makes its input: part k of
/// the model feeds k + 1, and is fed gradients by it. Throws where they wait for one another.
PlayedPipeline play_pipeline(const Pipeline& pipeline);

/// The schedule's actions on every stage.
std::vector<std::vector<Action>> actions_of(const ScheduleRow& row, const ScheduleShape& shape);

/// The most chunks whose forward pass has begun and whose gradient of the input has not ended.
int peak_until_input(const std::vector<Action>& actions);

}  // namespace danlu::testing
