// Ring collectives. n ranks pass chunks of S/n around a ring: n-1 steps make a reduce-scatter or an
// all-gather, 2(n-1) an all-reduce (S is the whole array):
//
//   reduce-scatter, all-gather   (n-1) alpha + (n-1)/n S/B
//   all-reduce                  2(n-1) alpha + 2(n-1)/n S/B
//
// In steady state all edges of the ring carry equal streams, so the collective is one flow over all
// links of the ring, each as often as edges cross it. A group with k ranks on every node runs k
// rings at once, each leaving the nodes through another rank's NIC, so that all NICs work:
//
//   ring 1 of 4     node 0: 1 0 3 2   node 1: 2 3 0 1   node 2: 1 0 3 2   ...
//
// Ring j enters an even node at its rank j and leaves it at j+1; an odd node the other way round,
// so that every crossing stays on its rail (with an odd number of nodes all but one). In a mesh
// node the rings are tours over direct links that use no link twice, each in both directions.
#pragma once

#include <span>
#include <vector>

#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"
#include "sim/cluster/cluster.hpp"

namespace danlu {

enum class CollectiveOp { AllReduce, ReduceScatter, AllGather, SendReceive };

/// How often a communication crosses a link.
struct LinkLoad {
  LinkId link{};
  int weight = 1;
};

/// A communication pattern in steady state: the links that all its streams load together.
struct Pattern {
  std::vector<int> ranks;       // taking part; sender then receiver
  std::vector<LinkLoad> loads;  // by link, ascending
  Seconds round_latency;        // of one round of the ring (n steps), or of one transfer
  int rings = 1;                // parallel rings, each with an equal part of the data
};

/// The rings of a group. `ranks` are GPU numbers, two or more, all different.
Pattern ring_pattern(const Cluster& cluster, std::span<const int> ranks);
/// One transfer.
Pattern transfer_pattern(const Cluster& cluster, int from, int to);

/// Steps that a collective takes over n ranks: n-1 or 2(n-1); 1 for a transfer.
int collective_steps(CollectiveOp op, int ranks);
/// Bytes that every stream of the pattern carries, for an array of `bytes`.
Bytes stream_bytes(CollectiveOp op, const Pattern& pattern, Bytes bytes);
/// Latency of the collective: its steps at the ring's mean step latency.
Seconds collective_latency(CollectiveOp op, const Pattern& pattern);

}  // namespace danlu
