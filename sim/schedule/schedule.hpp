// Pipeline schedules. A schedule is a row: a function that says what a stage does in which order,
// what it needs, and its bubble and peak of activations in closed form, to which tests hold it. The
// scenario's choices, `danlu list schedules` and the reference come from the rows. Each has a file
// of its own; a new one is that file and a line of the table.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/schedule/action.hpp"
#include "sim/schedule/placement.hpp"

namespace danlu {

/// What a schedule is asked for.
struct ScheduleShape {
  Placement placement{1, 1};
  int microbatches = 1;
  bool pairs = false;  // a forward beside a backward pass in the steady phase
};

struct ScheduleRow {
  std::string_view name;
  std::string_view help;
  std::optional<int> chunks;  // that a stage holds; none: as many as the user asks for
  Deal deal;                  // of the chunks to the stages
  bool can_pair = false;      // whether it does so if asked (ScheduleShape::pairs)
  /// Why it cannot be run so, as in "needs an even number of stages, found 3"; empty if it can.
  std::string (*obstacle)(const ScheduleShape& shape);
  /// The actions of a stage, in order.
  std::vector<Action> (*actions)(const ScheduleShape& shape, int stage);
  /// Time in which a stage waits, over the time in which it computes, where all chunks take equally
  /// long, the gradients of inputs and of weights each take as long as forward, and transfers take
  /// nothing.
  double (*bubble)(const ScheduleShape& shape);
  /// The most microbatch-chunks whose activations a stage holds at once.
  int (*peak)(const ScheduleShape& shape, int stage);
  /// With so many microbatches more every stage makes one round of passes more (rounds.hpp); null:
  /// the schedule has no steady phase.
  int (*round)(const ScheduleShape& shape) = nullptr;
};

/// Of a schedule that runs any shape.
inline std::string no_obstacle(const ScheduleShape& /*shape*/) {
  return {};
}

/// Of a schedule whose stages take up one microbatch after the other.
inline int one_by_one(const ScheduleShape& /*shape*/) {
  return 1;
}

std::span<const ScheduleRow> schedule_table();
/// The row of that name, which the scenario's reader has checked.
const ScheduleRow& schedule_named(std::string_view name);

/// The most microbatch-chunks whose activations `actions` hold at once.
int peak_chunks_in_flight(std::span<const Action> actions);

// ---- the rows, a file each

extern const ScheduleRow kGPipe;
extern const ScheduleRow kOneFOneB;
extern const ScheduleRow kZbH1;
extern const ScheduleRow kZbH2;
extern const ScheduleRow kZbV;
extern const ScheduleRow kDualPipe;
extern const ScheduleRow kDualPipeV;

/// Microbatches that visit one chunk before the next is begun.
int interleaving_group(int stages, int microbatches);

}  // namespace danlu
