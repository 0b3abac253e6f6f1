// Bisection by max-flow: a source feeds the lower half of the GPUs, the upper half drains into a
// sink, and Boost's push-relabel finds what fits through the links in between.
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/push_relabel_max_flow.hpp>
#include <cmath>
#include <cstdint>

#include "sim/cluster/cluster.hpp"

namespace danlu {
namespace {

using Traits = boost::adjacency_list_traits<boost::vecS, boost::vecS, boost::directedS>;
struct FlowEdge {
  std::int64_t capacity = 0;
  std::int64_t residual = 0;
  Traits::edge_descriptor reverse;
};
using FlowGraph =
    boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, boost::no_property, FlowEdge>;

void add_flow_edge(FlowGraph& graph, std::size_t from, std::size_t to, std::int64_t capacity) {
  const auto forward = boost::add_edge(from, to, {capacity, 0, {}}, graph).first;
  const auto backward = boost::add_edge(to, from, {0, 0, {}}, graph).first;
  graph[forward].reverse = backward;
  graph[backward].reverse = forward;
}

}  // namespace

BytesPerSecond bisection_bandwidth(const Cluster& cluster) {
  const Topology& topology = cluster.topology;
  const std::size_t vertices = topology.vertices().size();
  const std::size_t source = vertices;
  const std::size_t sink = vertices + 1;
  FlowGraph graph(vertices + 2);
  double total = 0;
  for (const Link& link : topology.links()) {
    add_flow_edge(graph, index(link.from), index(link.to), std::llround(link.nominal.value));
    total += link.nominal.value;
  }
  const std::size_t gpus = topology.gpu_count();
  for (std::size_t gpu = 0; gpu < gpus; ++gpu) {
    const std::size_t vertex = index(topology.gpu(make_id<GpuId>(gpu)));
    const bool lower = gpu < gpus / 2;
    add_flow_edge(graph, lower ? source : vertex, lower ? vertex : sink, std::llround(total));
  }
  const std::int64_t one_way = boost::push_relabel_max_flow(
      graph, source, sink,
      boost::capacity_map(boost::get(&FlowEdge::capacity, graph))
          .residual_capacity_map(boost::get(&FlowEdge::residual, graph))
          .reverse_edge_map(boost::get(&FlowEdge::reverse, graph)));
  return {2.0 * static_cast<double>(one_way)};
}

}  // namespace danlu
