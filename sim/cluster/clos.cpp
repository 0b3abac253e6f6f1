// Two- and three-level trees: one switch, fat tree, rail-optimised, rail-only, several ports.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/base/error.hpp"
#include "sim/cluster/fabrics.hpp"
#include "sim/cluster/port_note.hpp"

namespace danlu {
namespace {

int round_up(double x) {
  return std::max(1, static_cast<int>(std::ceil(x - 1e-9)));
}

int nics_per_leaf(const TopologySpec& spec, int nodes) {
  return nodes * (spec.has_rails() ? 1 : spec.nics_per_node);
}

/// How many cables and switches the levels above the leaves have. Upper switches have `radix` ports
/// of an uplink's speed, and a leaf meets no spine twice as long as there are others.
struct ClosSizes {
  int leaf_cables = 1;
  int spines = 1;  // of a pod and plane
  int spine_cables = 1;
  int cores = 1;  // of a plane
  BytesPerSecond leaf_up;
  BytesPerSecond spine_up;
  int spine_ports = 0;  // of the fullest spine, down and up
  int core_ports = 0;
};

/// With `leaves` of a pod and plane, `pod_leaves` where the pod is full.
ClosSizes clos_sizes(const TopologySpec& spec, int nics_of_leaf, int leaves, int pod_leaves,
                     int pods) {
  ClosSizes s;
  const BytesPerSecond down = spec.port_bandwidth() * nics_of_leaf;
  s.leaf_up = down / spec.oversubscription;
  const auto cables = [&](BytesPerSecond bandwidth) {
    return std::max(1, static_cast<int>(std::lround(bandwidth / spec.cable_bandwidth())));
  };
  s.leaf_cables = cables(s.leaf_up);
  const double radix = upper_ports(spec);
  const bool has_pods = spec.nodes_per_pod > 0;
  const double down_ports =
      has_pods ? radix * spec.pod_oversubscription / (1 + spec.pod_oversubscription) : radix;
  s.spines = std::min(s.leaf_cables, round_up(leaves * s.leaf_cables / down_ports));
  s.spine_up = s.leaf_up * pod_leaves / spec.pod_oversubscription / s.spines;
  s.spine_cables = cables(s.spine_up);
  s.cores = std::min(s.spines * s.spine_cables, round_up(pods * s.spines * s.spine_cables / radix));
  s.spine_ports =
      leaves * round_up(1.0 * s.leaf_cables / s.spines) + (pods > 1 ? s.spine_cables : 0);
  s.core_ports = pods * round_up(1.0 * s.spines * s.spine_cables / s.cores);
  return s;
}

int leaves_per_group_and_plane(const Clos& c) {
  return c.rails * c.ports / c.planes;
}

/// What a tree of so many nodes is made of, before it has links.
struct ClosPlan {
  Clos clos;
  int bundle = 1;  // ports of a NIC in one link
  int groups = 1;  // of nodes below the same leaves
  int pods = 1;
  ClosSizes size;
};

ClosPlan clos_plan(const TopologySpec& spec, int nodes) {
  ClosPlan plan;
  Clos& c = plan.clos;
  const bool adaptive = spec.routing == Routing::Adaptive;
  c.nics = spec.nics_per_node;
  c.ports = adaptive ? 1 : spec.ports_per_nic;
  plan.bundle = adaptive ? spec.ports_per_nic : 1;
  c.rails = spec.has_rails() ? c.nics : 1;
  c.rail_planes = spec.fabric == FabricKind::RailOnly;
  c.planes = (c.rail_planes ? c.nics : 1) * c.ports;
  c.nodes_per_group = spec.fabric == FabricKind::Switch ? nodes : spec.nodes_per_leaf;
  plan.groups = (nodes + c.nodes_per_group - 1) / c.nodes_per_group;
  c.groups_per_pod = spec.nodes_per_pod > 0 ? std::max(1, spec.nodes_per_pod / c.nodes_per_group)
                                            : std::max(1, plan.groups);
  plan.pods = (plan.groups + c.groups_per_pod - 1) / c.groups_per_pod;
  const int leaves = leaves_per_group_and_plane(c);
  plan.size = clos_sizes(spec, nics_per_leaf(spec, c.nodes_per_group),
                         std::min(plan.groups, c.groups_per_pod) * leaves,
                         c.groups_per_pod * leaves, plan.pods);
  return plan;
}

class ClosBuilder {
 public:
  ClosBuilder(const ClusterSpec& cluster, const Nodes& nodes, TopologyParts& parts)
      : cluster_(cluster),
        spec_(cluster.topology),
        nodes_(nodes),
        parts_(parts),
        adaptive_(cluster.topology.routing == Routing::Adaptive) {}

