// The words of collective communication, and what every algorithm is written in.
//
// An algorithm exists in two forms that tests hold together. As a list of transfers it says who
// sends which chunk to whom in which round, and can be proved right by carrying contributions along
// and be played message by message. In steady state it is one or a few phases: the streams that run
// at the same time at rates that are tied together, so that each phase is a single flow over every
// link the streams load (four ranks in a ring):
//
//   transfers   round 0: 0 -> 1 chunk 3, 1 -> 2 chunk 0, ...  round 1: ...    6 rounds, 24 messages
//   steady      one flow over 0 -> 1 -> 2 -> 3 -> 0 that carries 6 chunks of S/4
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "sim/base/id_vector.hpp"
#include "sim/base/names.hpp"
#include "sim/base/units.hpp"

namespace danlu {

/// Dispatch: tokens once to every node and rank that needs them (experts.hpp).
enum class CollectiveOp {
  AllReduce,
  ReduceScatter,
  AllGather,
  Broadcast,
  AllToAll,
  SendReceive,
  Dispatch
};
template <>
inline constexpr auto kNames<CollectiveOp> =
    std::to_array<Named<CollectiveOp>>({{CollectiveOp::AllReduce, "all-reduce"},
                                        {CollectiveOp::ReduceScatter, "reduce-scatter"},
                                        {CollectiveOp::AllGather, "all-gather"},
                                        {CollectiveOp::Broadcast, "broadcast"},
                                        {CollectiveOp::AllToAll, "all-to-all"},
                                        {CollectiveOp::SendReceive, "send"},
                                        {CollectiveOp::Dispatch, "dispatch"}});

enum class Algorithm {
  Ring,
  Tree,
  HalvingDoubling,
  RecursiveDoubling,
  Binomial,
  TwoLevel,
  Torus,
  Nvls,
  NvlsTree,
  Sharp,
  NvlsSharp,
  Direct,
};
template <>
inline constexpr auto kNames<Algorithm> =
    std::to_array<Named<Algorithm>>({{Algorithm::Ring, "ring"},
                                     {Algorithm::Tree, "tree"},
                                     {Algorithm::HalvingDoubling, "halving-doubling"},
                                     {Algorithm::RecursiveDoubling, "recursive-doubling"},
                                     {Algorithm::Binomial, "binomial"},
                                     {Algorithm::TwoLevel, "two-level"},
                                     {Algorithm::Torus, "torus"},
                                     {Algorithm::Nvls, "nvls"},
                                     {Algorithm::NvlsTree, "nvls-tree"},
                                     {Algorithm::Sharp, "sharp"},
                                     {Algorithm::NvlsSharp, "nvls-sharp"},
                                     {Algorithm::Direct, "direct"}});
inline constexpr std::size_t kAlgorithms = kNames<Algorithm>.size();
/// Whether switches make the sums, on the way.
constexpr bool reduces_in_switches(Algorithm algorithm) {
  return algorithm == Algorithm::Nvls || algorithm == Algorithm::NvlsTree ||
         algorithm == Algorithm::Sharp || algorithm == Algorithm::NvlsSharp;
}

/// Whether the switches of a node make its part of the sum.
constexpr bool reduces_in_node(Algorithm algorithm) {
  return reduces_in_switches(algorithm) && algorithm != Algorithm::Sharp;
}

/// How NCCL makes sure that data has arrived: a flag with every 4 bytes, with every 120, or a
/// handshake for every chunk.
enum class Protocol { LL, LL128, Simple };
template <>
inline constexpr auto kNames<Protocol> = std::to_array<Named<Protocol>>(
    {{Protocol::LL, "LL"}, {Protocol::LL128, "LL128"}, {Protocol::Simple, "Simple"}});

struct CollectiveChoice {
  Algorithm algorithm = Algorithm::Ring;
  Protocol protocol = Protocol::Simple;
  bool operator==(const CollectiveChoice&) const = default;
};

/// What the user forces: an algorithm, a protocol, or both; the rest is chosen.
struct ForcedChoice {
  std::optional<Algorithm> algorithm;
  std::optional<Protocol> protocol;
};

/// An axis of a group's grid. Along an open one the ring goes out over the even points and comes
/// back over the odd ones: 0 2 4 5 3 1.
struct GridAxis {
  enum class Turn { First, Any, Last };  // when a part of the array may go along it

