// Steady state: a step of many microbatches does the same thing again and again. So fewer of them
// are played, until a round has repeated exactly, and the rounds that are left out are counted.
//
//   if (const std::optional<FewerRounds> fewer = fewer_rounds(workload, cluster)) {
//     plan and play fewer->workload;
//     if (count_rounds(plan, *fewer, timeline, play_again)) { it ends when the whole step does }
//   }
//
// Why that is exact is said in docs/explain/folding.md.
#pragma once

#include <functional>
#include <optional>

#include "sim/tasks/plan_step.hpp"

namespace danlu {

/// A step of fewer microbatches, and what it leaves out.
struct FewerRounds {
  Workload workload;
  int round = 1;  // microbatches after which the schedule repeats
  int more = 0;   // rounds that the workload has less
};

/// None where the schedule has no rounds, the step is hardly longer than what would be played of
/// it, or where rounds cannot repeat: links flap, GPUs throttle or jitter, or are slow by unlike
/// factors.
std::optional<FewerRounds> fewer_rounds(const Workload& workload, const Cluster& cluster);

/// Plays a plan once more, whose graph has changed; none: it was given up.
using PlayAgain = std::function<std::optional<Timeline>(const StepPlan&)>;

/// Whether the last rounds that were played are copies of each other, task by task; then they are
/// noted in `timeline`, which is that of `plan`, and its end becomes the whole step's. Where ranks
/// with rounds of unlike length (sim/tasks/pace_groups.hpp) meet at the step's end, it is played
/// again, the slower ones beginning late.
bool count_rounds(StepPlan& plan, const FewerRounds& fewer, Timeline& timeline,
                  const PlayAgain& play_again);

}  // namespace danlu
