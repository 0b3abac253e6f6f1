#include "sim/cluster/cluster.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/connected_components.hpp>
#include <functional>
#include <numeric>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

/// A single node has no use for a fabric, unless its mesh leaves GPUs unconnected.
bool needs_fabric(const TopologySpec& spec, const Nodes& nodes) {
  return nodes.count() > 1 || spec.scale_up == ScaleUpKind::Mesh;
}

Fabric add_fabric(const TopologySpec& spec, const Nodes& nodes, TopologyParts& parts) {
  switch (spec.fabric) {
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

/// Whether every GPU of a mesh node reaches every other over its links.
bool is_connected(const TopologySpec& spec) {
  const auto n = index(spec.gpus_per_node);
  boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS> graph(n);
  for (const MeshLink& link : spec.mesh_links) {
    boost::add_edge(index(link.first), index(link.second), graph);
  }
  std::vector<std::size_t> component(n);
  return boost::connected_components(graph, component.data()) == 1;
}

/// From a GPU to the NIC of its node from which its traffic to rail `rail` leaves: its own, or with
/// PXN that of the GPU on this rail.
int append_exit(const Cluster& cluster, int from, int to, Route& route) {
  const TopologySpec& spec = cluster.spec.topology;
  const Nodes& nodes = cluster.inside;
  const int own = nodes.nic_of(from);
  const int rail = nodes.nic_of(to);
  if (own == rail || !spec.has_rails() || !spec.pxn) {
    nodes.append_exit(from, own, route);
    return own;
  }
  if (spec.scale_up == ScaleUpKind::None) {  // every NIC is within reach of the PCIe switches
    nodes.append_exit(from, rail, route);
    return rail;
  }
  const int first = nodes.node_of(from) * spec.gpus_per_node;
  int gateway = first + (rail * spec.gpus_per_node + spec.nics_per_node - 1) / spec.nics_per_node;
  const bool there = gateway < cluster.spec.gpus && nodes.append_route(from, gateway, route);
  if (!there) {
    check(spec.fabric != FabricKind::RailOnly, "the node has no GPU on the destination's rail");
    gateway = from;
  }
  nodes.append_exit(gateway, nodes.nic_of(gateway), route);
  return nodes.nic_of(gateway);
}

}  // namespace

std::string cluster_problem(const ClusterSpec& spec) {
  const TopologySpec& t = spec.topology;
  const int nodes = (spec.gpus + t.gpus_per_node - 1) / t.gpus_per_node;
  if (t.scale_up == ScaleUpKind::Torus && spec.gpus % t.gpus_per_node != 0) {
    return fmt::format("gpus ({}) must be whole torus nodes of {}", spec.gpus, t.gpus_per_node);
  }
  if (t.fabric == FabricKind::RailOnly && nodes > 1 && spec.gpus % t.gpus_per_node != 0) {
    return fmt::format(
        "gpus ({}) must be whole nodes of {}: rail-only traffic leaves by the GPU on "
        "the destination's rail",
        spec.gpus, t.gpus_per_node);
  }
  if (t.fabric == FabricKind::RailOnly && t.scale_up == ScaleUpKind::Mesh && !is_connected(t)) {
    return "rail-only traffic crosses the node to the destination's rail: the node's links must "
           "join "
           "all of its GPUs";
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

Link nic_cable(const TopologySpec& spec, VertexId nic, int ports) {
  const BytesPerSecond nominal = spec.port_bandwidth() * ports;
  // PCIe switches on the way have had their part of the step's latency.
  const Seconds inside = spec.scale_up == ScaleUpKind::None ? spec.scale_up_latency : Seconds{};
  return {.from = nic,
          .kind = LinkKind::NicCable,
          .bandwidth = nominal * spec.nic_efficiency,
          .nominal = nominal,
          .latency = std::max(Seconds{}, spec.fabric_latency - inside) / 2,
          .count = ports};
}

Link switch_cable(const TopologySpec& spec, LinkKind kind, BytesPerSecond nominal, int count) {
  return {.kind = kind,
          .bandwidth = nominal * spec.nic_efficiency,
          .nominal = nominal,
          .latency = spec.hop_latency,
          .count = count};
}

Route route(const Cluster& cluster, int from, int to, int flow) {
  check(from != to, "a GPU does not send to itself");
  constexpr std::size_t kUsual = 10;  // links: three levels with PXN
  Route route;
  route.reserve(kUsual);
  const Nodes& nodes = cluster.inside;
  if (nodes.node_of(from) == nodes.node_of(to)) {
    if (nodes.append_route(from, to, route)) {
      return route;
    }
    route.clear();  // a mesh that does not reach it
  }
  const int nic = append_exit(cluster, from, to, route);
  const std::uint64_t pair =
      (static_cast<std::uint64_t>(from) << 32U) + static_cast<std::uint64_t>(to);
  const std::uint64_t hash =
      scramble(scramble(static_cast<std::uint64_t>(flow) + cluster.spec.topology.ecmp_seed) ^ pair);
  const NicAt source{nodes.node_of(from), nic};
  const NicAt destination{nodes.node_of(to), nodes.nic_of(to)};
  std::visit(
      [&](const auto& fabric) {
        if constexpr (!std::is_same_v<std::decay_t<decltype(fabric)>, std::monostate>) {
          append_route(fabric, source, destination, hash, route);
        } else {
          check(false, "a single node has no fabric");
        }
      },
      cluster.fabric);
  nodes.append_entry(to, route);
  return route;
}

Cluster build_cluster(const ClusterSpec& spec) {
  TopologyParts parts;
  Nodes nodes(spec, parts);
  Fabric fabric;
  if (needs_fabric(spec.topology, nodes)) {
    fabric = add_fabric(spec.topology, nodes, parts);
  }
  Cluster cluster{spec, Topology(std::move(parts)), std::move(nodes), std::move(fabric)};
  degrade(spec.degraded, spec.topology.gpus_per_node, spec.topology.nics_per_node,
          cluster.topology);
  return cluster;
}

}  // namespace danlu
