// The critical path: from the task that ends last back through whichever predecessor ended last.
// Since a task starts the moment its last predecessor ends, the path covers the whole step.
#pragma once

#include <string>

#include "sim/report/activity.hpp"
#include "sim/report/report.hpp"

namespace danlu {

CriticalPath critical_path(const Cluster& cluster, const StepPlan& plan, const Timeline& timeline,
                           ActivityReader& reader);

/// The link that limits a pattern when it is alone: "NIC 0 of node 0 -> leaf 0 (25 GB/s, NIC)".
std::string bottleneck_link(const Cluster& cluster, const StepPlan& plan, PatternClassId id);

}  // namespace danlu