  int length = 1;
  bool closed = false;  // neighbours along it form a ring
  Turn turn = Turn::Any;
};

/// A group whose ranks fill a grid, the first axis varying fastest; no axes if they do not.
struct GroupGrid {
  std::vector<GridAxis> axes;
  std::vector<int> at;  // position of every point
};

/// Who takes part. The algorithms know ranks by their position in the group, 0 to n-1.
struct Group {
  std::vector<int> ranks;               // GPU numbers
  std::vector<std::vector<int>> nodes;  // positions by node
  std::vector<std::vector<int>>
      gates;  // positions by node: equally many, each with a NIC to itself
  std::vector<std::vector<int>> rings;  // orders of all positions: parallel rings
  GroupGrid grid;

  int size() const { return static_cast<int>(ranks.size()); }
  /// The rank at a position.
  int rank(int position) const { return ranks[static_cast<std::size_t>(position)]; }
  int node_count() const { return static_cast<int>(nodes.size()); }
  /// Ranks on every node; 0 when nodes differ.
  int per_node() const;
};

/// One message. `from` and `to` are positions, or n and more for switches that reduce on the way.
struct Transfer {
  int round = 0;  // messages of a round are sent at the same time
  int from = 0;
  int to = 0;
  std::vector<int> chunks;
  bool reduces = false;  // added to what the receiver has, else taken over
};

/// An algorithm message by message. The array of S bytes has `parts` equal chunks; rank r owns the
/// r-th of n equal runs of them. In an all-to-all chunk i x n + j goes from rank i to rank j.
struct TransferList {
  int parts = 1;
  IdVector<TransferId, Transfer> transfers;
};

/// A stream of messages from one position to another that never pauses.
struct Stream {
  int from = 0;
  int to = 0;
  int weight = 1;  // times the phase's bytes
  int flow = 0;    // tells parallel streams of two positions apart
};

/// Messages that wait for one another: `times` of them from one position to another.
struct Hop {
  int from = 0;
  int to = 0;
  double times = 1;
};

/// Streams that run together. Each carries ceil(S / parts) x count bytes for every weight.
struct Phase {
  std::vector<Stream> streams;
  std::vector<Stream> reduced;  // meet in switches that reduce: every link carries them once
  int parts = 1;
  int count = 1;
  double messages = 1;  // that a stream is made of, in the mean; of a ring in one step
  // What the latency is made of: these hops; or, where there are none, so many steps of a mean
  // stream; or else one step of the slowest.
  std::vector<Hop> critical;
  double mean_steps = 0;
};

/// How often a communication crosses a link.
struct LinkLoad {
  LinkId link{};
  int weight = 1;
};

/// What keeps a pattern from being faster when nothing else runs: a link, or the sums that switches
/// make of what crosses it, or a cap on their bus bandwidth.
struct Limit {
  enum class Of { Link, Sums, Cap };

  Of of = Of::Link;
  LinkId link{};
  BytesPerSecond rate;  // of the link, of sums on it, or the cap
};

/// One phase on a cluster: the links that all its streams load together.
struct Pattern {
  Algorithm algorithm = Algorithm::Ring;
  std::vector<int> ranks;       // GPU numbers taking part; sender then receiver
  std::vector<LinkLoad> loads;  // by link, ascending
  LinkLoad tightest;            // of the loads: the slowest link for a stream
  Limit limit;                  // what really limits it when nothing else runs
  Seconds local_latency;        // of steps inside nodes, in one of the repeats()
  Seconds network_latency;      // of steps between nodes
  int parts = 1;                // chunks that the array is cut into
  int count = 1;                // chunks that each stream carries, in one of the repeats()
  double inflation = 1;         // bytes on the links for every byte of the streams
};

/// Steps that a ring takes over n ranks: n-1, or 2(n-1) for an all-reduce; 1 for a transfer.
int collective_steps(CollectiveOp op, int ranks);
/// How often the pattern comes: that of a ring is one step, in the mean, that of a torus one pass,
/// both the same for all-reduce, reduce-scatter and all-gather; every other one is the whole.
int repeats(CollectiveOp op, Algorithm algorithm, int ranks);
int repeats(CollectiveOp op, const Pattern& pattern);
/// Bytes that every stream of the pattern carries, for an array of `bytes`.
Bytes stream_bytes(CollectiveOp op, const Pattern& pattern, Bytes bytes);

/// Trees between nodes reach this share of what rings do on the same NICs; fitted to published bus
/// bandwidths (docs/explain/validation-collectives.md).
inline constexpr double kTreeNetworkShare = 0.89;

/// Ranks of a node that own a part of what its switches sum, at most, and so NICs that carry it:
/// NCCL's NCCL_MAX_NVLS_ARITY (v2.30.7, src/include/device.h).
inline constexpr int kMostHeads = 32;

/// What nccl-tests multiplies size over time with to get the bus bandwidth: the bytes that a link
/// must carry at least, over the array's.
double bus_factor(CollectiveOp op, int ranks);

}  // namespace danlu
