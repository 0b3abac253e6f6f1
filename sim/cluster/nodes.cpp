#include "sim/cluster/nodes.hpp"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/breadth_first_search.hpp>
#include <cstdlib>
#include <tuple>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

/// The mesh links between the first `gpus` GPUs of a node: the only ones a smaller node has.
std::vector<MeshLink> links_within(const TopologySpec& spec, int gpus) {
  std::vector<MeshLink> links;
  std::copy_if(spec.mesh_links.begin(), spec.mesh_links.end(), std::back_inserter(links),
               [&](const MeshLink& link) { return std::max(link.first, link.second) < gpus; });
  return links;
}

/// A search from every GPU over the links whose count is not 0: the GPU from which it first came to
/// another is that one's next hop.
MeshPaths find_paths(std::span<const MeshLink> links, int gpus) {
  using Graph =
      boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS, boost::no_property, int>;
  const auto n = index(gpus);
  Graph graph(n);
  for (std::size_t i = 0; i < links.size(); ++i) {
    if (links[i].count > 0) {
      boost::add_edge(index(links[i].first), index(links[i].second), static_cast<int>(i), graph);
    }
  }
  MeshPaths paths{.gpus = gpus, .hops = std::vector<MeshPaths::Hop>(n * n)};
  std::vector<std::size_t> towards(n);
  for (std::size_t goal = 0; goal < n; ++goal) {
    std::fill(towards.begin(), towards.end(), n);
    boost::breadth_first_search(graph, goal,
                                boost::visitor(boost::make_bfs_visitor(boost::record_predecessors(
                                    towards.data(), boost::on_tree_edge()))));
    for (std::size_t from = 0; from < n; ++from) {
      if (from != goal && towards[from] < n) {
        const int cable = graph[boost::edge(from, towards[from], graph).first];
        const MeshLink& link = links[index(cable)];
        const bool forward = index(link.first) == from;
        paths.hops[from * n + goal] = {2 * cable + (forward ? 0 : 1),
                                       static_cast<int>(towards[from])};
      }
    }
  }
  return paths;
}

}  // namespace

/// Adds the vertices and links of one node after the other.
class NodeBuilder {
 public:
  NodeBuilder(const ClusterSpec& spec, TopologyParts& parts, Nodes& nodes)
      : cluster_(spec),
        spec_(spec.topology),
        kind_(&spec.topology),
        gpus_(spec.gpus),
        parts_(parts),
        nodes_(nodes) {}

  void build() {
    nodes_.kind_ = spec_.scale_up;
    nodes_.per_node_ = spec_.gpus_per_node;
    nodes_.nics_ = spec_.nics_per_node;
    nodes_.pcie_switches_ = spec_.pcie_switches;
    nodes_.gpus_ = gpus_;
    nodes_.nodes_ = (gpus_ + spec_.gpus_per_node - 1) / spec_.gpus_per_node;
    const int last = gpus_ - (nodes_.nodes_ - 1) * spec_.gpus_per_node;
    if (spec_.scale_up == ScaleUpKind::Mesh) {
      nodes_.mesh_ = find_paths(links_within(spec_, spec_.gpus_per_node), spec_.gpus_per_node);
      nodes_.last_mesh_ = find_paths(links_within(spec_, last), last);
    } else if (spec_.scale_up == ScaleUpKind::Torus) {
      check(last == spec_.gpus_per_node, "a torus node is there whole");
      nodes_.grid_ = Grid(spec_.scale_up_dims, spec_.scale_up_wrap);
    }
    find_ways_around_dead_links();
    for (int node = 0; node < nodes_.nodes_; ++node) {
      kind_ = &cluster_.topology_of(cluster_.kind_of(node));
      add_node(node, node + 1 < nodes_.nodes_ ? spec_.gpus_per_node : last);
    }
  }

