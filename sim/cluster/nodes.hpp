// The nodes of a cluster: what is inside one, built as often as there are nodes, and the routes
// inside, from GPU to GPU and from GPU to NIC.
//
//    switch             mesh, torus        none (PCIe only)
//    G  G  G  G         G --- G            G  G     G  G
//    |\ |\ /| /|        |\   /|            |  |     |  |
//    | NVSwitch|        N N N N            PCIe - - PCIe      through the CPUs
//    N  N  N  N         (each GPU to       |            |
//                        its NIC)          N            N
//
// A mesh of islands (pairs joined by bridges) is both: direct links, and PCIe between the islands.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "sim/cluster/grid.hpp"
#include "sim/cluster/topology.hpp"
#include "sim/cluster/topology_spec.hpp"

namespace danlu {

/// Next hops in a mesh of GPUs by the fewest links (Boost's breadth-first search, once per node
/// kind).
struct MeshPaths {
  struct Hop {
    int link = -1;  // among the directed links of the node's mesh; -1: no way
    int gpu = 0;
  };
  int gpus = 0;
  std::vector<Hop> hops;  // by GPU of the node and GPU to reach

  const Hop& next(int from, int to) const { return hops[index(from) * index(gpus) + index(to)]; }
};

class Nodes {
 public:
  Nodes() = default;
  /// Adds every GPU, switch and NIC of the nodes to `parts`. `spec` is that of the cluster.
  Nodes(const ClusterSpec& spec, TopologyParts& parts);

  int count() const { return nodes_; }
  int node_of(int gpu) const { return gpu / per_node_; }
  /// The NIC of its node that serves a GPU, which is also its rail.
  int nic_of(int gpu) const { return nic_of_gpu_[index(gpu % per_node_)]; }
  /// Whether GPUs and NICs hang on PCIe switches, over which the GPUs of a node meet.
  bool has_pcie_switches() const { return on_pcie_; }
  VertexId nic(int node, int nic) const {
    return nics_by_node_[index(node) * index(nics_) + index(nic)];
  }

  /// Appends the way between two GPUs of one node; false if the node's own links give none.
  bool append_route(int from, int to, Route& route) const;
  /// Whether the node's own links lead from one of its GPUs to another.
  bool connects(int from, int to) const;
  /// Appends the way from a GPU to a NIC of its node that it reaches: its own; with PCIe switches
  /// any; else through the first GPU of that NIC.
  void append_exit(int gpu, int nic, Route& route) const;
  /// Appends the same way back, from the NIC to the GPU.
  void append_entry(int nic, int gpu, Route& route) const;

  /// Whether GPUs have PCIe links that copies to the memory of their host take.
  bool has_host_links() const { return on_pcie_ || !gpu_nic_.empty(); }
  /// Appends the way between a GPU and its host's memory: its own PCIe link, and that of a PCIe
  /// switch to the CPUs where there are several.
  void append_host(int gpu, bool to_host, Route& route) const;

  /// Takes NICs (node x NICs of a node + number) out of use and finds each of their GPUs another.
  void lose_nics(std::set<int> dead);
  const std::set<int>& dead_nics() const { return dead_nics_; }
  bool is_live(int node, int nic) const {
    return dead_nics_.empty() || !dead_nics_.contains(node * nics_ + nic);
  }
  /// Whether a GPU's traffic can leave and enter by a NIC of its node.
  bool reaches(int gpu, int nic) const;
  /// The NIC that carries a GPU's traffic: its own, or the stand-in of a dead one. None if every
  /// NIC that the GPU reaches is dead.
  std::optional<int> exit_of(int gpu) const;

 private:
  friend class NodeBuilder;

  std::size_t switch_of_gpu(int gpu) const {
    return index(node_of(gpu) * pcie_switches_ + gpu_switch_[index(gpu % per_node_)]);
  }
  std::size_t switch_of_nic(int node, int nic) const {
    return index(node * pcie_switches_ + nic_switch_[index(nic)]);
  }
  /// From one PCIe switch to another of the node, through the CPUs.
  void append_pcie(std::size_t from, std::size_t to, Route& route) const;
  bool append_mesh(int from, int to, Route& route) const;
  void append_torus(int from, int to, Route& route) const;
  const MeshPaths& paths_of(int node) const;
  int first_gpu(int node, int nic) const { return node * per_node_ + first_gpu_[index(nic)]; }

  ScaleUpKind kind_ = ScaleUpKind::Switch;
  int nodes_ = 0;
  int gpus_ = 0;
  int per_node_ = 1;
  int nics_ = 1;
  int pcie_switches_ = 1;
  bool on_pcie_ = false;
  std::vector<int> gpu_switch_;  // by GPU of a node: its PCIe switch
  std::vector<int> nic_switch_;  // by NIC of a node
  std::vector<int> nic_of_gpu_;  // by GPU of a node
  std::vector<int> first_gpu_;   // by NIC of a node: the first GPU that it serves
  std::vector<VertexId> nics_by_node_;
  std::vector<LinkId> gpu_up_;     // to the NVSwitch or PCIe switch
  std::vector<LinkId> gpu_nic_;    // to its NIC; empty with PCIe switches
  std::vector<LinkId> nic_down_;   // from its PCIe switch to the NIC
  std::vector<LinkId> pcie_up_;    // from a PCIe switch to the CPUs
  std::vector<LinkId> mesh_link_;  // by node: its first link of a mesh or torus
  MeshPaths mesh_;
  MeshPaths last_mesh_;              // of the last node, which may have fewer GPUs
  std::map<int, MeshPaths> broken_;  // of nodes with dead links, mesh or torus
  Grid grid_;                        // of a torus
  std::set<int> dead_nics_;
  std::map<int, std::optional<int>> stand_ins_;  // by GPU of a dead NIC
};

}  // namespace danlu
