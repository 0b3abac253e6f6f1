#include "sim/collective/gates.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace danlu {
namespace {

using Order = std::vector<int>;  // positions

/// How many gates a NIC should have, of NICs with so many members each: of m at most on each, all
/// carry a part of the traffic, and the fullest m of these.
int gates_of_nic(const std::map<int, int>& sharing) {
  int best = 1;
  double least = 2;  // what the fullest NIC carries
  for (const auto& [nic, most] : sharing) {
    int gates = 0;
    for (const auto& [other, members] : sharing) {
      gates += std::min(members, most);
    }
    const double carried = static_cast<double>(most) / gates;
    if (carried < least || (carried == least && most > best)) {
      least = carried;
      best = most;
    }
  }
  return best;
}

/// Members of a node whose traffic has a NIC to itself, as far as it had one when all NICs lived:
/// those whose own lives, and of the others those whose stand-in is not busy with the group.
Order gates_of_node(const Cluster& cluster, std::span<const int> ranks, const Order& members) {
  const Nodes& nodes = cluster.inside;
  const auto gpu = [&](int member) { return ranks[static_cast<std::size_t>(member)]; };
  std::map<int, int> sharing;  // by NIC: members when all lived
  for (const int member : members) {
    ++sharing[nodes.nic_of(gpu(member))];
  }
  const int most = gates_of_nic(sharing);
  std::map<int, int> gates;  // by NIC
  std::set<int> chosen;
  for (const bool own : {true, false}) {
    for (const int member : members) {
      const std::optional<int> nic = nodes.exit_of(gpu(member));
      if (own == (nic == nodes.nic_of(gpu(member))) && gates[nic.value_or(0)] < most) {
        ++gates[nic.value_or(0)];
        chosen.insert(member);
      }
    }
  }
  Order found;
  std::copy_if(members.begin(), members.end(), std::back_inserter(found),
               [&](int member) { return chosen.contains(member); });
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
  const TopologySpec& topology = cluster.spec.topology;
  const bool all_have_one =
      cluster.inside.dead_nics().empty() && topology.nics_per_node >= topology.gpus_per_node;
  if (!alike || all_have_one) {
    return nodes;
  }
  std::vector<Order> gates;
  for (const Order& members : nodes) {
    gates.push_back(gates_of_node(cluster, ranks, members));
  }
  return gates == nodes ? gates : match_gates(cluster, ranks, std::move(gates));
}

}  // namespace danlu
