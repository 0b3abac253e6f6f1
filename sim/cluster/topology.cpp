#include "sim/cluster/topology.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/graph/breadth_first_search.hpp>
#include <boost/graph/compressed_sparse_row_graph.hpp>
#include <numeric>
#include <stdexcept>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/base/id_vector.hpp"

namespace danlu {
namespace {

using Graph = boost::compressed_sparse_row_graph<boost::directedS, boost::no_property, LinkId,
                                                 boost::no_property, std::uint32_t, std::uint32_t>;

Graph boost_graph(const Topology& topology) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> ends;
  std::vector<LinkId> ids;
  for (const Link& link : topology.links()) {
    ids.push_back(make_id<LinkId>(ends.size()));
    ends.emplace_back(index(link.from), index(link.to));
  }
  return {boost::edges_are_unsorted_multi_pass, ends.begin(), ends.end(), ids.begin(),
          static_cast<std::uint32_t>(topology.vertices().size())};
}

}  // namespace

VertexId TopologyParts::add_vertex(const Vertex& vertex) {
  vertices.push_back(vertex);
  return make_id<VertexId>(vertices.size() - 1);
}

void check_links(double links) {
  constexpr double kMost = 2e7;  // a million GPUs have six to twelve; large meshes far more
  if (links > kMost) {
    throw std::length_error(
        fmt::format("the cluster has {:.2g} links or more, danlu lays out {:.2g}", links, kMost));
  }
}

LinkId TopologyParts::add_cable(Link link) {
  check_links(static_cast<double>(links.size()));
  const auto id = make_id<LinkId>(links.size());
  links.push_back(link);
  std::swap(link.from, link.to);
  links.push_back(link);
  return id;
}

Topology::Topology(TopologyParts parts)
    : vertices_(std::move(parts.vertices)), links_(std::move(parts.links)) {
  for (std::size_t v = 0; v < vertices_.size(); ++v) {
    if (vertices_[v].kind == VertexKind::Gpu) {
      gpus_.push_back(make_id<VertexId>(v));
    }
  }
}

Route Topology::shortest_route(GpuId from, GpuId to) const {
  const Graph graph = boost_graph(*this);
  std::vector<std::uint32_t> previous(vertices_.size());
  std::iota(previous.begin(), previous.end(), 0U);  // not reached: its own predecessor
  const auto start = static_cast<std::uint32_t>(index(gpu(from)));
  const auto recorder = boost::make_bfs_visitor(boost::record_predecessors(
      boost::make_iterator_property_map(previous.begin(), boost::get(boost::vertex_index, graph)),
      boost::on_tree_edge()));
  boost::breadth_first_search(graph, start, boost::visitor(recorder));
  Route route;
  for (auto at = static_cast<std::uint32_t>(index(gpu(to))); at != start; at = previous[at]) {
    check(previous[at] != at, "two GPUs of the topology are not connected");
    route.push_back(graph[boost::edge(previous[at], at, graph).first]);
  }
  std::reverse(route.begin(), route.end());
  return route;
}

int Topology::count(VertexKind kind) const {
  int count = 0;
  for (const Vertex& v : vertices_) {
    count += v.kind == kind ? v.count : 0;
  }
  return count;
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
  const std::string_view name = name_of(v.kind);
  switch (v.kind) {
    case VertexKind::Gpu:
    case VertexKind::Nic:
      return fmt::format("{} {} of node {}", name, v.number, v.node);
    case VertexKind::ScaleUpSwitch:
    case VertexKind::Cpu:
      return fmt::format("{} of node {}", name, v.node);
    case VertexKind::PcieSwitch:
      return v.number < 0 ? fmt::format("{} of node {}", name, v.node)
                          : fmt::format("{} {} of node {}", name, v.number, v.node);
    case VertexKind::Leaf:
      return v.count > 1
                 ? fmt::format("{} {}-{}", name, v.number * v.count, (v.number + 1) * v.count - 1)
                 : fmt::format("{} {}", name, v.number);
    case VertexKind::Switch:
      return fmt::format("{} {}", name, v.number);
    case VertexKind::Spine:
    case VertexKind::Core:
      return v.number < 0 ? std::string(name) : fmt::format("{} {}", name, v.number);
  }
  return "";
}

std::string Topology::link_name(LinkId id) const {
  return vertex_name(link(id).from) + " -> " + vertex_name(link(id).to);
}

}  // namespace danlu