  Clos build() {
    ClosPlan plan = clos_plan(spec_, nodes_.count());
    c_ = std::move(plan.clos);
    bundle_ = plan.bundle;
    pods_ = plan.pods;
    size_ = plan.size;
    add_leaves(plan.groups);
    if (plan.groups * leaves_per_group_and_plane(c_) > 1) {
      add_spines();
    }
    if (pods_ > 1) {
      add_cores();
    }
    return std::move(c_);
  }

 private:
  int plane_of(int leaf) const {
    return c_.rail_planes ? leaf % (c_.rails * c_.ports) : leaf % c_.ports;
  }
  int pod_of(int leaf) const { return leaf / (c_.rails * c_.ports) / c_.groups_per_pod; }

  void add_leaves(int groups) {
    for (int leaf = 0; leaf < groups * c_.rails * c_.ports; ++leaf) {
      leaves_.push_back(
          parts_.add_vertex({.kind = VertexKind::Leaf, .number = leaf, .count = bundle_}));
    }
    for (int node = 0; node < nodes_.count(); ++node) {
      for (int nic = 0; nic < c_.nics; ++nic) {
        for (int port = 0; port < c_.ports; ++port) {
          const int rail = c_.rails > 1 ? nic : 0;
          const int leaf = (node / c_.nodes_per_group * c_.rails + rail) * c_.ports + port;
          Link link = nic_cable(cluster_, nodes_, {node, nic}, bundle_);
          link.to = leaves_[index(leaf)];
          c_.nic_up.push_back(parts_.add_cable(link));
        }
      }
    }
  }

  void add_spines() {
    c_.leaf_cables = adaptive_ ? 1 : size_.leaf_cables;
    c_.spines = adaptive_ ? 1 : size_.spines;
    const int cables = adaptive_ ? size_.leaf_cables * bundle_ : 1;
    const int total = pods_ * c_.planes * c_.spines;
    for (int spine = 0; spine < total; ++spine) {
      spine_vertices_.push_back(
          parts_.add_vertex({.kind = VertexKind::Spine,
                             .number = total == 1 ? -1 : spine,
                             .count = adaptive_ ? size_.spines * bundle_ : 1}));
    }
    Link link =
        switch_cable(spec_, LinkKind::Uplink, size_.leaf_up * bundle_ / c_.leaf_cables, cables);
    for (std::size_t leaf = 0; leaf < leaves_.size(); ++leaf) {
      c_.leaf_up.push_back(make_id<LinkId>(parts_.links.size()));
      const int set = pod_of(static_cast<int>(leaf)) * c_.planes + plane_of(static_cast<int>(leaf));
      for (int cable = 0; cable < c_.leaf_cables; ++cable) {
        link.from = leaves_[leaf];
        link.to = spine_vertices_[index(set * c_.spines + cable % c_.spines)];
        parts_.add_cable(link);
      }
    }
  }

