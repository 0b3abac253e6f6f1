#include "sim/collective/ring.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

void add_route(const Cluster& cluster, int from, int to, Pattern& pattern) {
  const Route route = cluster.topology.route(make_id<GpuId>(static_cast<std::size_t>(from)),
                                             make_id<GpuId>(static_cast<std::size_t>(to)));
  pattern.round_latency += cluster.topology.latency(route);
  for (const LinkId link : route) {
    pattern.loads.push_back({link, 1});
  }
}

/// Sorts by link and adds up repeated ones.
void merge_loads(std::vector<LinkLoad>& loads) {
  std::sort(loads.begin(), loads.end(),
            [](const LinkLoad& a, const LinkLoad& b) { return a.link < b.link; });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < loads.size(); ++i) {
    if (kept > 0 && loads[kept - 1].link == loads[i].link) {
      loads[kept - 1].weight += loads[i].weight;
    } else {
      loads[kept++] = loads[i];
    }
  }
  loads.resize(kept);
}

/// The ranks by node; all nodes alike in number or else one list of all.
std::vector<std::vector<int>> by_node(const Cluster& cluster, std::span<const int> ranks) {
  std::map<int, std::vector<int>> nodes;
  for (const int rank : ranks) {
    nodes[cluster.node_of(rank)].push_back(rank);
  }
  std::vector<std::vector<int>> lists;
  for (auto& [node, members] : nodes) {
    lists.push_back(std::move(members));
  }
  const bool even = std::all_of(lists.begin(), lists.end(), [&](const std::vector<int>& list) {
    return list.size() == lists.front().size();
  });
  if (!even || lists.size() == 1) {
    return {std::vector<int>(ranks.begin(), ranks.end())};
  }
  return lists;
}

}  // namespace

Pattern ring_pattern(const Cluster& cluster, std::span<const int> ranks) {
  check(ranks.size() >= 2, "a ring needs two ranks");
  Pattern pattern{.ranks = std::vector<int>(ranks.begin(), ranks.end())};
  const std::vector<std::vector<int>> nodes = by_node(cluster, ranks);
  const std::size_t local = nodes.front().size();
  pattern.rings = nodes.size() == 1 ? 1 : static_cast<int>(local);
  for (std::size_t ring = 0; ring < static_cast<std::size_t>(pattern.rings); ++ring) {
    std::vector<int> order;
    for (std::size_t node = 0; node < nodes.size(); ++node) {
      for (std::size_t i = 0; i < local; ++i) {  // even nodes downwards, odd nodes upwards
        const std::size_t at = node % 2 == 0 ? ring + local - i : ring + 1 + i;
        order.push_back(nodes[node][at % local]);
      }
    }
    for (std::size_t i = 0; i < order.size(); ++i) {
      add_route(cluster, order[i], order[(i + 1) % order.size()], pattern);
    }
  }
  pattern.round_latency = pattern.round_latency / pattern.rings;
  merge_loads(pattern.loads);
  return pattern;
}

Pattern transfer_pattern(const Cluster& cluster, int from, int to) {
  Pattern pattern{.ranks = {from, to}};
  add_route(cluster, from, to, pattern);
  return pattern;
}

int collective_steps(CollectiveOp op, int ranks) {
  switch (op) {
    case CollectiveOp::AllReduce:
      return 2 * (ranks - 1);
    case CollectiveOp::ReduceScatter:
    case CollectiveOp::AllGather:
      return ranks - 1;
    case CollectiveOp::SendReceive:
      return 1;
  }
  return 0;
}

Bytes stream_bytes(CollectiveOp op, const Pattern& pattern, Bytes bytes) {
  if (op == CollectiveOp::SendReceive) {
    return {std::ceil(bytes.value)};
  }
  const auto n = static_cast<int>(pattern.ranks.size());
  const double chunk = std::ceil(bytes.value / n / pattern.rings);  // chunks are whole bytes
  return {chunk * collective_steps(op, n)};
}

Seconds collective_latency(CollectiveOp op, const Pattern& pattern) {
  if (op == CollectiveOp::SendReceive) {
    return pattern.round_latency;
  }
  const auto n = static_cast<int>(pattern.ranks.size());
  return pattern.round_latency * (static_cast<double>(collective_steps(op, n)) / n);
}

}  // namespace danlu
