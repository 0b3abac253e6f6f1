// What a step takes with fewer replicas: for a job that goes on without the nodes that broke, or
// that is asked what it would gain if it could.
#pragma once

#include <vector>

#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"
#include "sim/campaign/faults_plan.hpp"
#include "sim/cluster/cluster.hpp"
#include "sim/report/report.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/options.hpp"

namespace danlu {

/// Which replicas have ranks on each node.
std::vector<std::vector<ReplicaId>> replicas_by_node(const Scenario& scenario);

/// About the step with fewer replicas, by microbatches m and the closed form of the bubble b, of a
/// campaign that is asked what it would gain if it could shrink:
///
///   m (1 + b)    of the fewer replicas over that of all, times the step
std::vector<Seconds> estimate_shrunk(const Scenario& scenario, const Report& healthy);

/// The step with fewer replicas, for each number that the job may shrink to; one play for each
/// number of microbatches, since that decides the step, of the most replicas that nodes lost may
/// leave (half a node would share its links unlike any that occurs); in proportion where such a
/// plan cannot run. Throws CannotRun where that were more plays than the user allows.
std::vector<Seconds> play_shrunk(const Scenario& scenario, const Cluster& cluster,
                                 const Report& healthy, const FaultsPlan& plan,
                                 const SessionOptions& options);

}  // namespace danlu