 private:
  int gpus_of(int node) const {
    return std::min(spec_.gpus_per_node, gpus_ - node * spec_.gpus_per_node);
  }
  void find_ways_around_dead_links() {
    std::map<int, std::vector<MeshLink>> links;  // by node with dead ones
    for (const DegradedSpec::MeshShare& slow : cluster_.degraded.links) {
      if (slow.share > 0) {
        continue;
      }
      const int node = slow.first / spec_.gpus_per_node;
      const auto known = links.try_emplace(node, links_within(spec_, gpus_of(node))).first;
      for (MeshLink& link : known->second) {
        const int base = node * spec_.gpus_per_node;
        const bool is_it = std::minmax({slow.first, slow.second}) ==
                           std::minmax({base + link.first, base + link.second});
        link.count = is_it ? 0 : link.count;
      }
    }
    for (const auto& [node, left] : links) {
      nodes_.broken_[node] = find_paths(left, gpus_of(node));
    }
  }

  void add_node(int node, int count) {
    gpu_vertices_.clear();
    for (int gpu = 0; gpu < count; ++gpu) {
      gpu_vertices_.push_back(
          parts_.add_vertex({.kind = VertexKind::Gpu, .node = node, .number = gpu}));
    }
    switch (spec_.scale_up) {
      case ScaleUpKind::Switch:
        add_star(node);
        break;
      case ScaleUpKind::None:
        add_pcie_switches(node);
        return;
      case ScaleUpKind::Mesh:
      case ScaleUpKind::Torus:
        add_mesh(count);
        break;
    }
    add_nics(node);
  }

  Link scale_up_link(int count) const {
    const BytesPerSecond nominal = kind_->scale_up_bandwidth * count;
    return {.kind = LinkKind::ScaleUp,
            .bandwidth = nominal * kind_->scale_up_efficiency,
            .nominal = nominal,
            .latency = kind_->scale_up_latency,
            .count = count};
  }
  Link pcie_link(double efficiency, Seconds latency) const {
    return {.kind = LinkKind::Pcie,
            .bandwidth = kind_->pcie_bandwidth * efficiency,
            .nominal = kind_->pcie_bandwidth,
            .latency = latency};
  }

  void add_star(int node) {
    Link link = scale_up_link(1);
    link.latency = kind_->scale_up_latency / 2;
    link.to = parts_.add_vertex(
        {.kind = VertexKind::ScaleUpSwitch, .node = node, .count = kind_->scale_up_switches});
    for (const VertexId gpu : gpu_vertices_) {
      link.from = gpu;
      nodes_.gpu_up_.push_back(parts_.add_cable(link));
    }
  }

  void add_mesh(int count) {
    nodes_.mesh_link_.push_back(make_id<LinkId>(parts_.links.size()));
    for (const MeshLink& mesh : links_within(spec_, count)) {
      Link link = scale_up_link(mesh.count);
      link.from = gpu_vertices_[index(mesh.first)];
      link.to = gpu_vertices_[index(mesh.second)];
      parts_.add_cable(link);
    }
  }

  VertexId add_nic(int node, int nic) {
    nodes_.nics_by_node_.push_back(
        parts_.add_vertex({.kind = VertexKind::Nic, .node = node, .number = nic}));
    return nodes_.nics_by_node_.back();
  }

  /// Every GPU on its NIC.
  void add_nics(int node) {
    std::vector<VertexId> nics;
    for (int nic = 0; nic < spec_.nics_per_node; ++nic) {
      nics.push_back(add_nic(node, nic));
    }
    Link link = pcie_link(1, {});
    for (std::size_t gpu = 0; gpu < gpu_vertices_.size(); ++gpu) {
      link.from = gpu_vertices_[gpu];
      link.to = nics[index(nodes_.nic_of(static_cast<int>(gpu)))];
      nodes_.gpu_nic_.push_back(parts_.add_cable(link));
    }
  }

