#include "sim/collective/tuning.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/collective/algorithms.hpp"
#include "sim/collective/group.hpp"
#include "sim/collective/nccl_estimate.hpp"
#include "sim/collective/pattern.hpp"

namespace danlu {
namespace {

// NCCL v2.30.7, src/graph/tuning.cc: microseconds.
constexpr double kNvlsLatency = 25;
constexpr double kNvlsTreeNetwork = 20.9;
constexpr double kSharpNetwork = 18;
// The same file: payload share of the bus rate. LL sends as many flags as data.
constexpr ByProtocol kRingShare{0.5, 0.92, 1.0};
constexpr double kTreeShare = 0.92;
constexpr ByProtocol kTreeShareInNode{1 / 3.8, 7.0 / 9, 1.0};
// Fitted to published bus bandwidths (docs/explain/validation.md): send/receive against rings.
constexpr double kSendShare = 0.84;

constexpr Bytes kSmall{16384};  // messages that a network sends without a handshake

constexpr Seconds kNever{std::numeric_limits<double>::infinity()};

constexpr Seconds us(double value) {
  return {value * 1e-6};
}

bool reduces_in_node(Algorithm algorithm) {
  return algorithm == Algorithm::Nvls || algorithm == Algorithm::NvlsTree;
}

/// The link latencies of a topology are those of Simple rings; other steps differ by NCCL's
/// constants. The factor on a step that takes `step` there.
double step_factor(Seconds step, double simple, double wanted) {
  return step > Seconds{} ? std::max(0.0, step.value - us(simple - wanted).value) / step.value : 1;
}

double local_factor(const TopologySpec& topology, CollectiveChoice choice) {
  if (reduces_in_node(choice.algorithm)) {
    return 0;  // kNvlsLatency covers it
  }
  const auto& hop = choice.algorithm == Algorithm::Tree ? kNvlinkHops.tree : kNvlinkHops.ring;
  return step_factor(topology.scale_up_latency, kNvlinkHops.ring[Protocol::Simple],
                     hop[choice.protocol]);
}

double network_factor(const TopologySpec& topology, CollectiveChoice choice, Bytes bytes) {
  const double wanted = choice.algorithm == Algorithm::NvlsTree ? kNvlsTreeNetwork
                        : choice.algorithm == Algorithm::Sharp  ? kSharpNetwork
                        : choice.algorithm == Algorithm::Tree   ? kNetworkHops.tree[choice.protocol]
                                                              : kNetworkHops.ring[choice.protocol];
  const double factor =
      step_factor(topology.fabric_latency, kNetworkHops.ring[Protocol::Simple], wanted);
  const bool is_small = choice.protocol == Protocol::LL && bytes <= kSmall;
  return is_small ? std::max(0.0, factor - (1 - topology.fabric_small_share)) : factor;
}

/// A message below F bytes passes the stages of the pipeline one after the other. Nothing is filled
/// where there is no such stage.
Seconds filling(Bytes size, Bytes fill, BytesPerSecond rate) {
  return fill > Bytes{} && rate > BytesPerSecond{}
             ? Bytes{size.value * fill.value / (size + fill).value} / rate
             : Seconds{};
}

Seconds fill_time(const TopologySpec& topology, const Group& group, CollectiveChoice choice,
                  CollectiveOp op, Bytes bytes) {
  if (choice.protocol == Protocol::LL) {
    return {};
  }
  const double per_node = std::max(1.0, static_cast<double>(group.size()) / group.node_count());
  const BytesPerSecond ring = topology.gpu_bandwidth() * topology.scale_up_efficiency;
  Seconds fill;
  if (reduces_in_node(choice.algorithm)) {
    const BytesPerSecond rate =
        topology.scale_up_bandwidth * topology.scale_up_reduction_efficiency / (1 + 1 / per_node);
    fill = filling(bytes, topology.reduction_fill, rate);
  } else if (choice.algorithm == Algorithm::Tree) {
    fill = filling(bytes, topology.pipeline_fill, ring * 0.5);
  } else {
    const double passes = op == CollectiveOp::AllReduce ? 2 : 1;
    const double share = per_node > 1 ? passes * (per_node - 1) / per_node : 1;
    fill = filling(bytes, topology.pipeline_fill, ring) * share;
  }
  if (group.node_count() > 1) {
    const BytesPerSecond node =
        topology.nic_bandwidth * topology.nic_efficiency * topology.nics_per_node;
    fill += filling(bytes, topology.network_fill, node) * topology.network_passes;
  }
  return fill;
}

/// What NCCL would consider for an operation.
std::vector<Algorithm> nccl_algorithms(CollectiveOp op) {
  switch (op) {
    case CollectiveOp::AllReduce:
      return {Algorithm::Ring, Algorithm::Tree, Algorithm::Nvls, Algorithm::NvlsTree,
              Algorithm::Sharp};
    case CollectiveOp::AllToAll:
    case CollectiveOp::SendReceive:
      return {Algorithm::Direct};
    case CollectiveOp::Dispatch:
      return {Algorithm::TwoLevel};
    default:
      return {Algorithm::Ring};
  }
}

}  // namespace

std::vector<Protocol> protocols_of(Algorithm algorithm, const TopologySpec& topology) {
  const bool all = algorithm == Algorithm::Ring || algorithm == Algorithm::Tree;
  return all && topology.nccl_tuning ? std::vector{Protocol::LL, Protocol::LL128, Protocol::Simple}
                                     : std::vector{Protocol::Simple};
}

Seconds fixed_latency(const TopologySpec& topology, const Group& group, CollectiveChoice choice,
                      CollectiveOp op, Bytes bytes) {
  const bool known_sums =
      reduces_in_node(choice.algorithm) && topology.reduction_fill > Bytes{};  // NCCL's, measured
  if (!topology.nccl_tuning && !known_sums) {
    return topology.collective_launch;
  }
  const Seconds base = reduces_in_node(choice.algorithm)     ? us(kNvlsLatency)
                       : choice.algorithm == Algorithm::Tree ? us(kTreeBase[choice.protocol])
                                                             : us(kRingBase[choice.protocol]);
  return topology.collective_launch + base + fill_time(topology, group, choice, op, bytes);
}

Seconds step_latency(const TopologySpec& topology, CollectiveChoice choice, Bytes bytes,
                     bool in_node, Seconds latency) {
  if (!topology.nccl_tuning) {
    return latency;
  }
  return latency *
         (in_node ? local_factor(topology, choice) : network_factor(topology, choice, bytes));
}

Seconds phase_latency(const TopologySpec& topology, const Group& group, CollectiveChoice choice,
                      CollectiveOp op, Bytes bytes, std::span<const Pattern> phases,
                      std::size_t phase) {
  const Pattern& pattern = phases[phase];
  const Seconds step = step_latency(topology, choice, bytes, true, pattern.local_latency) +
                       step_latency(topology, choice, bytes, false, pattern.network_latency);
  const Seconds fixed = phase == 0 ? fixed_latency(topology, group, choice, op, bytes) : Seconds{};
  return fixed + step * repeats(op, pattern);
}

double overhead(const TopologySpec& topology, CollectiveChoice choice, CollectiveOp op,
                const Group& group) {
  if (!topology.nccl_tuning) {
    return 1;
  }
  const bool one_node = group.node_count() == 1;
  switch (choice.algorithm) {
    case Algorithm::Ring:
      return 1 / kRingShare[choice.protocol];
    case Algorithm::Tree:
      return one_node ? 1 / (kTreeShare * kTreeShareInNode[choice.protocol])
                      : 1 / (kTreeNetworkShare * kRingShare[choice.protocol]);
    case Algorithm::Direct:
      return op == CollectiveOp::SendReceive && one_node ? 1 / kSendShare : 1;
    default:
      return 1;
  }
}

Bytes whole(Bytes bytes) {
  return {std::ceil(bytes.value)};
}

Bytes phase_bytes(const TopologySpec& topology, CollectiveChoice choice, CollectiveOp op,
                  const Group& group, const Pattern& phase, Bytes bytes) {
  return whole(stream_bytes(op, phase, bytes) * overhead(topology, choice, op, group));
}

BytesPerSecond alone_rate(const Cluster& cluster, const Pattern& pattern) {
  check(!pattern.loads.empty(), "a pattern loads links");
  return cluster.topology.link(pattern.tightest.link).bandwidth / pattern.tightest.weight;
}

Seconds alone_time(const Cluster& cluster, const Group& group, CollectiveChoice choice,
                   CollectiveOp op, Bytes bytes, std::span<const Pattern> phases) {
  const TopologySpec& topology = cluster.topology_among(group.ranks);
  Seconds time;
  for (std::size_t i = 0; i < phases.size(); ++i) {
    time +=
        phase_latency(topology, group, choice, op, bytes, phases, i) +
        phase_bytes(topology, choice, op, group, phases[i], bytes) / alone_rate(cluster, phases[i]);
  }
  return time;
}

TransferCost transfer_cost(const TopologySpec& topology, const Pattern& transfer, Bytes bytes) {
  const Seconds base = topology.nccl_tuning ? us(kRingBase[Protocol::Simple]) : Seconds{};
  return {base + transfer.local_latency + transfer.network_latency,
          stream_bytes(CollectiveOp::SendReceive, transfer, bytes)};
}

std::vector<Candidate> candidates(const Cluster& cluster, const Group& group, CollectiveOp op,
                                  const ForcedChoice& forced) {
  const TopologySpec& topology = cluster.topology_among(group.ranks);
  const bool between_pairs = op == CollectiveOp::AllToAll || op == CollectiveOp::SendReceive;
  const std::vector<Algorithm> considered =
      forced.algorithm                                       ? std::vector{*forced.algorithm}
      : topology.nccl_tuning || op == CollectiveOp::Dispatch ? nccl_algorithms(op)
      : between_pairs                                        ? std::vector{Algorithm::Direct}
                      : std::vector{Algorithm::Torus, Algorithm::Nvls, Algorithm::Ring};
  std::vector<Candidate> found;
  for (const Algorithm algorithm : considered) {
    std::vector<Protocol> protocols = protocols_of(algorithm, topology);
    if (forced.protocol) {
      std::erase_if(protocols, [&](Protocol protocol) { return protocol != *forced.protocol; });
    }
    if (!protocols.empty() && row_of(algorithm).obstacle(op, group, topology).empty()) {
      found.push_back(
          {algorithm, std::move(protocols), steady_patterns(cluster, group, algorithm, op)});
    }
  }
  return found;
}

std::vector<Offer> offers(const Cluster& cluster, const Group& group, CollectiveOp op, Bytes bytes,
                          const std::vector<Candidate>& candidates) {
  std::vector<Offer> found;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    for (const Protocol protocol : candidates[i].protocols) {
      const CollectiveChoice choice{candidates[i].algorithm, protocol};
      found.push_back({choice, i, nccl_estimate(cluster.spec, group, choice, op, bytes),
                       alone_time(cluster, group, choice, op, bytes, candidates[i].phases)});
    }
  }
  return found;
}

PlannedCollective fastest(const Cluster& cluster, const Group& group, CollectiveOp op, Bytes bytes,
                          const std::vector<Candidate>& candidates) {
  const std::vector<Offer> all = offers(cluster, group, op, bytes, candidates);
  const auto best = std::min_element(all.begin(), all.end(), [](const Offer& a, const Offer& b) {
    return std::pair(a.estimate.value_or(kNever), a.alone) <
           std::pair(b.estimate.value_or(kNever), b.alone);
  });
  check(best != all.end(), "some algorithm carries out the collective");
  return {best->choice, candidates[best->candidate].phases, best->alone};
}

}  // namespace danlu
