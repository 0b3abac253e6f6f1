#include "sim/fold/taken_share.hpp"

#include "sim/collective/experts.hpp"
#include "sim/collective/footprint.hpp"

namespace danlu {

GpuShare taken_share(const Workload& workload, const ClusterSpec& cluster, const Group& group,
                     GroupSort sort, CollectiveChoice choice, const Demand& demand, Seconds alone) {
  if (sort.is_transfer() || sort.is_copy() || sort.is_brief()) {
    return {};
  }
  CollectiveFootprint found = footprint(cluster, group, choice, demand.op);
  const ParallelismSpec& plan = workload.parallelism;
  if (found.multiprocessors > 0 && plan.tensor_blocks &&
      plan.overlap_tensor == TensorOverlap::Full && sort.axis() == Axis::Tensor) {
    found.multiprocessors = *plan.tensor_blocks;
  }
  const GpuSpec& gpu = cluster.gpu;
  Bytes array = demand.bytes;
  if (demand.op == CollectiveOp::Dispatch && found.memory > 0) {
    const SentShare share = sent_share(group, *demand.routing);
    array = array * (share.in_node + share.between_nodes);
  }
  return {
      .multiprocessors = 1.0 * found.multiprocessors / gpu.multiprocessors,
      .bandwidth = array * found.memory / alone / (gpu.memory_bandwidth * gpu.memory_efficiency)};
}

}  // namespace danlu