  /// GPUs and NICs on PCIe switches, so that all traffic of a GPU shares its one PCIe link.
  void add_pcie_switches(int node) {
    std::vector<VertexId> switches;
    for (int number = 0; number < spec_.pcie_switches; ++number) {
      switches.push_back(parts_.add_vertex({.kind = VertexKind::PcieSwitch,
                                            .node = node,
                                            .number = spec_.pcie_switches == 1 ? -1 : number}));
    }
    if (switches.size() > 1) {
      Link link = pcie_link(kind_->scale_up_efficiency, {});
      link.to = parts_.add_vertex({.kind = VertexKind::Cpu, .node = node});
      for (const VertexId pcie : switches) {
        link.from = pcie;
        nodes_.pcie_up_.push_back(parts_.add_cable(link));
      }
    }
    const auto switch_of = [&](std::size_t part, int parts) {
      return switches[part * switches.size() / index(parts)];
    };
    for (std::size_t gpu = 0; gpu < gpu_vertices_.size(); ++gpu) {
      Link link = pcie_link(kind_->scale_up_efficiency, kind_->scale_up_latency / 2);
      link.from = gpu_vertices_[gpu];
      link.to = switch_of(gpu, spec_.gpus_per_node);
      nodes_.gpu_up_.push_back(parts_.add_cable(link));
    }
    for (int nic = 0; nic < spec_.nics_per_node; ++nic) {
      Link link = pcie_link(1, {});
      link.from = switch_of(index(nic), spec_.nics_per_node);
      link.to = add_nic(node, nic);
      nodes_.nic_down_.push_back(parts_.add_cable(link));
    }
  }

  const ClusterSpec& cluster_;
  const TopologySpec& spec_;  // the structure, alike in all nodes
  const TopologySpec* kind_;  // rates and latencies of the node being made
  int gpus_;
  TopologyParts& parts_;
  Nodes& nodes_;
  std::vector<VertexId> gpu_vertices_;  // of the node being made
};

Nodes::Nodes(const ClusterSpec& spec, TopologyParts& parts) {
  NodeBuilder(spec, parts, *this).build();
}

void Nodes::append_pcie(std::size_t from, std::size_t to, Route& route) const {
  if (from != to) {
    route.push_back(pcie_up_[from]);
    route.push_back(twin(pcie_up_[to]));
  }
}

const MeshPaths& Nodes::paths_of(int node) const {
  const auto broken = broken_.find(node);
  return broken != broken_.end() ? broken->second : node == nodes_ - 1 ? last_mesh_ : mesh_;
}

bool Nodes::append_mesh(int from, int to, Route& route) const {
  const int node = node_of(from);
  const MeshPaths& paths = paths_of(node);
  const std::size_t base = index(mesh_link_[index(node)]);
  const int goal = to % per_node_;
  for (int at = from % per_node_; at != goal;) {
    const MeshPaths::Hop& hop = paths.next(at, goal);
    if (hop.link < 0) {
      return false;
    }
    route.push_back(make_id<LinkId>(base + index(hop.link)));
    at = hop.gpu;
  }
  return true;
}

void Nodes::append_torus(int from, int to, Route& route) const {
  const std::size_t base = index(mesh_link_[index(node_of(from))]);
  const int goal = to % per_node_;
  for (int at = from % per_node_; at != goal;) {
    const Grid::Step step = grid_.step(at, goal);
    const auto link = make_id<LinkId>(base + 2 * index(step.cable));
    route.push_back(step.forward ? link : twin(link));
    at = step.point;
  }
}

bool Nodes::append_route(int from, int to, Route& route) const {
  switch (kind_) {
    case ScaleUpKind::Mesh:
      return append_mesh(from, to, route);
    case ScaleUpKind::Torus:
      if (broken_.contains(node_of(from))) {
        return append_mesh(from, to, route);
      }
      append_torus(from, to, route);
      return true;
    case ScaleUpKind::None:
    case ScaleUpKind::Switch:
      route.push_back(gpu_up_[index(from)]);
      if (kind_ == ScaleUpKind::None) {
        append_pcie(pcie_switch(node_of(from), from % per_node_, per_node_),
                    pcie_switch(node_of(to), to % per_node_, per_node_), route);
      }
      route.push_back(twin(gpu_up_[index(to)]));
      return true;
  }
  return false;
}

