#include "sim/cluster/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

Fabric add_fabric(const ClusterSpec& spec, const Nodes& nodes, TopologyParts& parts) {
  switch (spec.topology.fabric) {
    case FabricKind::RailOptimised:
    case FabricKind::FatTree:
    case FabricKind::Switch:
    case FabricKind::RailOnly:
      return add_clos(spec, nodes, parts);
    case FabricKind::Torus:
      return add_torus(spec, nodes, parts);
    case FabricKind::Dragonfly:
      return add_dragonfly(spec, nodes, parts);
  }
  return {};
}

/// The NICs by which traffic leaves the one node and enters the other.
struct Gates {
  int exit = 0;
  int entry = 0;
};

/// Where NICs are dead: one rail all the way if the GPUs have one in common, the receiver's first,
/// as PXN has it; else each its own or its stand-in.
Gates gates_around_dead_nics(const Cluster& cluster, int from, int to) {
  const TopologySpec& spec = cluster.spec.topology;
  const Nodes& nodes = cluster.inside;
  const int own = nodes.nic_of(from);
  const int goal = nodes.nic_of(to);
  const std::optional<int> exit = nodes.exit_of(from);
  const std::optional<int> entry = nodes.exit_of(to);
  check(exit && entry, "a node with traffic has a live NIC");
  const auto joins = [&](int rail) { return nodes.reaches(from, rail) && nodes.reaches(to, rail); };
  if (spec.has_rails() && spec.pxn) {
    std::vector<int> rails{goal, own, *entry, *exit};
    for (int rail = 0; spec.fabric == FabricKind::RailOnly && rail < spec.nics_per_node; ++rail) {
      rails.push_back(rail);
    }
    const auto found = std::find_if(rails.begin(), rails.end(), joins);
    check(found != rails.end() || spec.fabric != FabricKind::RailOnly,
          "two nodes have a live rail in common");
    return found == rails.end() ? Gates{*exit, *entry} : Gates{*found, *found};
  }
  if (spec.has_rails() && *exit != own && nodes.reaches(from, goal)) {
    return {goal, *entry};
  }
  if (spec.has_rails() && *entry != goal && nodes.reaches(to, own)) {
    return {*exit, own};
  }
  return {*exit, *entry};
}

/// Each GPU's own NIC; with PXN the sender's on the receiver's rail, if the node leads there.
Gates gates(const Cluster& cluster, int from, int to) {
  const TopologySpec& spec = cluster.spec.topology;
  const Nodes& nodes = cluster.inside;
  const int own = nodes.nic_of(from);
  const int goal = nodes.nic_of(to);
  const bool whole = nodes.is_live(nodes.node_of(from), own) &&
                     nodes.is_live(nodes.node_of(from), goal) &&
                     nodes.is_live(nodes.node_of(to), goal);
  if (!whole) {
    return gates_around_dead_nics(cluster, from, to);
  }
  const bool there = own == goal || (spec.has_rails() && spec.pxn && nodes.reaches(from, goal));
  check(there || spec.fabric != FabricKind::RailOnly,
        "the node has a GPU on the destination's rail");
  return {there ? goal : own, goal};
}

}  // namespace

std::string cluster_problem(const ClusterSpec& spec) {
  const TopologySpec& t = spec.topology;
  const int nodes = spec.nodes();
  if (nodes > 1 && t.nics_per_node == 0) {
    return fmt::format(
        "{} GPUs are {} nodes, and nothing is said of their NICs: give node.nics.count and "
        "node.nics.bandwidth",
        spec.gpus, nodes);
  }
  if (t.scale_up == ScaleUpKind::Torus && spec.gpus % t.gpus_per_node != 0) {
    return fmt::format("gpus ({}) must be whole torus nodes of {}", spec.gpus, t.gpus_per_node);
  }
  if (t.fabric == FabricKind::RailOnly && nodes > 1 && spec.gpus % t.gpus_per_node != 0) {
    return fmt::format(
        "gpus ({}) must be whole nodes of {}: rail-only traffic leaves by the GPU on "
        "the destination's rail",
        spec.gpus, t.gpus_per_node);
  }
  int places = nodes;
  if (t.fabric == FabricKind::Torus) {
    places =
        t.nodes_per_leaf * std::accumulate(t.dims.begin(), t.dims.end(), 1, std::multiplies<>());
  } else if (t.fabric == FabricKind::Dragonfly) {
    places = t.nodes_per_leaf * t.groups * t.switches_per_group;
  }
  if (nodes > places) {
    return fmt::format("{} GPUs are {} nodes, the fabric has places for {}", spec.gpus, nodes,
                       places);
  }
  return "";
}

