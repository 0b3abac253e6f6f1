// What a collective costs besides its stream of bytes, and which algorithm and protocol is best.
//
//   time = launch + base + steps x latency      until the first byte has gone its way
//        + fill(S)                              until the pipeline is full (Simple only)
//        + bytes of the stream / rate           the flow
//
// The constants of base and steps are those of NCCL's own tuning model; launch, fill and the
// efficiencies of links are of the topology file, fitted to published measurements, one set for
// each generation of links. A message much smaller than the pipeline passes its stages one after
// the other and so pays its stream twice; a large one pays for filling the pipeline once:
//
//   fill(S) = window(S, F) / rate,   window(S, F) = S F / (S + F)
#pragma once

#include <span>
#include <vector>

#include "sim/cluster/cluster.hpp"
#include "sim/collective/collective.hpp"

namespace danlu {

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
                      CollectiveOp op, Bytes bytes, std::span<const Pattern> phases,
                      std::size_t phase);
/// Bytes on the links for every byte of the data: flags, and what an algorithm falls short of a
/// ring. 1 where the topology does not follow NCCL.
double overhead(const TopologySpec& topology, CollectiveChoice choice, CollectiveOp op,
                const Group& group);
/// Rounded up to whole bytes, as flows carry them.
Bytes whole(Bytes bytes);
/// Bytes that a stream of a phase carries, the overhead included; whole ones.
Bytes phase_bytes(const TopologySpec& topology, CollectiveChoice choice, CollectiveOp op,
                  const Group& group, const Pattern& phase, Bytes bytes);

/// How fast a stream of the pattern is when nothing else runs.
BytesPerSecond alone_rate(const Cluster& cluster, const Pattern& pattern);
/// The closed form: how long a collective takes when nothing else runs.
Seconds alone_time(const Cluster& cluster, const Group& group, CollectiveChoice choice,
                   CollectiveOp op, Bytes bytes, std::span<const Pattern> phases);

/// A transfer between two GPUs: its latency, and the bytes of its stream.
struct TransferCost {
  Seconds latency;
  Bytes stream;
};
TransferCost transfer_cost(const TopologySpec& topology, const Pattern& transfer, Bytes bytes);

/// An algorithm that may be chosen, laid out once for all sizes.
struct Candidate {
  Algorithm algorithm = Algorithm::Ring;
  std::vector<Protocol> protocols;
  std::vector<Pattern> phases;
};
/// All that a forced choice leaves to choose from; empty when nothing can meet it. With none: what
/// NCCL has for the operation; without NCCL's tuning, rings, and direct messages for an all-to-all.
std::vector<Candidate> candidates(const Cluster& cluster, const Group& group, CollectiveOp op,
                                  const ForcedChoice& forced);

/// A collective, chosen among what NCCL has for this operation (or what is forced): what NCCL's own
/// estimate has fastest (nccl_estimate.hpp), and where it has none the fastest by closed form. Time
/// is always the closed form.
struct PlannedCollective {
  CollectiveChoice choice;
  std::span<const Pattern> phases;  // of the candidate
  Seconds alone;
};
/// What one algorithm in one protocol would take: by NCCL's estimate, and by the closed form.
struct Offer {
  CollectiveChoice choice;
  std::size_t candidate = 0;  // its place in the list
  std::optional<Seconds> estimate;
  Seconds alone;
};
std::vector<Offer> offers(const Cluster& cluster, const Group& group, CollectiveOp op, Bytes bytes,
                          const std::vector<Candidate>& candidates);
/// The one to take, of one candidate or more.
PlannedCollective fastest(const Cluster& cluster, const Group& group, CollectiveOp op, Bytes bytes,
                          const std::vector<Candidate>& candidates);

}  // namespace danlu
