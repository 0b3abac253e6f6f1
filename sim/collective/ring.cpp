#include "sim/collective/ring.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

void add_route(const Cluster& cluster, int from, int to, Pattern& pattern) {
  const Route links = route(cluster, from, to, pattern.rings);
  pattern.round_latency += cluster.topology.latency(links);
  for (const LinkId link : links) {
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

/// Links between GPUs of one mesh node, by position in the group.
using LinkCounts = std::vector<std::vector<int>>;

LinkCounts direct_links(const Cluster& cluster, std::span<const int> ranks) {
  LinkCounts counts(ranks.size(), std::vector<int>(ranks.size(), 0));
  const int per_node = cluster.spec.topology.gpus_per_node;
  for (const MeshLink& link : cluster.spec.topology.mesh_links) {
    const auto position = [&](int gpu) {
      return std::find_if(ranks.begin(), ranks.end(),
                          [&](int rank) { return rank % per_node == gpu; }) -
             ranks.begin();
    };
    const auto first = static_cast<std::size_t>(position(link.first));
    const auto second = static_cast<std::size_t>(position(link.second));
    if (first < ranks.size() && second < ranks.size()) {
      counts[first][second] += link.count;
      counts[second][first] += link.count;
    }
  }
  return counts;
}

/// Extends `path` to a closed tour of all GPUs over pairs with at least `width` links.
bool complete_tour(const LinkCounts& counts, int width, std::vector<std::size_t>& path,
                   std::vector<bool>& visited) {
  if (path.size() == counts.size()) {
    return counts[path.back()][path.front()] >= width;
  }
  for (std::size_t next = 0; next < counts.size(); ++next) {
    if (!visited[next] && counts[path.back()][next] >= width) {
      visited[next] = true;
      path.push_back(next);
      if (complete_tour(counts, width, path, visited)) {
        return true;
      }
      path.pop_back();
      visited[next] = false;
    }
  }
  return false;
}

/// The tours of a mesh that use no link twice, widest first: a tour over double links is two rings.
std::vector<std::vector<int>> mesh_tours(const Cluster& cluster, std::span<const int> ranks) {
  LinkCounts counts = direct_links(cluster, ranks);
  int width = 0;
  for (const std::vector<int>& row : counts) {
    width = std::max(width, *std::max_element(row.begin(), row.end()));
  }
  std::vector<std::vector<int>> tours;
  for (; width > 0; --width) {
    std::vector<std::size_t> path{0};
    std::vector<bool> visited(ranks.size(), false);
    visited[0] = true;
    while (complete_tour(counts, width, path, visited)) {
      std::vector<int> tour;
      for (std::size_t k = 0; k < path.size(); ++k) {
        const std::size_t next = path[(k + 1) % path.size()];
        counts[path[k]][next] -= width;
        if (ranks.size() > 2) {
          counts[next][path[k]] -= width;
        }
        tour.push_back(ranks[path[k]]);
      }
      tours.insert(tours.end(), static_cast<std::size_t>(width), tour);
      path = {0};
      visited.assign(ranks.size(), false);
      visited[0] = true;
    }
  }
  return tours;
}

void add_ring(const Cluster& cluster, std::span<const int> order, Pattern& pattern) {
  for (std::size_t i = 0; i < order.size(); ++i) {
    add_route(cluster, order[i], order[(i + 1) % order.size()], pattern);
  }
  ++pattern.rings;
}

/// Rings of a group in one mesh node: every tour, in both directions. False if there is no tour.
bool add_mesh_rings(const Cluster& cluster, std::span<const int> ranks, Pattern& pattern) {
  constexpr std::size_t kLargestSearch = 16;  // the search for tours is exponential
  if (ranks.size() > kLargestSearch) {
    return false;
  }
  for (std::vector<int>& tour : mesh_tours(cluster, ranks)) {
    add_ring(cluster, tour, pattern);
    if (tour.size() > 2) {  // a pair's only ring is its own reverse
      std::reverse(tour.begin(), tour.end());
      add_ring(cluster, tour, pattern);
    }
  }
  return pattern.rings > 0;
}

}  // namespace

Pattern ring_pattern(const Cluster& cluster, std::span<const int> ranks) {
  check(ranks.size() >= 2, "a ring needs two ranks");
  Pattern pattern{.ranks = std::vector<int>(ranks.begin(), ranks.end()), .rings = 0};
  const std::vector<std::vector<int>> nodes = by_node(cluster, ranks);
  const std::size_t local = nodes.front().size();
  const bool one_node = cluster.node_of(ranks.front()) == cluster.node_of(ranks.back());
  const bool mesh = cluster.spec.topology.scale_up == ScaleUpKind::Mesh;
  if (nodes.size() == 1 && !(mesh && one_node && add_mesh_rings(cluster, ranks, pattern))) {
    add_ring(cluster, ranks, pattern);
  }
  for (std::size_t ring = 0; nodes.size() > 1 && ring < local; ++ring) {
    std::vector<int> order;
    for (std::size_t node = 0; node < nodes.size(); ++node) {
      for (std::size_t i = 0; i < local; ++i) {  // even nodes downwards, odd nodes upwards
        const std::size_t at = node % 2 == 0 ? ring + local - i : ring + 1 + i;
        order.push_back(nodes[node][at % local]);
      }
    }
    add_ring(cluster, order, pattern);
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