Link nic_cable(const ClusterSpec& cluster, const Nodes& nodes, NicAt at, int ports) {
  const TopologySpec& spec = cluster.topology_of(cluster.kind_of(at.node));
  const BytesPerSecond nominal = spec.port_bandwidth() * ports;
  const BytesPerSecond achieved = nominal * spec.nic_efficiency;
  const BytesPerSecond slot = spec.nic_slot * (static_cast<double>(ports) / spec.ports_per_nic);
  // PCIe switches on the way have had their part of the step's latency.
  const Seconds inside = nodes.has_pcie_switches() ? spec.scale_up_latency : Seconds{};
  return {.from = nodes.nic(at.node, at.nic),
          .kind = LinkKind::NicCable,
          .count = ports,
          .bandwidth = slot > BytesPerSecond{} ? std::min(achieved, slot) : achieved,
          .nominal = nominal,
          .latency = std::max(Seconds{}, spec.fabric_latency - inside) / 2};
}

Link switch_cable(const TopologySpec& spec, LinkKind kind, BytesPerSecond nominal, int count) {
  return {.kind = kind,
          .count = count,
          .bandwidth = nominal * spec.nic_efficiency,
          .nominal = nominal,
          .latency = spec.hop_latency};
}

Route route(const Cluster& cluster, int from, int to, int flow) {
  check(from != to, "a GPU does not send to itself");
  constexpr std::size_t kUsual = 10;  // links: three levels with PXN
  Route route;
  route.reserve(kUsual);
  const Nodes& nodes = cluster.inside;
  if (nodes.node_of(from) == nodes.node_of(to)) {
    check(nodes.append_route(from, to, route), "the GPUs of a node reach each other in it");
    return route;
  }
  const Gates by = gates(cluster, from, to);
  nodes.append_exit(from, by.exit, route);
  const std::uint64_t pair =
      (static_cast<std::uint64_t>(from) << 32U) + static_cast<std::uint64_t>(to);
  const std::uint64_t hash =
      scramble(scramble(static_cast<std::uint64_t>(flow) + cluster.spec.topology.ecmp_seed) ^ pair);
  const NicAt source{nodes.node_of(from), by.exit};
  const NicAt destination{nodes.node_of(to), by.entry};
  std::visit(
      [&](const auto& fabric) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(fabric)>, std::monostate>) {
          append_route(fabric, source, destination, hash, route);
        } else {
          check(false, "a single node has no fabric");
        }
      },
      cluster.fabric);
  nodes.append_entry(by.entry, to, route);
  return route;
}

Cluster build_cluster(const ClusterSpec& spec) {
  TopologyParts parts;
  Nodes nodes(spec, parts);
  Fabric fabric;
  if (nodes.count() > 1) {
    fabric = add_fabric(spec, nodes, parts);
  }
  TopologySpec mixed = spec.topology;
  for (const NodeKind& kind : spec.others) {
    mixed = worse_of(mixed, kind.topology);
  }
  Cluster cluster{spec, Topology(std::move(parts)), std::move(nodes), std::move(fabric),
                  std::move(mixed)};
  degrade(cluster);
  return cluster;
}

std::vector<Flap> Cluster::flaps_of(LinkId link) const {
  std::vector<Flap> found;
  if (const auto at = flaps.find(link); at != flaps.end()) {
    for (const int flap : at->second) {
      found.push_back(spec.degraded.flaps[static_cast<std::size_t>(flap)]);
    }
  }
  return found;
}

int Cluster::kind_of(std::span<const int> gpus) const {
  if (spec.others.empty()) {
    return 0;
  }
  const int kind = spec.kind_of(node_of(gpus.front()));
  const bool alike = std::all_of(gpus.begin(), gpus.end(),
                                 [&](int gpu) { return spec.kind_of(node_of(gpu)) == kind; });
  return alike ? kind : -1;
}

std::vector<ClusterSpec::KindShare> ClusterSpec::gpus_by_kind() const {
  std::map<int, int> counts;
  for (int node = 0; node < nodes(); ++node) {
    counts[kind_of(node)] += std::min(topology.gpus_per_node, gpus - node * topology.gpus_per_node);
  }
  std::vector<KindShare> shares;
  for (int kind = 0; kind < kinds(); ++kind) {
    shares.push_back({topology_of(kind), gpu_of(kind), counts[kind]});
  }
  return shares;
}

