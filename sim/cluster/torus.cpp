// Switches on a grid: dimension-order routing.
#include "sim/base/error.hpp"
#include "sim/cluster/fabrics.hpp"

namespace danlu {

TorusFabric add_torus(const ClusterSpec& cluster, const Nodes& nodes, TopologyParts& parts) {
  const TopologySpec& spec = cluster.topology;
  TorusFabric torus{
      .grid = Grid(spec.dims), .nodes_per_switch = spec.nodes_per_leaf, .nics = spec.nics_per_node};
  check(nodes.count() <= torus.grid.size() * torus.nodes_per_switch, "the torus holds the nodes");
  std::vector<VertexId> switches;
  for (int number = 0; number < torus.grid.size(); ++number) {
    switches.push_back(parts.add_vertex({.kind = VertexKind::Switch, .number = number}));
  }
  for (int node = 0; node < nodes.count(); ++node) {
    for (int nic = 0; nic < torus.nics; ++nic) {
      Link link = nic_cable(cluster, nodes, {node, nic}, spec.ports_per_nic);
      link.to = switches[index(node / torus.nodes_per_switch)];
      torus.nic_up.push_back(parts.add_cable(link));
    }
  }
  torus.first_cable = make_id<LinkId>(parts.links.size());
  Link link = switch_cable(spec, LinkKind::TorusCable, spec.cable_bandwidth(), 1);
  for (const auto& [first, second] : torus.grid.cables()) {
    link.from = switches[index(first)];
    link.to = switches[index(second)];
    parts.add_cable(link);
  }
  return torus;
}

void append_route(const TorusFabric& torus, NicAt from, NicAt to, std::uint64_t /*hash*/,
                  Route& route) {
  const auto nic_up = [&](NicAt at) { return torus.nic_up[index(at.node * torus.nics + at.nic)]; };
  const int goal = to.node / torus.nodes_per_switch;
  route.push_back(nic_up(from));
  for (int at = from.node / torus.nodes_per_switch; at != goal;) {
    const Grid::Step step = torus.grid.step(at, goal);
    const auto link = make_id<LinkId>(index(torus.first_cable) + 2 * index(step.cable));
    route.push_back(step.forward ? link : twin(link));
    at = step.point;
  }
  route.push_back(twin(nic_up(to)));
}

}  // namespace danlu