  void add_cores() {
    c_.spine_cables = adaptive_ ? 1 : size_.spine_cables;
    c_.cores = adaptive_ ? 1 : size_.cores;
    const int cables = adaptive_ ? size_.spines * size_.spine_cables * bundle_ : 1;
    const int total = c_.planes * c_.cores;
    std::vector<VertexId> cores;
    for (int core = 0; core < total; ++core) {
      cores.push_back(parts_.add_vertex({.kind = VertexKind::Core,
                                         .number = total == 1 ? -1 : core,
                                         .count = adaptive_ ? size_.cores * bundle_ : 1}));
    }
    const double share =
        adaptive_ ? static_cast<double>(size_.spines) * bundle_ : 1.0 / c_.spine_cables;
    Link link = switch_cable(spec_, LinkKind::CoreUplink, size_.spine_up * share, cables);
    for (std::size_t i = 0; i < spine_vertices_.size(); ++i) {
      c_.spine_up.push_back(make_id<LinkId>(parts_.links.size()));
      const int spine = static_cast<int>(i) % c_.spines;
      const int plane = static_cast<int>(i) / c_.spines % c_.planes;
      for (int cable = 0; cable < c_.spine_cables; ++cable) {
        const int core = (spine * c_.spine_cables + cable) % c_.cores;
        link.from = spine_vertices_[i];
        link.to = cores[index(plane * c_.cores + core)];
        parts_.add_cable(link);
      }
    }
  }

