// What a mixture of experts sends: every token to the ranks that hold its k experts (dispatch), and
// their results back (combine). Two ways, after DeepEP's two kinds of kernels:
//
//   two levels   once to every node that needs it, along the rail; there handed on to every rank
//                that needs it. For large batches: the NIC carries a token once for several experts
//   direct       a copy for every expert straight to its rank. For small batches: one step
//
// The way between nodes and the one inside them are two flows that run at the same time. T tokens
// of B bytes on every rank, m nodes of g ranks, n = m g:
//
//                between two nodes     between two ranks of a node
//   two levels   T B nodes / m         T B ranks / g
//   direct       T B k / n to a rank   T B k / n
//
// where `nodes` and `ranks` are how many different ones hold a token's k experts, in the mean.
#pragma once

#include <vector>

#include "sim/base/names.hpp"
#include "sim/cluster/cluster.hpp"
#include "sim/collective/collective.hpp"

namespace danlu {

/// Which nodes are open to a token, where only some are: those that hold its best experts
/// (DeepSeek-V2, arXiv:2405.04434, section 2.2.2; DeepEP's tests/test_internode.py. DeepSeek-V3
/// adds up the best two of a node, which is 0.7 % fewer nodes); or drawn without a look at its
/// scores.
enum class NodeChoice { Best, Random };
template <>
inline constexpr auto kNames<NodeChoice> =
    std::to_array<Named<NodeChoice>>({{NodeChoice::Best, "best"}, {NodeChoice::Random, "random"}});

/// How tokens choose their experts: all experts are equally likely, but only those of so many
/// nodes are open to it.
struct ExpertRouting {
  int experts = 256;  // spread evenly over the ranks
  int per_token = 8;
  int most_nodes = 0;  // 0: any number
  NodeChoice nodes = NodeChoice::Best;
  bool operator==(const ExpertRouting&) const = default;
};

/// How many different nodes and ranks hold the experts of a token, in the mean.
struct TokenSpread {
  double nodes = 0;
  double ranks = 0;
};
TokenSpread token_spread(const ExpertRouting& routing, int nodes, int ranks_per_node);

/// What a mean rank of a group sends of an exchange to ranks of its node and to other nodes, over
/// the bytes of its tokens: of all their copies, or with two levels of each token once.
struct SentShare {
  double in_node = 0;
  double between_nodes = 0;
};
SentShare sent_share(const Group& group);
/// With two levels. `group` has equally many ranks on every node; throws InternalError otherwise.
SentShare sent_share(const Group& group, const ExpertRouting& routing);

/// Tokens on every rank that are dispatched or combined.
struct ExpertLoad {
  ExpertRouting routing;
  double tokens = 0;
  Bytes token;  // of one token
  bool two_levels = true;
};

/// Flows that begin together, `latency` after the exchange; it ends with the last one.
struct ExpertExchange {
  struct Flow {
    Pattern pattern;
    Bytes stream;
  };
  Seconds latency;
  std::vector<Flow> flows;
};

/// The flows of one with two levels: along rails, then inside nodes; those that there are.
std::vector<Phase> dispatch_phases(const Group& group);

/// `group` has equally many ranks on every node. Throws InternalError otherwise.
ExpertExchange expert_exchange(const Cluster& cluster, const Group& group, const ExpertLoad& load);

/// The closed form: how long it takes when nothing else runs and the two flows share no link.
Seconds alone_time(const Cluster& cluster, const ExpertExchange& exchange);

}  // namespace danlu
