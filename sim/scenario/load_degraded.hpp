// Inside sim/scenario: the `degraded` section: what is worse for good, and what comes and goes
// within a step (throttling, jitter, flaps, and how many steps are drawn).
#pragma once

#include <vector>

#include "sim/cluster/topology_spec.hpp"
#include "sim/scenario/values.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

/// Reads what is worse for good into `cluster.degraded`. What is wrong goes to `problems`.
void read_damage(const Values& values, ClusterSpec& cluster, std::vector<Problem>& problems);
/// Whether the switches that it names are there and all GPUs still reach each other; for a cluster
/// that can be built.
void check_damage(const Values& values, ClusterSpec& cluster, std::vector<Problem>& problems);

/// Whether a --set is of the `degraded` section.
bool is_of_damage(std::string_view override_text);

/// Reads what comes and goes into `cluster.degraded`, whose other members are there already. What
/// is wrong goes to `problems`.
void read_step_faults(const Values& values, const Workload& workload, ClusterSpec& cluster,
                      std::vector<Problem>& problems);

}  // namespace danlu
