// What NCCL itself expects a collective to take: the estimate by which it picks algorithm and
// protocol, restated from its source (v2.30.7: src/graph/tuning.cc, search.cc, topo.h).
//
//   estimate = latency + S / bandwidth
//
//   bandwidth   of the channels that NCCL lays through a node: as many as fit, at a speed of a
//               fixed list; less what the protocol costs, and never above a cap for each channel
//   latency     a constant for each protocol, and one for each hop
//
// It ranks, and is no prediction: a collective's launch and the filling of its pipeline are not in
// it (tuning.hpp has both). In gigabytes per second and microseconds, as NCCL has it.
#pragma once

#include <optional>

#include "sim/cluster/topology_spec.hpp"
#include "sim/collective/collective.hpp"
#include "sim/collective/tuning.hpp"

namespace danlu {

// By protocol (LL, LL128, Simple), in microseconds: NCCL v2.30.7, src/graph/tuning.cc. What
// starting one takes, ...
using ByProtocol = IdArray<Protocol, double, kNames<Protocol>.size()>;
inline constexpr ByProtocol kTreeBase{6.8, 14.0, 8.4};
inline constexpr ByProtocol kRingBase{6.6, 14.0, 8.4};
/// ... and one hop.
struct Hops {
  ByProtocol tree;
  ByProtocol ring;
};
inline constexpr Hops kNvlinkHops{{0.6, 1.25, 4.0}, {0.6, 1.9, 3.4}};
inline constexpr Hops kPcieHops{{1.0, 1.9, 4.0}, {1.0, 2.5, 5.7}};
inline constexpr Hops kNetworkHops{{5.0, 8.5, 14.0}, {2.7, 4.0, 14.0}};

/// What LL reaches between nodes, as bus bandwidth: 39 GB/s over two, 20.4 over more. NCCL takes it
/// by the maker of the processors; Intel's here.
BytesPerSecond low_latency_bound(int nodes);

/// Thread blocks, and so multiprocessors, that NCCL gives to a ring, a tree or sums in switches;
/// none for other algorithms, or where it does not know the GPU.
std::optional<int> nccl_channels(const ClusterSpec& cluster, const Group& group,
                                 Algorithm algorithm);

/// None where NCCL has no such collective, or does not know the GPU.
std::optional<Seconds> nccl_estimate(const ClusterSpec& cluster, const Group& group,
                                     CollectiveChoice choice, CollectiveOp op, Bytes bytes);

}  // namespace danlu
