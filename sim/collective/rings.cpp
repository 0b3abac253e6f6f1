#include "sim/collective/rings.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include "sim/base/ids.hpp"

namespace danlu {
namespace {

using Order = std::vector<int>;  // positions, in the order of a ring

/// Numbers in their node of the GPUs at `positions`.
std::vector<int> numbers_in_node(const Cluster& cluster, const Group& group,
                                 const std::vector<int>& positions) {
  std::vector<int> gpus;
  for (const int position : positions) {
    gpus.push_back(group.ranks[index(position)] % cluster.spec.topology.gpus_per_node);
  }
  return gpus;
}

/// Links from one GPU of a node to another that are not dead, by place among `members`.
using LinkCounts = std::vector<std::vector<int>>;

LinkCounts direct_links(const Cluster& cluster, const Group& group,
                        const std::vector<int>& members) {
  const std::vector<int> gpus = numbers_in_node(cluster, group, members);
  const DegradedSpec& degraded = cluster.spec.degraded;
  LinkCounts counts(gpus.size(), std::vector<int>(gpus.size(), 0));
  const auto place = [&](int gpu) {
    return static_cast<std::size_t>(std::find(gpus.begin(), gpus.end(), gpu) - gpus.begin());
  };
  for (const MeshLink& link : cluster.spec.topology.mesh_links) {
    const std::size_t first = place(link.first);
    const std::size_t second = place(link.second);
    if (first < gpus.size() && second < gpus.size() &&
        !degraded.is_dead_link(group.ranks[index(members[first])],
                               group.ranks[index(members[second])])) {
      counts[first][second] += link.count;
      counts[second][first] += link.count;
    }
  }
  return counts;
}

/// Looks for `wanted` rings through all places that together take no link more often than it is
/// there: depth first, the next ring when one closes.
class RingSearch {
 public:
  RingSearch(LinkCounts links, int wanted)
      : free_(std::move(links)), wanted_(index(wanted)), visited_(free_.size(), false) {}

  /// All of them, or none.
  std::vector<Order> run() {
    start_ring();
    return extend() ? rings_ : std::vector<Order>{};
  }

 private:
  static constexpr int kMostSteps = 200'000;  // full meshes of up to 16 GPUs need 130,000

  void start_ring() {
    path_ = {0};
    visited_.assign(visited_.size(), false);
    visited_[0] = true;
  }

  bool extend() {
    if (++steps_ > kMostSteps) {
      return false;
    }
    std::vector<int>& links = free_[index(path_.back())];
    if (path_.size() == free_.size()) {
      return links[0] > 0 && close(links[0]);
    }
    for (std::size_t next = 0; next < free_.size(); ++next) {
      if (!visited_[next] && links[next] > 0) {
        visited_[next] = true;
        --links[next];
        path_.push_back(static_cast<int>(next));
        if (extend()) {
          return true;
        }
        path_.pop_back();
        ++links[next];
        visited_[next] = false;
      }
    }
    return false;
  }

  bool close(int& last_link) {
    --last_link;
    rings_.push_back(path_);
    if (rings_.size() == wanted_) {
      return true;
    }
    start_ring();
    if (extend()) {
      return true;
    }
    path_ = rings_.back();
    visited_.assign(visited_.size(), true);
    rings_.pop_back();
    ++last_link;
    return false;
  }

