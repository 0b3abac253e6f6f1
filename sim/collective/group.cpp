#include "sim/collective/group.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

using Order = std::vector<int>;  // positions, in the order of a ring

/// Positions by node, nodes in the order in which the ranks name them first.
std::vector<std::vector<int>> by_node(const Cluster& cluster, std::span<const int> ranks) {
  std::vector<std::pair<int, int>> keyed;  // node, position
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    keyed.emplace_back(cluster.node_of(ranks[i]), static_cast<int>(i));
  }
  std::sort(keyed.begin(), keyed.end());
  std::vector<std::vector<int>> nodes;
  for (std::size_t i = 0; i < keyed.size(); ++i) {
    if (i == 0 || keyed[i].first != keyed[i - 1].first) {
      nodes.emplace_back();
    }
    nodes.back().push_back(keyed[i].second);
  }
  return nodes;
}

/// Links between GPUs of one mesh node, by position.
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
    if (first < ranks.size() && second < ranks.size() &&
        !cluster.spec.degraded.is_dead_link(ranks[first], ranks[second])) {
      counts[first][second] += link.count;
      counts[second][first] += link.count;
    }
  }
  return counts;
}

/// Extends `path` to a closed tour of all positions over pairs with at least `width` links.
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
std::vector<Order> mesh_tours(const Cluster& cluster, std::span<const int> ranks) {
  LinkCounts counts = direct_links(cluster, ranks);
  int width = 0;
  for (const std::vector<int>& row : counts) {
    width = std::max(width, *std::max_element(row.begin(), row.end()));
  }
  std::vector<Order> tours;
  for (; width > 0; --width) {
    std::vector<std::size_t> path{0};
    std::vector<bool> visited(ranks.size(), false);
    visited[0] = true;
    while (complete_tour(counts, width, path, visited)) {
      Order tour;
      for (std::size_t k = 0; k < path.size(); ++k) {
        const std::size_t next = path[(k + 1) % path.size()];
        counts[path[k]][next] -= width;
        if (ranks.size() > 2) {
          counts[next][path[k]] -= width;
        }
        tour.push_back(static_cast<int>(path[k]));
      }
      tours.insert(tours.end(), static_cast<std::size_t>(width), tour);
      path = {0};
      visited.assign(ranks.size(), false);
      visited[0] = true;
    }
  }
  return tours;
}

/// Rings inside one mesh node: every tour, in both directions. None if there is no tour.
std::vector<Order> mesh_rings(const Cluster& cluster, std::span<const int> ranks) {
  constexpr std::size_t kLargestSearch = 16;  // the search for tours is exponential
  if (ranks.size() > kLargestSearch) {
    return {};
  }
  std::vector<Order> rings;
  for (Order& tour : mesh_tours(cluster, ranks)) {
    rings.push_back(tour);
    if (tour.size() > 2) {  // a pair's only ring is its own reverse
      std::reverse(tour.begin(), tour.end());
      rings.push_back(std::move(tour));
    }
  }
  return rings;
}

/// Members of a node whose traffic has a NIC to itself, as far as it had one when all NICs lived:
/// those whose own lives, and of the others those whose stand-in is not busy with the group.
Order gates_of(const Cluster& cluster, std::span<const int> ranks, const Order& members) {
  const Nodes& nodes = cluster.inside;
  const auto gpu = [&](int member) { return ranks[static_cast<std::size_t>(member)]; };
  std::map<int, int> sharing;  // by NIC: members when all lived
  std::map<int, int> gates;    // by NIC: gates so far
  int most = 0;
  for (const int member : members) {
    most = std::max(most, ++sharing[nodes.nic_of(gpu(member))]);
  }
  Order found;
  const auto is_own = [&](int member) {
    return nodes.exit_of(gpu(member)) == nodes.nic_of(gpu(member));
  };
  for (const int member : members) {
    if (is_own(member)) {
      ++gates[nodes.nic_of(gpu(member))];
    }
  }
  for (const int member : members) {
    if (is_own(member) || gates[nodes.exit_of(gpu(member)).value_or(0)]++ < most) {
      found.push_back(member);
    }
  }
  return found;
}

