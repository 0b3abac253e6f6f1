// Groups of switches and minimal routing (Kim, Dally, Scott and Abts, "Technology-Driven,
// Highly-Scalable Dragonfly Topology", ISCA 2008).
#include <algorithm>
#include <limits>

#include "sim/base/error.hpp"
#include "sim/cluster/fabrics.hpp"

namespace danlu {
namespace {

/// The cables between two groups. Every group deals its global ports out to the other groups, the
/// next group first; the cables of a pair meet in order. Cables that join the same two switches are
/// one entry with adaptive routing.
std::vector<std::pair<Dragonfly::Global, int>> deal(const TopologySpec& spec, int low, int high) {
  const int ports = spec.switches_per_group * spec.global_links_per_switch;
  const int cables = ports / (spec.groups - 1);
  check(cables > 0, "the groups of a dragonfly are joined all to all");
  std::vector<std::pair<Dragonfly::Global, int>> entries;
  for (int cable = 0; cable < cables; ++cable) {
    const int at_low = ((high - low - 1) * cables + cable) / spec.global_links_per_switch;
    const int at_high =
        ((spec.groups - 1 - high + low) * cables + cable) / spec.global_links_per_switch;
    const bool same = !entries.empty() && entries.back().first.low_switch == at_low &&
                      entries.back().first.high_switch == at_high;
    if (same && spec.routing == Routing::Adaptive) {
      ++entries.back().second;
    } else {
      entries.push_back({{.low_switch = at_low, .high_switch = at_high}, 1});
    }
  }
  return entries;
}

std::size_t pair_index(const Dragonfly& d, int low, int high) {
  return index(low) * index(d.groups) + index(high);
}

/// The link from switch to switch of one group; both count over all groups.
LinkId local_link(const Dragonfly& d, int from, int to) {
  return d.local[index(from) * index(d.switches_per_group) + index(to % d.switches_per_group)];
}

void add_local_cables(const TopologySpec& spec, const std::vector<VertexId>& switches,
                      TopologyParts& parts, Dragonfly& d) {
  const std::size_t group = index(d.switches_per_group);
  d.local.resize(switches.size() * group);
  Link link = switch_cable(spec, LinkKind::LocalCable, spec.cable_bandwidth(), 1);
  for (std::size_t first = 0; first < switches.size(); ++first) {
    for (std::size_t second = first + 1; second < (first / group + 1) * group; ++second) {
      link.from = switches[first];
      link.to = switches[second];
      const LinkId id = parts.add_cable(link);
      d.local[first * group + second % group] = id;
      d.local[second * group + first % group] = twin(id);
    }
  }
}

}  // namespace

Dragonfly add_dragonfly(const ClusterSpec& cluster, const Nodes& nodes, TopologyParts& parts) {
  const TopologySpec& spec = cluster.topology;
  Dragonfly d{.nodes_per_switch = spec.nodes_per_leaf,
              .switches_per_group = spec.switches_per_group,
              .nics = spec.nics_per_node,
              .adaptive = spec.routing == Routing::Adaptive,
              .groups = spec.groups};
  const int total = d.groups * d.switches_per_group;
  check_links(static_cast<double>(total) * d.switches_per_group);  // within groups
  check_links(static_cast<double>(d.groups) * d.groups);           // between them
  check(nodes.count() <= total * d.nodes_per_switch, "the dragonfly holds the nodes");
  std::vector<VertexId> switches;
  for (int number = 0; number < total; ++number) {
    switches.push_back(parts.add_vertex({.kind = VertexKind::Switch, .number = number}));
  }
  for (int node = 0; node < nodes.count(); ++node) {
    for (int nic = 0; nic < d.nics; ++nic) {
      Link link = nic_cable(cluster, nodes, {node, nic}, spec.ports_per_nic);
      link.to = switches[index(node / d.nodes_per_switch)];
      d.nic_up.push_back(parts.add_cable(link));
    }
  }
  add_local_cables(spec, switches, parts, d);
  d.globals.resize(index(d.groups) * index(d.groups));
  for (int low = 0; low < d.groups; ++low) {
    for (int high = low + 1; high < d.groups; ++high) {
      for (auto& [global, cables] : deal(spec, low, high)) {
        Link link =
            switch_cable(spec, LinkKind::GlobalCable, spec.cable_bandwidth() * cables, cables);
        const auto vertex = [&](int group, int number) {
          return switches[index(group * d.switches_per_group + number)];
        };
        link.from = vertex(low, global.low_switch);
        link.to = vertex(high, global.high_switch);
        global.up = parts.add_cable(link);
        d.globals[pair_index(d, low, high)].push_back(global);
      }
    }
  }
  return d;
}

void append_route(const Dragonfly& d, NicAt from, NicAt to, std::uint64_t hash, Route& route) {
  const auto nic_up = [&](NicAt at) { return d.nic_up[index(at.node * d.nics + at.nic)]; };
  int here = from.node / d.nodes_per_switch;
  const int goal = to.node / d.nodes_per_switch;
  const int from_group = here / d.switches_per_group;
  const int to_group = goal / d.switches_per_group;
  route.push_back(nic_up(from));
  if (from_group != to_group) {
    const bool up = from_group < to_group;
    const std::vector<Dragonfly::Global>& globals =
        d.globals[pair_index(d, std::min(from_group, to_group), std::max(from_group, to_group))];
    const auto leaves = [&](const Dragonfly::Global& g) {
      return from_group * d.switches_per_group + (up ? g.low_switch : g.high_switch);
    };
    const auto arrives = [&](const Dragonfly::Global& g) {
      return to_group * d.switches_per_group + (up ? g.high_switch : g.low_switch);
    };
    const auto local_steps = [&](const Dragonfly::Global& g) {
      return (leaves(g) != here ? 1 : 0) + (arrives(g) != goal ? 1 : 0);
    };
    int fewest = std::numeric_limits<int>::max();
    int ways = 0;
    for (const Dragonfly::Global& g : globals) {
      const int steps = local_steps(g);
      ways = steps < fewest ? 1 : ways + (steps == fewest ? 1 : 0);
      fewest = std::min(fewest, steps);
    }
    // Equal ways between other switches cannot be one bundle: they are taken in turn.
    int skip = d.adaptive ? (here + goal) % ways : choose(hash, ways);
    const auto chosen = std::find_if(globals.begin(), globals.end(), [&](const auto& g) {
      return local_steps(g) == fewest && skip-- == 0;
    });
    if (leaves(*chosen) != here) {
      route.push_back(local_link(d, here, leaves(*chosen)));
    }
    route.push_back(up ? chosen->up : twin(chosen->up));
    here = arrives(*chosen);
  }
  if (here != goal) {
    route.push_back(local_link(d, here, goal));
  }
  route.push_back(twin(nic_up(to)));
}

}  // namespace danlu
