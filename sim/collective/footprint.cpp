#include "sim/collective/footprint.hpp"

#include <algorithm>

#include "sim/collective/nccl_estimate.hpp"

namespace danlu {
namespace {

constexpr int kDeepEp = 20;         // multiprocessors of dispatch and combine
constexpr int kMessageBlocks = 32;  // channels of send and receive inside a node
constexpr int kNetworkBlocks = 16;  // and between nodes
constexpr double kGather = 2;
constexpr double kReduce = 3;
constexpr double kSwitchSums = 6;

double flags(Protocol protocol) {
  switch (protocol) {
    case Protocol::LL:
      return 2;
    case Protocol::LL128:
      return 128.0 / 120;
    case Protocol::Simple:
      break;
  }
  return 1;
}

double traffic(const Group& group, Algorithm algorithm, CollectiveOp op) {
  const double n = std::max(1, group.size());
  const double reduce = kReduce * (n - 1) / n + 1 / n;
  if (reduces_in_switches(algorithm)) {
    return kSwitchSums;
  }
  switch (op) {
    case CollectiveOp::AllReduce:
      return algorithm == Algorithm::Tree ? kReduce + kGather : reduce + kGather;
    case CollectiveOp::ReduceScatter:
      return reduce;
    case CollectiveOp::SendReceive:
      return 1;  // read by the sender, or written by the receiver
    default:
      return kGather;
  }
}

int blocks(const ClusterSpec& cluster, const Group& group, Algorithm algorithm, CollectiveOp op) {
  if (cluster.topology.collective_blocks >= 0 || !cluster.topology.nccl_tuning) {
    return std::max(0, cluster.topology.collective_blocks);
  }
  if (op == CollectiveOp::Dispatch) {
    return kDeepEp;
  }
  if (algorithm == Algorithm::Direct) {
    return group.node_count() > 1 ? kNetworkBlocks : kMessageBlocks;
  }
  return nccl_channels(cluster, group, algorithm).value_or(0);
}

}  // namespace

CollectiveFootprint footprint(const ClusterSpec& cluster, const Group& group,
                              CollectiveChoice choice, CollectiveOp op) {
  const int found = blocks(cluster, group, choice.algorithm, op);
  if (found == 0) {
    return {};
  }
  return {std::min(found, cluster.gpu.multiprocessors),
          traffic(group, choice.algorithm, op) * flags(choice.protocol)};
}

}  // namespace danlu
