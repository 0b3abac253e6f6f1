// What one communication of a class of groups is played as:
//
//   steady      a part for each phase of its algorithm, one after the other
//   stepwise    a launch, then a part for each message that is played (messages.hpp)
#pragma once

#include "sim/fold/fold.hpp"
#include "sim/tasks/task_graph.hpp"

namespace danlu {

/// The parts, choice and times of `demand` in the class `group` of `fold`. Where durations are
/// known in advance, those of the slowest member: alone, or with guaranteed rates.
Communication describe_communication(const Workload& workload, const Cluster& cluster,
                                     const Fold& fold, GroupClassId group, const Demand& demand);

}  // namespace danlu