std::string structure_problem(const TopologySpec& own, const TopologySpec& other) {
  constexpr IdArray<ScaleUpKind, std::string_view, 4> kKinds{"NVSwitches", "a mesh", "PCIe only",
                                                             "a torus"};
  const auto differ = [&](std::string_view what, auto mine, auto theirs) {
    return fmt::format("a node of {} has {} {}, one of {} has {}", own.name, mine, what, other.name,
                       theirs);
  };
  if (own.gpus_per_node != other.gpus_per_node) {
    return differ("GPUs", own.gpus_per_node, other.gpus_per_node);
  }
  if (own.cards_per_node() != other.cards_per_node()) {
    return differ("NICs", own.cards_per_node(), other.cards_per_node());
  }
  if (own.ports_per_nic != other.ports_per_nic) {
    return differ("ports at each NIC", own.ports_per_nic, other.ports_per_nic);
  }
  if (own.scale_up != other.scale_up) {
    return differ("between its GPUs", kKinds[own.scale_up], kKinds[other.scale_up]);
  }
  if (own.scale_up == ScaleUpKind::None && own.pcie_switches != other.pcie_switches) {
    return differ("PCIe switches", own.pcie_switches, other.pcie_switches);
  }
  if (own.pcie_gpus != other.pcie_gpus || own.pcie_nics != other.pcie_nics) {
    return fmt::format("the GPUs and NICs of {} are spread over PCIe switches unlike those of {}",
                       own.name, other.name);
  }
  if (own.scale_up_dims != other.scale_up_dims || own.scale_up_wrap != other.scale_up_wrap ||
      own.mesh_links != other.mesh_links) {
    return fmt::format("the GPUs of {} are linked in other pairs than those of {}", own.name,
                       other.name);
  }
  return "";
}

TopologySpec worse_of(const TopologySpec& a, const TopologySpec& b) {
  const auto less = [](auto x, auto y) { return std::min(x, y); };
  const auto more = [](auto x, auto y) { return std::max(x, y); };
  TopologySpec worse = a;
  worse.scale_up_bandwidth = less(a.scale_up_bandwidth, b.scale_up_bandwidth);
  worse.scale_up_efficiency = less(a.scale_up_efficiency, b.scale_up_efficiency);
  worse.scale_up_latency = more(a.scale_up_latency, b.scale_up_latency);
  worse.scale_up_reduction_efficiency =
      less(a.scale_up_reduction_efficiency, b.scale_up_reduction_efficiency);
  const auto cap = [](const TopologySpec& spec) {
    return spec.scale_up_reduction_cap_share > 0
               ? spec.scale_up_bandwidth * spec.scale_up_reduction_cap_share
               : BytesPerSecond{std::numeric_limits<double>::infinity()};
  };
  const double share = less(cap(a), cap(b)) / worse.scale_up_bandwidth;
  worse.scale_up_reduction_cap_share = std::isfinite(share) ? share : 0;
  worse.pcie_bandwidth = less(a.pcie_bandwidth, b.pcie_bandwidth);
  const auto slower = [](BytesPerSecond x, BytesPerSecond y) {
    return x > BytesPerSecond{} && y > BytesPerSecond{} ? std::min(x, y) : std::max(x, y);
  };
  worse.pcie_uplink = slower(a.pcie_uplink, b.pcie_uplink);
  worse.pcie_efficiency = less(a.pcie_efficiency, b.pcie_efficiency);
  worse.nic_slot = slower(a.nic_slot, b.nic_slot);
  worse.nic_bandwidth = less(a.nic_bandwidth, b.nic_bandwidth);
  worse.nic_efficiency = less(a.nic_efficiency, b.nic_efficiency);
  worse.fabric_latency = more(a.fabric_latency, b.fabric_latency);
  worse.fabric_small_share = more(a.fabric_small_share, b.fabric_small_share);
  worse.fabric_line_latency = more(a.fabric_line_latency, b.fabric_line_latency);
  worse.fabric_ll128 = a.fabric_ll128 && b.fabric_ll128;
  worse.fabric_message_rate = a.fabric_message_rate > 0 && b.fabric_message_rate > 0
                                  ? less(a.fabric_message_rate, b.fabric_message_rate)
                                  : more(a.fabric_message_rate, b.fabric_message_rate);
  worse.cpu_slowdown = more(a.cpu_slowdown, b.cpu_slowdown);
  worse.nccl_tuning = a.nccl_tuning || b.nccl_tuning;
  worse.plugin_tuner = a.plugin_tuner || b.plugin_tuner;
  worse.collective_launch = more(a.collective_launch, b.collective_launch);
  worse.pipeline_fill = more(a.pipeline_fill, b.pipeline_fill);
  worse.reduction_fill = more(a.reduction_fill, b.reduction_fill);
  worse.network_fill = more(a.network_fill, b.network_fill);
  worse.network_passes = more(a.network_passes, b.network_passes);
  worse.head_share = a.head_share > 0 && b.head_share > 0 ? less(a.head_share, b.head_share)
                                                          : more(a.head_share, b.head_share);
  return worse;
}

}  // namespace danlu