  LinkCounts free_;
  std::size_t wanted_;
  std::vector<bool> visited_;
  Order path_;
  std::vector<Order> rings_;
  int steps_ = 0;
};

/// Rings inside one node that is joined by direct links: as many as the rank with the fewest links
/// has, or twice as many that share the links by two, or fewer. None if there is none.
std::vector<Order> mesh_rings(const LinkCounts& links) {
  constexpr std::size_t kLargestSearch = 16;  // the search is exponential
  if (links.size() > kLargestSearch) {
    return {};
  }
  int degree = std::accumulate(links[0].begin(), links[0].end(), 0);
  for (const std::vector<int>& row : links) {
    degree = std::min(degree, std::accumulate(row.begin(), row.end(), 0));
  }
  for (int wanted = degree; wanted > 0; --wanted) {
    std::vector<Order> rings = RingSearch(links, wanted).run();
    if (rings.empty() && wanted == degree) {
      LinkCounts doubled = links;
      for (std::vector<int>& row : doubled) {
        std::transform(row.begin(), row.end(), row.begin(), [](int count) { return 2 * count; });
      }
      rings = RingSearch(std::move(doubled), 2 * degree).run();
    }
    if (!rings.empty()) {
      return rings;
    }
  }
  return {};
}

bool is_full_mesh(const LinkCounts& links) {
  for (std::size_t from = 0; from < links.size(); ++from) {
    for (std::size_t to = 0; to < links.size(); ++to) {
      if (from != to && links[from][to] == 0) {
        return false;
      }
    }
  }
  return true;
}

// ---- rings that leave nodes: a path through the node for each, by place in the node

/// Path j of n over the links of a full mesh: j, j+1, j-1, j+2, ..., j+n/2.
Order zigzag(int ring, int n) {
  Order path;
  for (int i = 0; i < n; ++i) {
    path.push_back((ring + (i % 2 == 1 ? (i + 1) / 2 : n - i / 2)) % n);
  }
  return path;
}

/// Around the node downwards from the gate of `ring`, the last of it the next ring's gate. `gates`
/// are places among the n of the node.
Order around(int ring, const Order& gates, int n) {
  const int enter = gates[index(ring)];
  const int next = gates[(index(ring) + 1) % gates.size()];
  Order path{enter};
  for (int i = 1; i < n; ++i) {
    const int place = (enter + n - i) % n;
    if (place != next || next == enter) {
      path.push_back(place);
    }
  }
  if (next != enter) {
    path.push_back(next);
  }
  return path;
}

/// Rings of a mesh, opened: path j begins at j, no two end at the same place, and the rings are
/// used about equally often. Empty if there is no such choice.
class Opening {
 public:
  explicit Opening(const std::vector<Order>& rings)
      : rings_(rings), used_(rings.size(), 0), left_(rings[0].size(), false) {}

  std::vector<Order> run() { return open(0) ? std::move(paths_) : std::vector<Order>{}; }

 private:
  bool open(int place) {
    if (index(place) == left_.size()) {
      return true;
    }
    const int fewest = *std::min_element(used_.begin(), used_.end());
    for (std::size_t ring = 0; ring < rings_.size(); ++ring) {
      Order path = rings_[ring];
      std::rotate(path.begin(), std::find(path.begin(), path.end(), place), path.end());
      const std::size_t exit = index(path.back());
      if (used_[ring] > fewest || left_[exit]) {
        continue;
      }
      ++used_[ring];
      left_[exit] = true;
      paths_.push_back(std::move(path));
      if (open(place + 1)) {
        return true;
      }
      paths_.pop_back();
      left_[exit] = false;
      --used_[ring];
    }
    return false;
  }

