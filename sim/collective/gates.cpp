#include "sim/collective/gates.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace danlu {
namespace {

using Order = std::vector<int>;  // positions

/// Members of a node whose traffic has a NIC to itself, as far as it had one when all NICs lived:
/// those whose own lives, and of the others those whose stand-in is not busy with the group.
Order gates_of_node(const Cluster& cluster, std::span<const int> ranks, const Order& members) {
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

}  // namespace

std::vector<std::vector<int>> gates_of(const Cluster& cluster, std::span<const int> ranks,
                                       const std::vector<std::vector<int>>& nodes) {
  const bool alike = std::all_of(nodes.begin(), nodes.end(), [&](const Order& members) {
    return members.size() == nodes.front().size();
  });
  if (!alike || cluster.inside.dead_nics().empty()) {
    return nodes;
  }
  std::vector<Order> gates;
  for (const Order& members : nodes) {
    gates.push_back(gates_of_node(cluster, ranks, members));
  }
  return gates == nodes ? gates : match_gates(cluster, ranks, std::move(gates));
}

}  // namespace danlu