/// Equally many gates for every node, those on rails that every node has first: ring by ring, so
/// that crossings stay on their rail.
std::vector<Order> match_gates(const Cluster& cluster, std::span<const int> ranks,
                               std::vector<Order> gates) {
  std::size_t rings = gates.front().size();
  for (const Order& node : gates) {
    rings = std::min(rings, node.size());
  }
  using Key = std::pair<int, int>;  // rail, and how many gates before it are on it
  std::vector<std::vector<Key>> keys;
  std::map<Key, std::size_t> nodes_with;
  for (const Order& node : gates) {
    std::map<int, int> before;
    keys.emplace_back();
    for (const int gate : node) {
      const int rail = cluster.inside.exit_of(ranks[static_cast<std::size_t>(gate)]).value_or(0);
      keys.back().emplace_back(rail, before[rail]++);
      ++nodes_with[keys.back().back()];
    }
  }
  for (std::size_t n = 0; n < gates.size(); ++n) {
    Order shared;
    Order rest;
    for (std::size_t i = 0; i < gates[n].size(); ++i) {
      (nodes_with[keys[n][i]] == gates.size() ? shared : rest).push_back(gates[n][i]);
    }
    shared.insert(shared.end(), rest.begin(), rest.end());
    shared.resize(rings);
    gates[n] = std::move(shared);
  }
  return gates;
}

/// Through all members of a node, from one to another, downwards or upwards around the others.
void append_visit(const Order& members, int enter, int leave, int step, Order& order) {
  const auto count = static_cast<int>(members.size());
  const auto at =
      static_cast<int>(std::find(members.begin(), members.end(), enter) - members.begin());
  for (int i = 0; i < count; ++i) {
    const int member = members[static_cast<std::size_t>((at + step * i + count * count) % count)];
    if (member != leave || count == 1) {
      order.push_back(member);
    }
  }
  if (count > 1) {
    order.push_back(leave);
  }
}

/// A ring for every gate of a node, each leaving the nodes through another one.
std::vector<Order> rail_rings(const Group& group) {
  const std::size_t count = group.gates.front().size();
  std::vector<Order> rings;
  for (std::size_t ring = 0; ring < count; ++ring) {
    Order order;
    for (std::size_t node = 0; node < group.nodes.size(); ++node) {
      const Order& members = group.nodes[node];
      const bool even = node % 2 == 0;  // even nodes downwards, odd nodes upwards
      int enter = group.gates[node][even ? ring : (ring + 1) % count];
      int leave = group.gates[node][even ? (ring + 1) % count : ring];
      if (enter == leave) {  // one gate: out by it from another member
        leave = *std::find_if(members.begin(), members.end(),
                              [&](int member) { return member != enter || members.size() == 1; });
      }
      append_visit(members, enter, leave, even ? -1 : 1, order);
    }
    rings.push_back(std::move(order));
  }
  return rings;
}

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

/// Rings through a whole torus: a snake for every axis that may run first, each in both directions,
/// so that all axes carry about as much.
std::vector<Order> torus_rings(const std::vector<int>& dims) {
  std::vector<Order> rings;
  std::vector<std::size_t> axes(dims.size());
  std::iota(axes.begin(), axes.end(), std::size_t{0});
  for (std::size_t turn = 0; turn < dims.size(); ++turn) {
    rings.push_back(snake(dims, axes));
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
      const int next = ring[(i + 1) % ring.size()];
      if (cluster.spec.degraded.is_dead_link(group.ranks[static_cast<std::size_t>(ring[i])],
                                             group.ranks[static_cast<std::size_t>(next)])) {
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

std::vector<Order> ring_orders(const Cluster& cluster, const Group& group) {
  if (group.node_count() > 1 && group.per_node() > 0) {
    return rail_rings(group);
  }
  const ScaleUpKind kind = cluster.spec.topology.scale_up;
  if (group.node_count() == 1 && (kind == ScaleUpKind::Mesh || kind == ScaleUpKind::Torus)) {
    std::vector<Order> rings = mesh_rings(cluster, group.ranks);
    if (!rings.empty()) {
      return rings;
    }
    if (kind == ScaleUpKind::Torus && group.size() == cluster.spec.topology.gpus_per_node) {
      return avoiding_dead_links(cluster, group, torus_rings(cluster.spec.topology.scale_up_dims));
    }
  }
  Order all(group.ranks.size());
  std::iota(all.begin(), all.end(), 0);
  return {all};
}

}  // namespace

int Group::per_node() const {
  const std::size_t count = nodes.front().size();
  const bool even = std::all_of(nodes.begin(), nodes.end(), [&](const std::vector<int>& members) {
    return members.size() == count;
  });
  return even ? static_cast<int>(count) : 0;
}

Group make_group(const Cluster& cluster, std::span<const int> ranks) {
  check(ranks.size() >= 2, "a group has two ranks or more");
  Group group;
  group.ranks.assign(ranks.begin(), ranks.end());
  group.nodes = by_node(cluster, ranks);
  group.gates = group.nodes;
  if (group.per_node() > 0 && !cluster.inside.dead_nics().empty()) {
    for (std::vector<int>& node : group.gates) {
      node = gates_of(cluster, ranks, node);
    }
    if (group.gates != group.nodes) {
      group.gates = match_gates(cluster, ranks, std::move(group.gates));
    }
  }
  group.rings = ring_orders(cluster, group);
  return group;
}

}  // namespace danlu
