#include "sim/cluster/nodes.hpp"

#include <algorithm>
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/breadth_first_search.hpp>
#include <cmath>
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

/// Whether every GPU reaches every other.
bool is_whole(const MeshPaths& paths) {
  for (int gpu = 1; gpu < paths.gpus; ++gpu) {
    if (paths.next(0, gpu).link < 0) {
      return false;
    }
  }
  return true;
}

/// The PCIe switch of each of `parts`: as many below each as `below` says, else evenly.
std::vector<int> spread(const std::vector<int>& below, int parts, int switches) {
  std::vector<int> found;
  for (std::size_t number = 0; number < below.size(); ++number) {
    found.insert(found.end(), index(below[number]), static_cast<int>(number));
  }
  for (int part = 0; below.empty() && part < parts; ++part) {
    found.push_back(part * switches / parts);
  }
  check(found.size() == index(parts), "every GPU and NIC is below one PCIe switch");
  return found;
}

/// The NIC of each GPU: evenly; where PCIe switches hold unequally many, of its own if it has some.
std::vector<int> nearest_nics(const TopologySpec& spec, const std::vector<int>& gpu_switch,
                              const std::vector<int>& nic_switch) {
  const int nics = spec.nics_per_node;
  std::vector<int> found;
  for (int gpu = 0; gpu < spec.gpus_per_node; ++gpu) {
    found.push_back(gpu * nics / spec.gpus_per_node);
  }
  if (spec.pcie_gpus.empty() && spec.pcie_nics.empty()) {
    return found;
  }
  for (int pcie = 0; pcie < spec.pcie_switches; ++pcie) {
    const auto gpus = std::equal_range(gpu_switch.begin(), gpu_switch.end(), pcie);
    const auto own = std::equal_range(nic_switch.begin(), nic_switch.end(), pcie);
    const auto count = own.second - own.first;
    for (auto gpu = gpus.first; count > 0 && gpu != gpus.second; ++gpu) {
      const auto place = (gpu - gpus.first) * count / (gpus.second - gpus.first);
      found[index(static_cast<int>(gpu - gpu_switch.begin()))] =
          static_cast<int>(own.first - nic_switch.begin() + place);
    }
  }
  return found;
}

}  // namespace

