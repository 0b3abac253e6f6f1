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
constexpr double kNvlsSharpNetwork = 18;
constexpr double kCollNetChain = 2.8;
constexpr double kCollNetChainNetwork = 30;
// The same file: payload share of the bus rate. LL sends as many flags as data.
constexpr ByProtocol kRingShare{0.5, 0.92, 1.0};
constexpr double kTreeShare = 0.92;
constexpr ByProtocol kTreeShareInNode{1 / 3.8, 7.0 / 9, 1.0};
// Fitted to published bus bandwidths (docs/explain/validation-collectives.md): send and receive
// against rings.
constexpr double kSendShare = 0.81;
constexpr double kAllToAllShare = 0.9;

// What a rank does with its own part of the array, in steps of a ring, does not hide behind the
// sending of others: its last sum, its first copy. The fewer ranks, the more it weighs. Fitted to
// 2 to 8 A100 (VIA-Research/vTrain trace/a100/AR_GPU*) and, for its two halves, 2 to 8 H100 (XLA's
// table of collectives).
constexpr double kOwnSum = 0.375;
constexpr double kOwnCopy = 0.125;

constexpr Bytes kSmall{16384};  // messages that a network sends without a handshake

constexpr Seconds us(double value) {
  return {value * 1e-6};
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
  const auto& hops = choice.algorithm == Algorithm::Tree ? kNvlinkHops.tree : kNvlinkHops.ring;
  return step_factor(topology.scale_up_latency, kNvlinkHops.ring[Protocol::Simple],
                     choice.algorithm == Algorithm::Sharp ? kCollNetChain : hops[choice.protocol]);
}

double network_hop(CollectiveChoice choice) {
  switch (choice.algorithm) {
    case Algorithm::NvlsTree:
      return kNvlsTreeNetwork;
    case Algorithm::NvlsSharp:
      return kNvlsSharpNetwork;
    case Algorithm::Sharp:
      return kCollNetChainNetwork;
    case Algorithm::Tree:
      return kNetworkHops.tree[choice.protocol];
    default:
      return kNetworkHops.ring[choice.protocol];
  }
}

double network_factor(const TopologySpec& topology, CollectiveChoice choice, Bytes bytes) {
  const bool own_lines =
      choice.protocol != Protocol::Simple && topology.fabric_line_latency > Seconds{};
  const bool is_small = choice.protocol == Protocol::LL && bytes <= kSmall;
  if (own_lines) {
    const bool less = is_small && topology.fabric_small_share < 1;
    return less ? topology.fabric_small_share
                : topology.fabric_line_latency / topology.fabric_latency;
  }
  const double factor = step_factor(topology.fabric_latency, kNetworkHops.ring[Protocol::Simple],
                                    network_hop(choice));
  return is_small ? std::max(0.0, factor - (1 - topology.fabric_small_share)) : factor;
}

/// A message below F bytes passes the stages of the pipeline one after the other. Nothing is filled
/// where there is no such stage.
Seconds filling(Bytes size, Bytes fill, BytesPerSecond rate) {
  return fill > Bytes{} && rate > BytesPerSecond{}
             ? Bytes{size.value * fill.value / (size + fill).value} / rate
             : Seconds{};
}

/// What a rank does with its own part and what an all-to-all takes longer than rings, in a node
/// whose GPUs a switch joins.
Seconds own_part(const TopologySpec& topology, const Group& group, CollectiveChoice choice,
                 CollectiveOp op, Bytes bytes, BytesPerSecond ring) {
  if (group.node_count() > 1 || topology.scale_up != ScaleUpKind::Switch ||
      ring == BytesPerSecond{}) {
    return {};
  }
  const double n = group.size();
  if (choice.algorithm == Algorithm::Direct && op == CollectiveOp::AllToAll) {
    return bytes * ((n - 1) / n) / ring * (1 / kAllToAllShare - 1);
  }
  const bool sums = op == CollectiveOp::AllReduce || op == CollectiveOp::ReduceScatter;
  const bool copies = op == CollectiveOp::AllReduce || op == CollectiveOp::AllGather;
  return choice.algorithm == Algorithm::Ring
             ? bytes / n / ring * ((sums ? kOwnSum : 0) + (copies ? kOwnCopy : 0))
             : Seconds{};
}

/// What LL takes between nodes besides its stream: its threads check the flag of every 4 bytes, so
/// many bytes a second.
Seconds waiting_for_flags(const TopologySpec& topology, const Group& group, Bytes bytes) {
  return group.node_count() > 1 && topology.nccl_tuning
             ? bytes * bus_factor(CollectiveOp::AllReduce, group.size()) /
                   low_latency_bound(group.node_count())
             : Seconds{};
}

Seconds fill_time(const TopologySpec& topology, const Group& group, CollectiveChoice choice,
                  CollectiveOp op, Bytes bytes) {
  if (choice.protocol == Protocol::LL) {
    return waiting_for_flags(topology, group, bytes);
  }
  const double per_node = std::max(1.0, static_cast<double>(group.size()) / group.node_count());
  const BytesPerSecond ring = topology.gpu_bandwidth() * topology.scale_up_efficiency;
  // A rank passes lines of LL128 on as they come, slices of Simple only when they are whole.
  const Bytes pipeline = choice.protocol == Protocol::Simple ? topology.pipeline_fill : Bytes{};
  Seconds fill;
  if (reduces_in_node(choice.algorithm)) {
    const BytesPerSecond rate =
        topology.scale_up_bandwidth * topology.scale_up_reduction_efficiency / (1 + 1 / per_node);
    fill = filling(bytes, topology.reduction_fill, rate);
  } else if (choice.algorithm == Algorithm::Tree) {
    fill = filling(bytes, pipeline, ring * 0.5);
  } else {
    const double passes = op == CollectiveOp::AllReduce ? 2 : 1;
    const double share = per_node > 1 ? passes * (per_node - 1) / per_node : 1;
    fill =
        filling(bytes, pipeline, ring) * share + own_part(topology, group, choice, op, bytes, ring);
  }
  if (group.node_count() > 1) {
    const BytesPerSecond node =
        topology.nic_bandwidth * topology.nic_efficiency * topology.nics_per_node;
    const bool by_heads = choice.algorithm == Algorithm::NvlsTree;
    const double heads = std::min(per_node, static_cast<double>(kMostHeads)) / per_node;
    const BytesPerSecond rate =
        by_heads ? node * heads * (topology.head_share > 0 ? topology.head_share : 1) : node;
    const int levels = by_heads ? double_tree_depth(group.node_count()) : 1;
    fill += filling(bytes, topology.network_fill, rate) * topology.network_passes * levels;
  }
  return fill;
}

/// What NCCL would consider for an operation.
std::vector<Algorithm> nccl_algorithms(CollectiveOp op) {
  switch (op) {
    case CollectiveOp::AllReduce:
      return {Algorithm::Ring,     Algorithm::Tree,  Algorithm::Nvls,
              Algorithm::NvlsTree, Algorithm::Sharp, Algorithm::NvlsSharp};
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
    } else if (group.node_count() > 1 && !topology.fabric_ll128) {
      std::erase(protocols, Protocol::LL128);
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
  const TopologySpec& topology = cluster.topology_among(group.ranks);
  std::vector<Offer> found;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    for (const Protocol protocol : candidates[i].protocols) {
      const CollectiveChoice choice{candidates[i].algorithm, protocol};
      const bool by_nccl = !topology.plugin_tuner || group.node_count() == 1;
      found.push_back(
          {choice, i,
           by_nccl ? nccl_estimate(cluster.spec, group, choice, op, bytes) : std::nullopt,
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
