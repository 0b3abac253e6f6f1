#include "sim/collective/experts.hpp"

#include <algorithm>

#include "sim/base/error.hpp"
#include "sim/base/ids.hpp"
#include "sim/collective/pattern.hpp"
#include "sim/collective/tuning.hpp"

namespace danlu {
namespace {

constexpr CollectiveChoice kMessages{Algorithm::Direct, Protocol::Simple};

/// Everybody to everybody on other nodes, or along the rail only.
Phase between_nodes(const Group& group, bool rails_only) {
  Phase phase;
  for (std::size_t from = 0; from < group.nodes.size(); ++from) {
    for (std::size_t to = 0; to < group.nodes.size(); ++to) {
      for (std::size_t i = 0; from != to && i < group.nodes[from].size(); ++i) {
        for (std::size_t j = 0; j < group.nodes[to].size(); ++j) {
          if (i == j || !rails_only) {
            phase.streams.push_back({group.nodes[from][i], group.nodes[to][j], 1, 0});
          }
        }
      }
    }
  }
  return phase;
}

Phase inside_nodes(const Group& group) {
  Phase phase;
  for (const std::vector<int>& node : group.nodes) {
    for (const int from : node) {
      for (const int to : node) {
        if (from != to) {
          phase.streams.push_back({from, to, 1, 0});
        }
      }
    }
  }
  return phase;
}

/// How long a rank is busy with starting messages to other nodes, one for every token and expert.
/// With two levels many tokens travel as one.
Seconds sending(const TopologySpec& topology, const Group& group, const ExpertLoad& load) {
  const double messages = load.tokens * load.routing.per_token * (1 - 1.0 / group.node_count());
  return topology.fabric_message_rate > 0 && !load.two_levels
             ? Seconds{messages / topology.fabric_message_rate}
             : Seconds{};
}

}  // namespace

// Experts are drawn one after the other. One that is open lies on a rank already in use, on a new
// rank of a node in use, or on a new node, if there may be another: the nodes with the token's best
// experts are those that come first. Nodes drawn at random are all nodes of a smaller group.
TokenSpread token_spread(const ExpertRouting& routing, int nodes, int ranks_per_node) {
  const int limit = routing.most_nodes > 0 ? std::min(routing.most_nodes, nodes) : nodes;
  if (routing.nodes == NodeChoice::Random && limit < nodes) {
    return token_spread({routing.experts / nodes * limit, routing.per_token}, limit,
                        ranks_per_node);
  }
  const int most_ranks = std::min(routing.per_token, limit * ranks_per_node);
  const double per_rank = static_cast<double>(routing.experts) / (nodes * ranks_per_node);
  check(per_rank * ranks_per_node * limit >= routing.per_token, "a token's experts are there");
  // Probability of so many nodes and ranks.
  std::vector<std::vector<double>> chance(index(limit) + 2,
                                          std::vector<double>(index(most_ranks) + 2, 0));
  chance[0][0] = 1;
  for (int drawn = 0; drawn < routing.per_token; ++drawn) {
    for (int n = limit; n >= 0; --n) {  // downwards: what moves on is not seen again
      for (int r = most_ranks; r >= 0; --r) {
        const double here = chance[index(n)][index(r)];
        const double same = std::max(0.0, r * per_rank - drawn);
        const double rank = (n * ranks_per_node - r) * per_rank;
        const double node = n < limit ? (nodes - n) * ranks_per_node * per_rank : 0;
        const double open = same + rank + node;
        if (here == 0 || open <= 0) {
          continue;
        }
        chance[index(n)][index(r)] = here * same / open;
        chance[index(n)][index(r) + 1] += here * rank / open;
        chance[index(n) + 1][index(r) + 1] += here * node / open;
      }
    }
  }
  TokenSpread spread;
  for (int n = 0; n <= limit; ++n) {
    for (int r = 0; r <= most_ranks; ++r) {
      spread.nodes += n * chance[index(n)][index(r)];
      spread.ranks += r * chance[index(n)][index(r)];
    }
  }
  return spread;
}

SentShare sent_share(const Group& group) {
  const double all = group.size();
  SentShare share;
  for (const std::vector<int>& node : group.nodes) {
    const double here = static_cast<double>(node.size());
    share.in_node += here / all * (here - 1) / all;
    share.between_nodes += here / all * (all - here) / all;
  }
  return share;
}

SentShare sent_share(const Group& group, const ExpertRouting& routing) {
  const int nodes = group.node_count();
  const int per_node = group.per_node();
  check(per_node > 0, "experts are spread evenly over the nodes");
  const TokenSpread spread = token_spread(routing, nodes, per_node);
  return {spread.ranks * (per_node - 1) / per_node, spread.nodes * (nodes - 1) / nodes};
}

std::vector<Phase> dispatch_phases(const Group& group) {
  std::vector<Phase> phases;
  if (group.node_count() > 1) {
    phases.push_back(between_nodes(group, /*rails_only=*/true));
  }
  if (group.per_node() > 1) {
    phases.push_back(inside_nodes(group));
  }
  return phases;
}

ExpertExchange expert_exchange(const Cluster& cluster, const Group& group, const ExpertLoad& load) {
  const int per_node = group.per_node();
  check(per_node > 0, "experts are spread evenly over the nodes");
  const TopologySpec& topology = cluster.spec.topology;
  const TokenSpread spread = token_spread(load.routing, group.node_count(), per_node);
  const Bytes all = load.token * load.tokens;
  const Bytes to_expert = all * (static_cast<double>(load.routing.per_token) / group.size());
  ExpertExchange exchange{
      .latency = fixed_latency(topology, group, kMessages, CollectiveOp::SendReceive, {})};
  Seconds within, between;
  if (group.node_count() > 1) {
    Pattern pattern = phase_pattern(cluster, group, between_nodes(group, load.two_levels));
    between = step_latency(topology, kMessages, all, false, pattern.network_latency);
    const Bytes bytes = load.two_levels ? all * (spread.nodes / group.node_count()) : to_expert;
    const BytesPerSecond rate = alone_rate(cluster, pattern);
    const Bytes least = rate * sending(topology, group, load);
    exchange.flows.push_back({std::move(pattern), std::max(bytes, least)});
  }
  if (per_node > 1) {
    const Group node{.ranks = group.ranks, .nodes = {group.nodes[0]}};  // sends inside one
    Pattern pattern = phase_pattern(cluster, group, inside_nodes(group));
    within = step_latency(topology, kMessages, all, true, pattern.local_latency);
    const Bytes bytes = load.two_levels ? all * (spread.ranks / per_node) : to_expert;
    exchange.flows.push_back(
        {std::move(pattern),
         bytes * overhead(topology, kMessages, CollectiveOp::SendReceive, node)});
  }
  exchange.latency += load.two_levels ? between + within : std::max(between, within);
  return exchange;
}

Seconds alone_time(const Cluster& cluster, const ExpertExchange& exchange) {
  Seconds longest;
  for (const ExpertExchange::Flow& flow : exchange.flows) {
    longest = std::max(longest, flow.stream / alone_rate(cluster, flow.pattern));
  }
  return exchange.latency + longest;
}

}  // namespace danlu
