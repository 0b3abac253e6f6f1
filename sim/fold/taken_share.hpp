// What a communication of a step takes from the compute beside it, as shares of a GPU: thread
// blocks of its multiprocessors, and of its HBM's bandwidth the bytes that its array makes pass
// there (sim/collective/footprint.hpp) over the time that it takes alone.
#pragma once

#include "sim/cluster/topology_spec.hpp"
#include "sim/program/program.hpp"
#include "sim/workload/contention.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

/// Of a group of that sort, which carries out the demand so and takes `alone` for it. Sends between
/// stages and copies to the host keep hardly any multiprocessors, for a short time: nothing.
GpuShare taken_share(const Workload& workload, const ClusterSpec& cluster, const Group& group,
                     GroupSort sort, CollectiveChoice choice, const Demand& demand, Seconds alone);

}  // namespace danlu