bool Nodes::connects(int from, int to) const {
  const int node = node_of(from);
  const bool is_graph =
      kind_ == ScaleUpKind::Mesh || (kind_ == ScaleUpKind::Torus && broken_.contains(node));
  return from == to || !is_graph || paths_of(node).next(from % per_node_, to % per_node_).link >= 0;
}

void Nodes::append_exit(int gpu, int nic, Route& route) const {
  const int node = node_of(gpu);
  if (kind_ == ScaleUpKind::None) {
    route.push_back(gpu_up_[index(gpu)]);
    append_pcie(pcie_switch(node, gpu % per_node_, per_node_), pcie_switch(node, nic, nics_),
                route);
    route.push_back(nic_down_[index(node * nics_ + nic)]);
    return;
  }
  const int gateway = nic == nic_of(gpu) ? gpu : first_gpu(node, nic);
  if (gateway != gpu) {
    check(append_route(gpu, gateway, route), "a GPU reaches the NIC by which it sends");
  }
  route.push_back(gpu_nic_[index(gateway)]);
}

void Nodes::append_entry(int nic, int gpu, Route& route) const {
  const int node = node_of(gpu);
  if (kind_ == ScaleUpKind::None) {
    route.push_back(twin(nic_down_[index(node * nics_ + nic)]));
    append_pcie(pcie_switch(node, nic, nics_), pcie_switch(node, gpu % per_node_, per_node_),
                route);
    route.push_back(twin(gpu_up_[index(gpu)]));
    return;
  }
  const int gateway = nic == nic_of(gpu) ? gpu : first_gpu(node, nic);
  route.push_back(twin(gpu_nic_[index(gateway)]));
  if (gateway != gpu) {
    check(append_route(gateway, gpu, route), "a GPU is reached from the NIC by which it receives");
  }
}

bool Nodes::reaches(int gpu, int nic) const {
  if (!is_live(node_of(gpu), nic)) {
    return false;
  }
  if (nic == nic_of(gpu) || kind_ == ScaleUpKind::None) {
    return true;
  }
  const int gateway = first_gpu(node_of(gpu), nic);
  return gateway < gpus_ && connects(gpu, gateway);
}

std::optional<int> Nodes::exit_of(int gpu) const {
  const auto found = stand_ins_.find(gpu);
  return found == stand_ins_.end() ? nic_of(gpu) : found->second;
}

/// A GPU goes to the NIC that has taken in the fewest so far, the nearest of these, the lowest.
void Nodes::lose_nics(std::set<int> dead) {
  dead_nics_ = std::move(dead);
  std::map<int, int> taken;  // by NIC: GPUs that it has taken in
  for (const int lost : dead_nics_) {
    const int node = lost / nics_;
    const int end = std::min(gpus_, (node + 1) * per_node_);
    for (int gpu = first_gpu(node, lost % nics_); gpu < end && nic_of(gpu) == lost % nics_; ++gpu) {
      std::optional<std::tuple<int, int, int>> best;
      for (int nic = 0; nic < nics_; ++nic) {
        if (reaches(gpu, nic)) {
          const std::tuple offer(taken[node * nics_ + nic], std::abs(nic - lost % nics_), nic);
          best = std::min(best.value_or(offer), offer);
        }
      }
      stand_ins_[gpu] = best ? std::optional(std::get<2>(*best)) : std::nullopt;
      taken[node * nics_ + stand_ins_[gpu].value_or(0)] += best ? 1 : 0;
    }
  }
}

}  // namespace danlu
