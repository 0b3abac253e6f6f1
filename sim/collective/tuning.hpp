// What a collective costs besides its stream of bytes, and which algorithm and protocol is best.
//
//   time = launch + base + steps x latency      until the first byte has gone its way
//        + fill(S)                              until the pipeline is full (not LL)
//        + bytes of the stream / rate           the flow
//
// The constants of base and steps are those of NCCL's own tuning model; launch, fill and the
// efficiencies of links are of the topology file, fitted to published measurements, one set for
// each generation of links. A message much smaller than the pipeline passes its stages one after
// the other and so pays its stream twice; a large one pays for filling the pipeline once:
//
//   fill(S) = window(S, F) / rate,   window(S, F) = S F / (S + F)
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "sim/cluster/cluster.hpp"
#include "sim/collective/collective.hpp"

namespace danlu {

/// How NCCL makes sure that data has arrived: a flag with every 4 bytes, with every 120, or a
/// handshake for every chunk.
enum class Protocol { LL, LL128, Simple };
inline constexpr std::array<std::string_view, 3> kProtocolNames{"LL", "LL128", "Simple"};

struct CollectiveChoice {
  Algorithm algorithm = Algorithm::Ring;
  Protocol protocol = Protocol::Simple;
};

/// Protocols that an algorithm knows; only Simple where the topology does not follow NCCL.
std::vector<Protocol> protocols_of(Algorithm algorithm, const TopologySpec& topology);

/// Launch, base and fill: what a collective costs before its first step.
Seconds fixed_latency(const TopologySpec& topology, const Group& group, CollectiveChoice choice,
                      CollectiveOp op, Bytes bytes);
/// A step of the algorithm over a route whose links have `latency`, inside a node or not.
Seconds step_latency(const TopologySpec& topology, CollectiveChoice choice, Bytes bytes,
                     bool in_node, Seconds latency);
/// Latency of one of the phases of a collective, the fixed costs with the first.
Seconds phase_latency(const TopologySpec& topology, const Group& group, CollectiveChoice choice,
                      CollectiveOp op, Bytes bytes, const std::vector<Pattern>& phases,
                      std::size_t phase);
/// Bytes on the links for every byte of the data: flags, and what an algorithm falls short of a
/// ring. 1 where the topology does not follow NCCL.
double overhead(const TopologySpec& topology, CollectiveChoice choice, CollectiveOp op,
                const Group& group);
/// Bytes that a stream of a phase carries, the overhead included.
Bytes phase_bytes(const TopologySpec& topology, CollectiveChoice choice, CollectiveOp op,
                  const Group& group, const Pattern& phase, Bytes bytes);

/// How fast a stream of the pattern is when nothing else runs.
BytesPerSecond alone_rate(const Cluster& cluster, const Pattern& pattern);
/// The closed form: how long a collective takes when nothing else runs.
Seconds alone_time(const Cluster& cluster, const Group& group, CollectiveChoice choice,
                   CollectiveOp op, Bytes bytes, const std::vector<Pattern>& phases);

/// A collective on links that a plan has already laid out, as rings or through a torus: how it is
/// carried out, its latency, and the bytes of its stream.
struct RingCost {
  CollectiveChoice choice;
  Seconds latency;
  Bytes stream;
};
/// The faster, at `rate` for each stream, of the ring's protocols and, inside one node, of sums
/// made by its switches: they load the same ports, each once per direction, with other bytes.
RingCost ring_cost(const Cluster& cluster, const Pattern& ring, CollectiveOp op, Bytes bytes,
                   BytesPerSecond rate);
/// The same for a transfer between two GPUs.
RingCost transfer_cost(const TopologySpec& topology, const Pattern& transfer, Bytes bytes);

/// What the user wants: an algorithm, a protocol, or both; the rest is chosen.
struct CollectiveWish {
  std::optional<Algorithm> algorithm;
  std::optional<Protocol> protocol;
};

/// A collective, chosen: the fastest by its closed form among what NCCL has for this operation (or
/// the wish). Without NCCL's tuning: rings and the torus, direct messages for an all-to-all.
struct PlannedCollective {
  CollectiveChoice choice;
  std::vector<Pattern> phases;
  Seconds alone;
};
/// An algorithm that may be chosen, laid out once for all sizes.
struct Candidate {
  Algorithm algorithm = Algorithm::Ring;
  std::vector<Protocol> protocols;
  std::vector<Pattern> phases;
};
/// Everything the wish leaves to choose from; empty when nothing can fulfil it.
std::vector<Candidate> candidates(const Cluster& cluster, const Group& group, CollectiveOp op,
                                  const CollectiveWish& wish);
/// The fastest of one candidate or more.
PlannedCollective fastest(const Cluster& cluster, const Group& group, CollectiveOp op, Bytes bytes,
                          const std::vector<Candidate>& candidates);
/// Both: throws InternalError when nothing can fulfil the wish.
PlannedCollective plan_collective(const Cluster& cluster, const Group& group, CollectiveOp op,
                                  Bytes bytes, const CollectiveWish& wish = {});

}  // namespace danlu
