// Who keeps pace with whom until the step's end: strands of which one waits for the other, or that
// load the same links, or that are of the same ranks. Replicas of a model, as a rule, do neither
// while they make their passes, so that one with a slow GPU falls behind alone:
//
//   replica 0   F0 F1 F2 .. |
//   replica 1   F0   F1   F2   .. | gradients of all | optimizer
//   replica 2   F0 F1 F2 .. |
#pragma once

#include <optional>
#include <vector>

#include "sim/tasks/plan_step.hpp"

namespace danlu {

struct PaceGroups {
  std::size_t count = 0;
  std::vector<PaceGroupId> of_strand;  // in the order of StepPlan::strands
  IdVector<RankClassId, PaceGroupId> of_ranks;
  IdVector<FoldedLinkId, std::optional<PaceGroupId>> of_link;  // none: only the step's end loads it
};

PaceGroups find_pace_groups(const StepPlan& plan);

}  // namespace danlu