  const std::vector<Order>& rings_;
  std::vector<int> used_;
  std::vector<bool> left_;  // by place: whether a path ends there
  std::vector<Order> paths_;
};

/// A path through the members of a node for each of its gates, given by place among the members.
std::vector<Order> node_paths(const Cluster& cluster, const Group& group,
                              const std::vector<int>& members, const Order& gates) {
  const int n = static_cast<int>(members.size());
  std::vector<Order> paths;
  if (cluster.spec.topology.scale_up == ScaleUpKind::Mesh && gates.size() == members.size() &&
      n > 2) {
    const LinkCounts links = direct_links(cluster, group, members);
    if (n % 2 == 0 && is_full_mesh(links)) {
      for (int ring = 0; ring < n; ++ring) {
        paths.push_back(zigzag(ring, n));
      }
      return paths;
    }
    const std::vector<Order> closed = mesh_rings(links);
    paths = closed.empty() ? paths : Opening(closed).run();
    if (!paths.empty()) {
      return paths;
    }
  }
  for (int ring = 0; ring < static_cast<int>(gates.size()); ++ring) {
    paths.push_back(around(ring, gates, n));
  }
  return paths;
}

/// Where the first `count` of a node's gates are among its members.
Order places_of(const std::vector<int>& gates, std::size_t count, const std::vector<int>& members) {
  Order places;
  for (std::size_t i = 0; i < count; ++i) {
    places.push_back(
        static_cast<int>(std::find(members.begin(), members.end(), gates[i]) - members.begin()));
  }
  return places;
}

/// A ring for every gate of the node with the fewest, each leaving the nodes through another one.
std::vector<Order> rail_rings(const Cluster& cluster, const Group& group) {
  std::size_t rings = group.gates[0].size();
  for (const std::vector<int>& gates : group.gates) {
    rings = std::min(rings, gates.size());
  }
  std::vector<Order> orders(rings);
  std::pair<std::vector<int>, Order> known;  // GPUs and gates of the node that `paths` are for
  std::vector<Order> paths;
  for (std::size_t node = 0; node < group.nodes.size(); ++node) {
    const std::vector<int>& members = group.nodes[node];
    std::pair here(numbers_in_node(cluster, group, members),
                   places_of(group.gates[node], rings, members));
    if (here != known || !cluster.spec.degraded.links.empty()) {
      known = std::move(here);
      paths = node_paths(cluster, group, members, known.second);
    }
    for (std::size_t ring = 0; ring < rings; ++ring) {
      Order path = paths[ring];
      if (node % 2 == 1) {
        std::reverse(path.begin(), path.end());
      }
      for (const int place : path) {
        orders[ring].push_back(members[index(place)]);
      }
    }
  }
  return orders;
}

// ---- snakes

/// A closed snake through a torus: to and fro along the first of `axes`, a step along the next
/// wherever it turns, and so on (the reflected Gray code).
Order snake(const std::vector<int>& dims, const std::vector<std::size_t>& axes) {
  std::vector<int> strides;  // of each axis, the first varying fastest
  int size = 1;
  for (const int dim : dims) {
    strides.push_back(size);
    size *= dim;
  }
  Order order;
  for (int i = 0; i < size; ++i) {
    int point = 0;
    int rest = i;
    for (const std::size_t axis : axes) {
      const int digit = rest % dims[axis];
      rest /= dims[axis];
      point += strides[axis] * (rest % 2 == 0 ? digit : dims[axis] - 1 - digit);
    }
    order.push_back(point);
  }
  return order;
}

/// Rings through a whole torus whose points are `gpus`: a snake for every axis that may run first,
/// each in both directions, so that all axes carry about as much.
std::vector<Order> torus_rings(const std::vector<int>& dims, const std::vector<int>& gpus) {
  std::vector<int> position(gpus.size());
  for (std::size_t i = 0; i < gpus.size(); ++i) {
    position[index(gpus[i])] = static_cast<int>(i);
  }
  std::vector<Order> rings;
  std::vector<std::size_t> axes(dims.size());
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  for (std::size_t turn = 0; turn < dims.size(); ++turn) {
    Order ring;
    for (const int point : snake(dims, axes)) {
      ring.push_back(position[index(point)]);
    }
    rings.push_back(std::move(ring));
    rings.emplace_back(rings.back().rbegin(), rings.back().rend());
    std::rotate(axes.begin(), axes.begin() + 1, axes.end());
  }
  return rings;
}

/// The rings that cross no dead link, or all if each does.
std::vector<Order> avoiding_dead_links(const Cluster& cluster, const Group& group,
                                       std::vector<Order> rings) {
  const auto crosses = [&](const Order& ring) {
    for (std::size_t i = 0; i < ring.size(); ++i) {
      if (cluster.spec.degraded.is_dead_link(group.ranks[index(ring[i])],
                                             group.ranks[index(ring[(i + 1) % ring.size()])])) {
        return true;
      }
    }
    return false;
  };
  if (!cluster.spec.degraded.links.empty() && !std::all_of(rings.begin(), rings.end(), crosses)) {
    std::erase_if(rings, crosses);
  }
  return rings;
}

}  // namespace

std::vector<std::vector<int>> ring_orders(const Cluster& cluster, const Group& group) {
  if (group.nodes.size() > 1) {
    return rail_rings(cluster, group);
  }
  const TopologySpec& topology = cluster.spec.topology;
  if (topology.scale_up == ScaleUpKind::Mesh || topology.scale_up == ScaleUpKind::Torus) {
    std::vector<Order> rings = mesh_rings(direct_links(cluster, group, group.nodes[0]));
    if (rings.empty() && topology.scale_up == ScaleUpKind::Torus &&
        group.size() == topology.gpus_per_node) {
      rings = avoiding_dead_links(
          cluster, group,
          torus_rings(topology.scale_up_dims, numbers_in_node(cluster, group, group.nodes[0])));
    }
    if (!rings.empty()) {
      return rings;
    }
  }
  Order all(group.ranks.size());
  std::iota(all.begin(), all.end(), 0);
  return {all};
}

}  // namespace danlu
