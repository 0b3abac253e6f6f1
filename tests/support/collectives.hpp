// Collectives over a whole cluster, played in tests.
#pragma once

#include "sim/cluster/cluster.hpp"
#include "sim/collective/tuning.hpp"
#include "sim/workload/workload.hpp"

namespace danlu::testing {

/// All GPUs of a cluster.
Group whole_group(const Cluster& cluster);

/// What is chosen for a collective, and its closed form.
struct Chosen {
  CollectiveChoice choice;
  Seconds alone;
};
Chosen choose(const Cluster& cluster, const Group& group, CollectiveOp op, Bytes bytes);

/// Seconds that a collective over all GPUs takes, played in steady state and held to its closed
/// form; and message by message, each cut into `pieces`, those that are alike as one or not.
double steady_time(const Cluster& cluster, Algorithm algorithm, CollectiveOp op, Bytes bytes);
double stepwise_time(const Cluster& cluster, Algorithm algorithm, CollectiveOp op, Bytes bytes,
                     int pieces = 1, FoldMode fold = FoldMode::Exact);

}  // namespace danlu::testing
