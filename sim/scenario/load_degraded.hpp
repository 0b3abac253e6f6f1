// Inside sim/scenario: what comes and goes within a step, from the `degraded` section: throttling,
// jitter, flaps, and how many steps are drawn.
#pragma once

#include <vector>

#include "sim/cluster/topology_spec.hpp"
#include "sim/scenario/values.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

/// Reads it into `cluster.degraded`, whose other members are there already. What is wrong goes to
/// `problems`.
void read_step_faults(const Values& values, const Workload& workload, ClusterSpec& cluster,
                      std::vector<Problem>& problems);

}  // namespace danlu