/// Adds the vertices and links of one node after the other. One class for all kinds of scale-up,
/// since they share the vertices that they join.
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
      check_links(std::pow(spec_.gpus_per_node, 2));
      nodes_.mesh_ = find_paths(links_within(spec_, spec_.gpus_per_node), spec_.gpus_per_node);
      nodes_.last_mesh_ = find_paths(links_within(spec_, last), last);
    } else if (spec_.scale_up == ScaleUpKind::Torus) {
      check(last == spec_.gpus_per_node, "a torus node is there whole");
      nodes_.grid_ = Grid(spec_.scale_up_dims, spec_.scale_up_wrap);
    }
    find_ways_around_dead_links();
    lay_out_pcie();
    for (int node = 0; node < nodes_.nodes_; ++node) {
      kind_ = &cluster_.topology_of(cluster_.kind_of(node));
      add_node(node, node + 1 < nodes_.nodes_ ? spec_.gpus_per_node : last);
      if (node == 0) {
        make_room();
      }
    }
  }

 private:
  /// For as many nodes as the first one, with a cable and an uplink for each NIC: growing by and by
  /// would take as long as building.
  void make_room() {
    const auto nodes = static_cast<std::size_t>(nodes_.nodes_);
    const std::size_t cables = parts_.links.size() + 4 * static_cast<std::size_t>(nodes_.nics_);
    parts_.vertices.reserve(nodes * parts_.vertices.size());
    parts_.links.reserve(nodes * cables);
  }

  /// GPUs that no direct links join meet over PCIe.
  void lay_out_pcie() {
    const bool islands = spec_.scale_up == ScaleUpKind::Mesh &&
                         (!is_whole(nodes_.mesh_) || !is_whole(nodes_.last_mesh_) ||
                          std::any_of(nodes_.broken_.begin(), nodes_.broken_.end(),
                                      [](const auto& broken) { return !is_whole(broken.second); }));
    nodes_.on_pcie_ = islands || spec_.scale_up == ScaleUpKind::None;
    nodes_.gpu_switch_ = spread(spec_.pcie_gpus, spec_.gpus_per_node, spec_.pcie_switches);
    nodes_.nic_switch_ = spread(spec_.pcie_nics, spec_.nics_per_node, spec_.pcie_switches);
    nodes_.nic_of_gpu_ = nearest_nics(spec_, nodes_.gpu_switch_, nodes_.nic_switch_);
    for (int nic = 0; nic < spec_.nics_per_node; ++nic) {
      const auto& nics = nodes_.nic_of_gpu_;
      nodes_.first_gpu_.push_back(
          static_cast<int>(std::find(nics.begin(), nics.end(), nic) - nics.begin()));
    }
  }

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
        break;
      case ScaleUpKind::Mesh:
      case ScaleUpKind::Torus:
        add_mesh(count);
        break;
    }
    if (nodes_.on_pcie_) {
      add_pcie_switches(node);
    } else {
      add_nics(node);
    }
  }

  Link scale_up_link(int count) const {
    const BytesPerSecond nominal = kind_->scale_up_bandwidth * count;
    return {.kind = LinkKind::ScaleUp,
            .count = count,
            .bandwidth = nominal * kind_->scale_up_efficiency,
            .nominal = nominal,
            .latency = kind_->scale_up_latency};
  }
  static Link pcie_link(BytesPerSecond nominal, double efficiency, Seconds latency) {
    return {.kind = LinkKind::Pcie,
            .bandwidth = nominal * efficiency,
            .nominal = nominal,
            .latency = latency};
  }
  BytesPerSecond slot_of(std::size_t gpu) const {
    const auto slower = kind_->pcie_slots.find(static_cast<int>(gpu));
    return kind_->pcie_bandwidth * (slower == kind_->pcie_slots.end() ? 1 : slower->second);
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
        parts_.add_vertex({.kind = VertexKind::Nic,
                           .node = node,
                           .number = nic,
                           .count = spec_.cards_per_node() / spec_.nics_per_node}));
    return nodes_.nics_by_node_.back();
  }

  /// Every GPU on its NIC.
  void add_nics(int node) {
    std::vector<VertexId> nics;
    for (int nic = 0; nic < spec_.nics_per_node; ++nic) {
      nics.push_back(add_nic(node, nic));
    }
    for (std::size_t gpu = 0; !nics.empty() && gpu < gpu_vertices_.size(); ++gpu) {
      Link link = pcie_link(slot_of(gpu), 1, {});
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
    const double efficiency =
        kind_->pcie_efficiency *
        (spec_.scale_up == ScaleUpKind::None ? kind_->scale_up_efficiency : 1);
    if (switches.size() > 1) {
      Link link = pcie_link(
          kind_->pcie_uplink > BytesPerSecond{} ? kind_->pcie_uplink : kind_->pcie_bandwidth,
          efficiency, {});
      link.to = parts_.add_vertex({.kind = VertexKind::Cpu, .node = node});
      for (const VertexId pcie : switches) {
        link.from = pcie;
        nodes_.pcie_up_.push_back(parts_.add_cable(link));
      }
    }
    for (std::size_t gpu = 0; gpu < gpu_vertices_.size(); ++gpu) {
      Link link = pcie_link(slot_of(gpu), efficiency, kind_->scale_up_latency / 2);
      link.from = gpu_vertices_[gpu];
      link.to = switches[index(nodes_.gpu_switch_[gpu])];
      nodes_.gpu_up_.push_back(parts_.add_cable(link));
    }
    for (int nic = 0; nic < spec_.nics_per_node; ++nic) {
      const int slots = (spec_.cards_per_node() + spec_.nics_per_node - 1) / spec_.nics_per_node;
      Link link = pcie_link(kind_->pcie_bandwidth * slots, 1, {});
      link.from = switches[index(nodes_.nic_switch_[index(nic)])];
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

void Nodes::append_host(int gpu, bool to_host, Route& route) const {
  const auto add = [&](LinkId up) { route.push_back(to_host ? up : twin(up)); };
  if (!on_pcie_) {
    add(gpu_nic_[index(gpu)]);
    return;
  }
  add(gpu_up_[index(gpu)]);
  if (!pcie_up_.empty()) {
    add(pcie_up_[switch_of_gpu(gpu)]);
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
      if (append_mesh(from, to, route)) {
        return true;
      }
      break;
    case ScaleUpKind::Torus:
      if (broken_.contains(node_of(from))) {
        return append_mesh(from, to, route);
      }
      append_torus(from, to, route);
      return true;
    case ScaleUpKind::None:
    case ScaleUpKind::Switch:
      break;
  }
  if (kind_ != ScaleUpKind::Switch && !on_pcie_) {
    return false;
  }
  route.push_back(gpu_up_[index(from)]);
  if (on_pcie_) {
    append_pcie(switch_of_gpu(from), switch_of_gpu(to), route);
  }
  route.push_back(twin(gpu_up_[index(to)]));
  return true;
}

bool Nodes::connects(int from, int to) const {
  const int node = node_of(from);
  const bool is_graph =
      kind_ == ScaleUpKind::Mesh || (kind_ == ScaleUpKind::Torus && broken_.contains(node));
  return from == to || on_pcie_ || !is_graph ||
         paths_of(node).next(from % per_node_, to % per_node_).link >= 0;
}

void Nodes::append_exit(int gpu, int nic, Route& route) const {
  const int node = node_of(gpu);
  if (on_pcie_) {
    route.push_back(gpu_up_[index(gpu)]);
    append_pcie(switch_of_gpu(gpu), switch_of_nic(node, nic), route);
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
  if (on_pcie_) {
    route.push_back(twin(nic_down_[index(node * nics_ + nic)]));
    append_pcie(switch_of_nic(node, nic), switch_of_gpu(gpu), route);
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
  if (nic == nic_of(gpu) || on_pcie_) {
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
    for (int gpu = node * per_node_; gpu < end; ++gpu) {
      if (nic_of(gpu) != lost % nics_) {
        continue;
      }
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