  const ClusterSpec& cluster_;
  const TopologySpec& spec_;
  const Nodes& nodes_;
  TopologyParts& parts_;
  bool adaptive_;
  int bundle_ = 1;  // ports of a NIC in one link
  int pods_ = 1;
  Clos c_;
  ClosSizes size_;
  std::vector<VertexId> leaves_;
  std::vector<VertexId> spine_vertices_;
};

LinkId cable(LinkId first, int number) {
  return make_id<LinkId>(index(first) + 2 * index(number));
}

/// How many of `total` cables, dealt out in turn, one of `ways` gets.
int share_of(int total, int ways, int which) {
  return (total - which + ways - 1) / ways;
}

int leaf_of(const Clos& c, NicAt at, int port) {
  return (at.node / c.nodes_per_group * c.rails + (c.rails > 1 ? at.nic : 0)) * c.ports + port;
}
int pod_of(const Clos& c, NicAt at) {
  return at.node / c.nodes_per_group / c.groups_per_pod;
}

/// The spine to which a cable of a core leads, of the cables of a pod that do: the `way`-th.
int cable_down(const Clos& c, int core, int way) {
  return core + way * c.cores;
}

/// A way from leaf to leaf: cables by number, and the spine where it turns down.
struct Climb {
  int up = 0;         // of the first leaf
  int second = 0;     // of its spine, to a core; only between pods
  int core_down = 0;  // of the other pod's spines, from that core
  int down = 0;       // of the last leaf
};

/// Every way between two leaves whose cables all live, in order.
std::vector<Climb> live_climbs(const Clos& c, int from_leaf, int to_leaf, bool same_pod) {
  std::vector<Climb> climbs;
  const auto add_down = [&](Climb climb, int spine) {
    const int ways = share_of(c.leaf_cables, c.spines, spine);
    for (int way = 0; way < ways; ++way) {
      climb.down = spine + way * c.spines;
      if (c.is_live_cable(to_leaf, climb.down)) {
        climbs.push_back(climb);
      }
    }
  };
  for (int up = 0; up < c.leaf_cables; ++up) {
    if (!c.is_live_cable(from_leaf, up)) {
      continue;
    }
    const int spine = up % c.spines;
    if (same_pod) {
      add_down({up, 0, 0, 0}, spine);
      continue;
    }
    for (int second = 0; second < c.spine_cables; ++second) {
      const int core = (spine * c.spine_cables + second) % c.cores;
      const int ways = share_of(c.spines * c.spine_cables, c.cores, core);
      for (int way = 0; way < ways; ++way) {
        const int core_down = cable_down(c, core, way);
        add_down({up, second, core_down, 0}, core_down / c.spine_cables);
      }
    }
  }
  return climbs;
}

/// One of all ways by hash, level after level.
Climb choose_climb(const Clos& c, bool same_pod, std::uint64_t& hash) {
  Climb climb{.up = choose(hash, c.leaf_cables)};
  int spine = climb.up % c.spines;
  if (!same_pod) {
    climb.second = choose(hash, c.spine_cables);
    // Down from this core: every cable of the other pod that leads to it.
    const int core = (spine * c.spine_cables + climb.second) % c.cores;
    const int ways = share_of(c.spines * c.spine_cables, c.cores, core);
    climb.core_down = cable_down(c, core, choose(hash, ways));
    spine = climb.core_down / c.spine_cables;
  }
  const int ways = share_of(c.leaf_cables, c.spines, spine);
  climb.down = spine + choose(hash, ways) * c.spines;
  return climb;
}

bool is_whole(const Clos& c, int leaf) {
  const auto first = c.dead_cable.begin() + static_cast<std::ptrdiff_t>(leaf) * c.leaf_cables;
  return c.dead_cable.empty() ||
         std::find(first, first + c.leaf_cables, true) == first + c.leaf_cables;
}

/// Live cables are chosen as before where both leaves have all of theirs, else among those left.
Climb climb_between(const Clos& c, int from_leaf, int to_leaf, bool same_pod, std::uint64_t& hash) {
  if (is_whole(c, from_leaf) && is_whole(c, to_leaf)) {
    return choose_climb(c, same_pod, hash);
  }
  const std::vector<Climb> climbs = live_climbs(c, from_leaf, to_leaf, same_pod);
  check(!climbs.empty(), "a way between two leaves is left");
  return climbs[index(choose(hash, static_cast<int>(climbs.size())))];
}

int choose_port(const Clos& c, NicAt from, NicAt to, std::uint64_t& hash) {
  if (c.dead_port.empty()) {
    return choose(hash, c.ports);
  }
  const std::vector<int> ports = common_ports(c, from, to);
  check(!ports.empty(), "two NICs have a live port in common");
  return ports[index(choose(hash, static_cast<int>(ports.size())))];
}

}  // namespace

double upper_ports(const TopologySpec& spec) {
  if (spec.switch_ports > 0) {
    return spec.switch_ports;
  }
  const BytesPerSecond down = spec.port_bandwidth() * nics_per_leaf(spec, spec.nodes_per_leaf);
  const double cables = std::round(down / spec.oversubscription / spec.cable_bandwidth());
  return down / spec.cable_bandwidth() + std::max(1.0, cables);
}

LeafLayout leaf_layout(const TopologySpec& spec, int nodes) {
  if (spec.fabric == FabricKind::Torus || spec.fabric == FabricKind::Dragonfly) {
    return {1, spec.nodes_per_leaf, (nodes + spec.nodes_per_leaf - 1) / spec.nodes_per_leaf};
  }
  const ClosPlan plan = clos_plan(spec, nodes);
  const int leaves = plan.clos.rails * plan.clos.ports * plan.bundle;
  return {std::max(1, leaves), plan.clos.nodes_per_group, plan.groups};  // without NICs none
}

std::string port_note(const TopologySpec& spec, int nodes) {
  const bool is_tree = spec.fabric == FabricKind::FatTree || spec.fabric == FabricKind::RailOnly ||
                       spec.fabric == FabricKind::RailOptimised;
  if (spec.switch_ports == 0 || !is_tree || spec.nics_per_node == 0) {
    return "";
  }
  const ClosPlan plan = clos_plan(spec, nodes);
  const bool has_spines = plan.groups * leaves_per_group_and_plane(plan.clos) > 1;
  const int spine = has_spines ? plan.size.spine_ports : 0;
  const int core = plan.pods > 1 ? plan.size.core_ports : 0;
  const int most = std::max(spine, core);
  if (most <= spec.switch_ports) {
    return "";
  }
  return fmt::format(
      "'fabric.switch_ports' is {}, and {}s of {} are taken: the fabric needs them for {} nodes, "
      "since a leaf meets no more spines than it has cables up; smaller switches need another "
      "level "
      "(fabric.nodes_per_pod)",
      spec.switch_ports, core > spine ? "core" : "spine", fmt::format("{} ports", most), nodes);
}

IdleLevel idle_level(const ClusterSpec& cluster) {
  const TopologySpec& spec = cluster.topology;
  const DegradedSpec& damage = cluster.degraded;
  const int nodes = cluster.nodes();
  const bool is_tree = spec.fabric == FabricKind::FatTree || spec.fabric == FabricKind::RailOnly ||
                       spec.fabric == FabricKind::RailOptimised;
  const bool is_whole = damage.nics.empty() && damage.scale_up.empty() && damage.links.empty() &&
                        cluster.gpus % spec.gpus_per_node == 0;
  // Between rails every node leads to the destination's.
  const bool stays_on_rails =
      spec.fabric != FabricKind::RailOptimised || spec.nics_per_node == 1 ||
      (spec.pxn && is_whole &&
       (spec.scale_up == ScaleUpKind::Switch || spec.scale_up == ScaleUpKind::None));
  if (nodes < 2) {
    return {};
  }
  if (is_tree && nodes <= spec.nodes_per_leaf && stays_on_rails) {
    IdleLevel level{
        {"oversubscription", "uplink_bandwidth", "nodes_per_pod", "pod_oversubscription",
         "switch_ports", "hop_latency"},
        fmt::format("the {} nodes lie below one {} ('fabric.nodes_per_leaf' is {})", nodes,
                    spec.fabric == FabricKind::FatTree ? "leaf" : "set of leaves",
                    spec.nodes_per_leaf)};
    if (spec.ports_per_nic == 1) {  // else a hash picks the port, and so the leaf
      level.keys.insert(level.keys.end(), {"routing", "ecmp_seed", "connections"});
    }
    return level;
  }
  if (is_tree && nodes <= spec.nodes_per_pod && spec.routing == Routing::Adaptive) {
    return {{"pod_oversubscription"},
            fmt::format("the {} nodes lie in one pod ('fabric.nodes_per_pod' is {})", nodes,
                        spec.nodes_per_pod)};
  }
  if (spec.fabric == FabricKind::Switch && spec.ports_per_nic == 1) {
    return {{"routing", "ecmp_seed", "connections"}, "one switch joins all nodes"};
  }
  return {};
}

Clos add_clos(const ClusterSpec& spec, const Nodes& nodes, TopologyParts& parts) {
  return ClosBuilder(spec, nodes, parts).build();
}

std::vector<int> common_ports(const Clos& c, NicAt from, NicAt to) {
  std::vector<int> ports;
  for (int port = 0; port < c.ports; ++port) {
    if (c.is_live_port(from, port) && c.is_live_port(to, port)) {
      ports.push_back(port);
    }
  }
  return ports;
}

bool has_way(const Clos& c, NicAt from, NicAt to) {
  const std::vector<int> ports = common_ports(c, from, to);
  return !ports.empty() && std::all_of(ports.begin(), ports.end(), [&](int port) {
    const int from_leaf = leaf_of(c, from, port);
    const int to_leaf = leaf_of(c, to, port);
    return from_leaf == to_leaf || (is_whole(c, from_leaf) && is_whole(c, to_leaf)) ||
           !live_climbs(c, from_leaf, to_leaf, pod_of(c, from) == pod_of(c, to)).empty();
  });
}

void append_route(const Clos& c, NicAt from, NicAt to, std::uint64_t hash, Route& route) {
  const int port = choose_port(c, from, to, hash);
  const int from_leaf = leaf_of(c, from, port);
  const int to_leaf = leaf_of(c, to, port);
  const auto nic_up = [&](NicAt at) {
    return c.nic_up[index((at.node * c.nics + at.nic) * c.ports + port)];
  };
  route.push_back(nic_up(from));
  if (from_leaf != to_leaf) {
    const int from_pod = pod_of(c, from);
    const int to_pod = pod_of(c, to);
    const Climb climb = climb_between(c, from_leaf, to_leaf, from_pod == to_pod, hash);
    route.push_back(cable(c.leaf_up[index(from_leaf)], climb.up));
    if (from_pod != to_pod) {
      const int plane = (c.rail_planes ? from.nic : 0) * c.ports + port;
      const auto spine_up = [&](int pod, int spine) {
        return c.spine_up[index((pod * c.planes + plane) * c.spines + spine)];
      };
      route.push_back(cable(spine_up(from_pod, climb.up % c.spines), climb.second));
      route.push_back(twin(cable(spine_up(to_pod, climb.core_down / c.spine_cables),
                                 climb.core_down % c.spine_cables)));
    }
    route.push_back(twin(cable(c.leaf_up[index(to_leaf)], climb.down)));
  }
  route.push_back(twin(nic_up(to)));
}

}  // namespace danlu
