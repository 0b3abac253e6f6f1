#include "sim/cluster/topology.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/graph/breadth_first_search.hpp>
#include <numeric>
#include <optional>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

/// A vertex reached from an end of the route, and the link that led there from vertex `previous`.
struct Reached {
  std::size_t vertex;
  std::size_t previous;  // position in the list of reached vertices; its own for the end itself
  LinkId link;
};

/// All vertices above `start`, nearest first: every vertex has only a few (its switch, NIC, leaf,
/// spine). `Down` follows the links backwards, for the descending half of a route.
template <bool Down>
std::vector<Reached> ancestors(const Topology::Graph& graph, std::size_t start) {
  std::vector<Reached> reached{{start, 0, LinkId{}}};
  for (std::size_t at = 0; at < reached.size(); ++at) {
    const std::size_t here = reached[at].vertex;
    const auto visit = [&](std::size_t above, LinkId link) {
      const bool climbs = graph[above].level > graph[here].level;
      const bool is_new = std::none_of(reached.begin(), reached.end(),
                                       [&](const Reached& r) { return r.vertex == above; });
      if (climbs && is_new) {
        reached.push_back({above, at, link});
      }
    };
    if constexpr (Down) {
      for (auto [edge, end] = boost::in_edges(here, graph); edge != end; ++edge) {
        visit(boost::source(*edge, graph), graph[*edge]);
      }
    } else {
      for (auto [edge, end] = boost::out_edges(here, graph); edge != end; ++edge) {
        visit(boost::target(*edge, graph), graph[*edge]);
      }
    }
  }
  return reached;
}

/// The links from the end of the route to reached[at].
Route climb(const std::vector<Reached>& reached, std::size_t at) {
  Route route;
  for (; at != 0; at = reached[at].previous) {
    route.push_back(reached[at].link);
  }
  std::reverse(route.begin(), route.end());
  return route;
}

}  // namespace

std::string_view link_kind_name(LinkKind kind) {
  switch (kind) {
    case LinkKind::ScaleUp:
      return "scale-up";
    case LinkKind::Pcie:
      return "PCIe";
    case LinkKind::NicCable:
      return "NIC";
    case LinkKind::Uplink:
      return "uplink";
  }
  return "";
}

VertexId Topology::add_vertex(const Vertex& vertex) {
  const auto id = make_id<VertexId>(boost::add_vertex(vertex, graph_));
  if (vertex.kind == VertexKind::Gpu) {
    gpus_.push_back(id);
  }
  return id;
}

void Topology::add_cable(Link link) {
  for (int direction = 0; direction < 2; ++direction) {
    boost::add_edge(index(link.from), index(link.to), make_id<LinkId>(links_.size()), graph_);
    links_.push_back(link);
    std::swap(link.from, link.to);
  }
}

Route Topology::route(GpuId from, GpuId to) const {
  check(from != to, "a GPU does not send to itself");
  const std::vector<Reached> above_from = ancestors<false>(graph_, index(gpu(from)));
  const std::vector<Reached> above_to = ancestors<true>(graph_, index(gpu(to)));
  std::optional<Route> best;
  for (std::size_t i = 0; i < above_from.size(); ++i) {
    for (std::size_t j = 0; j < above_to.size(); ++j) {
      if (above_from[i].vertex != above_to[j].vertex) {
        continue;
      }
      Route up = climb(above_from, i);
      Route down = climb(above_to, j);
      if (!best || up.size() + down.size() < best->size()) {
        up.insert(up.end(), down.rbegin(), down.rend());
        best = std::move(up);
      }
    }
  }
  const bool same_node = vertex(gpu(from)).node == vertex(gpu(to)).node;
  if (!best || (same_node && link(best->front()).kind != LinkKind::ScaleUp)) {
    // A mesh: a direct link is shorter than the way over a NIC.
    Route direct = shortest_route(from, to);
    if (!best || direct.size() < best->size()) {
      best = std::move(direct);
    }
  }
  return *best;
}

Route Topology::shortest_route(GpuId from, GpuId to) const {
  std::vector<std::size_t> previous(boost::num_vertices(graph_));
  std::iota(previous.begin(), previous.end(), std::size_t{0});  // not reached: its own predecessor
  const auto recorder = boost::make_bfs_visitor(boost::record_predecessors(
      boost::make_iterator_property_map(previous.begin(), boost::get(boost::vertex_index, graph_)),
      boost::on_tree_edge()));
  const std::size_t start = index(gpu(from));
  boost::breadth_first_search(graph_, start, boost::visitor(recorder));
  Route route;
  for (std::size_t at = index(gpu(to)); at != start; at = previous[at]) {
    check(previous[at] != at, "two GPUs of the topology are not connected");
    route.push_back(graph_[boost::edge(previous[at], at, graph_).first]);
  }
  std::reverse(route.begin(), route.end());
  return route;
}

Seconds Topology::latency(const Route& route) const {
  Seconds sum;
  for (const LinkId id : route) {
    sum += link(id).latency;
  }
  return sum;
}

std::string Topology::vertex_name(VertexId id) const {
  const Vertex& v = vertex(id);
  switch (v.kind) {
    case VertexKind::Gpu:
      return fmt::format("GPU {} of node {}", v.number, v.node);
    case VertexKind::ScaleUpSwitch:
      return fmt::format("NVSwitch of node {}", v.node);
    case VertexKind::PcieSwitch:
      return fmt::format("PCIe switch of node {}", v.node);
    case VertexKind::Nic:
      return fmt::format("NIC {} of node {}", v.number, v.node);
    case VertexKind::Leaf:
      return fmt::format("leaf {}", v.number);
    case VertexKind::Spine:
      return "spine";
  }
  return "";
}

std::string Topology::link_name(LinkId id) const {
  return vertex_name(link(id).from) + " -> " + vertex_name(link(id).to);
}

}  // namespace danlu
