#include "sim/cluster/cluster.hpp"

#include <algorithm>
#include <cmath>

namespace danlu {
namespace {

/// Makes the graph of one cluster, node by node, then the fabric above.
class Builder {
 public:
  Builder(const TopologySpec& spec, int gpus) : spec_(spec), gpus_(gpus) {}

  Topology build() {
    nodes_ = (gpus_ + spec_.gpus_per_node - 1) / spec_.gpus_per_node;
    for (int node = 0; node < nodes_; ++node) {
      add_node(node, std::min(spec_.gpus_per_node, gpus_ - node * spec_.gpus_per_node));
    }
    add_spine();
    return std::move(topology_);
  }

 private:
  void add_node(int node, int gpus) {
    std::vector<VertexId> members;
    for (int gpu = 0; gpu < gpus; ++gpu) {
      members.push_back(
          topology_.add_vertex({.kind = VertexKind::Gpu, .node = node, .number = gpu}));
    }
    switch (spec_.scale_up) {
      case ScaleUpKind::Switch:
        add_star(members, VertexKind::ScaleUpSwitch, spec_.scale_up_switches,
                 {.kind = LinkKind::ScaleUp,
                  .bandwidth = spec_.scale_up_bandwidth * spec_.scale_up_efficiency,
                  .nominal = spec_.scale_up_bandwidth,
                  .latency = spec_.scale_up_latency / 2});
        break;
      case ScaleUpKind::None:
        add_star(members, VertexKind::PcieSwitch, 1,
                 {.kind = LinkKind::Pcie,
                  .bandwidth = spec_.pcie_bandwidth * spec_.scale_up_efficiency,
                  .nominal = spec_.pcie_bandwidth,
                  .latency = spec_.scale_up_latency / 2});
        break;
      case ScaleUpKind::Mesh:
        add_mesh(members);
        break;
    }
    add_nics(node, members);
  }

  void add_star(const std::vector<VertexId>& members, VertexKind kind, int chips, Link link) {
    link.to = topology_.add_vertex(
        {.kind = kind, .node = topology_.vertex(members[0]).node, .count = chips, .level = 1});
    for (const VertexId gpu : members) {
      link.from = gpu;
      topology_.add_cable(link);
    }
  }

  void add_mesh(const std::vector<VertexId>& members) {
    for (const MeshLink& mesh : spec_.mesh_links) {
      const auto first = static_cast<std::size_t>(mesh.first);
      const auto second = static_cast<std::size_t>(mesh.second);
      if (first < members.size() && second < members.size()) {
        const BytesPerSecond nominal = spec_.scale_up_bandwidth * mesh.count;
        topology_.add_cable({.from = members[first],
                             .to = members[second],
                             .kind = LinkKind::ScaleUp,
                             .bandwidth = nominal * spec_.scale_up_efficiency,
                             .nominal = nominal,
                             .latency = spec_.scale_up_latency,
                             .count = mesh.count});
      }
    }
  }

  void add_nics(int node, const std::vector<VertexId>& gpus) {
    std::vector<VertexId> nics;
    for (int nic = 0; nic < spec_.nics_per_node; ++nic) {
      nics.push_back(
          topology_.add_vertex({.kind = VertexKind::Nic, .node = node, .number = nic, .level = 1}));
      // A single node has no use for a fabric, unless its mesh leaves GPUs unconnected.
      if (nodes_ > 1 || spec_.scale_up == ScaleUpKind::Mesh) {
        topology_.add_cable({.from = nics.back(),
                             .to = leaf_of(node, nic),
                             .kind = LinkKind::NicCable,
                             .bandwidth = spec_.nic_bandwidth * spec_.nic_efficiency,
                             .nominal = spec_.nic_bandwidth,
                             .latency = spec_.fabric_latency / 2});
      }
    }
    for (std::size_t gpu = 0; gpu < gpus.size(); ++gpu) {
      const std::size_t nic = gpu * nics.size() / static_cast<std::size_t>(spec_.gpus_per_node);
      topology_.add_cable({.from = gpus[gpu],
                           .to = nics[nic],
                           .kind = LinkKind::Pcie,
                           .bandwidth = spec_.pcie_bandwidth,
                           .nominal = spec_.pcie_bandwidth});
    }
  }

  /// The leaf that serves a NIC; leaves are made when their first NIC asks.
  VertexId leaf_of(int node, int nic) {
    int number = 0;
    switch (spec_.fabric) {
      case FabricKind::Switch:
        number = 0;
        break;
      case FabricKind::FatTree:
        number = node / spec_.nodes_per_leaf;
        break;
      case FabricKind::RailOptimised:
        number = node / spec_.nodes_per_leaf * spec_.nics_per_node + nic;
        break;
    }
    while (leaves_.size() <= static_cast<std::size_t>(number)) {
      leaves_.push_back(topology_.add_vertex(
          {.kind = VertexKind::Leaf, .number = static_cast<int>(leaves_.size()), .level = 2}));
    }
    return leaves_[static_cast<std::size_t>(number)];
  }

  void add_spine() {
    if (leaves_.size() < 2) {
      return;
    }
    const int ports = spec_.fabric == FabricKind::RailOptimised
                          ? spec_.nodes_per_leaf
                          : spec_.nodes_per_leaf * spec_.nics_per_node;
    const double uplinks = ports / spec_.oversubscription;  // in NIC-sized cables
    // Spines have as many ports as leaves: a leaf's ports, down and up, face that many leaves.
    const double leaf_ports = ports + uplinks;
    const int spines = std::max(
        1, static_cast<int>(std::ceil(static_cast<double>(leaves_.size()) * uplinks / leaf_ports)));
    const VertexId spine =
        topology_.add_vertex({.kind = VertexKind::Spine, .count = spines, .level = 3});
    for (const VertexId leaf : leaves_) {
      topology_.add_cable({.from = leaf,
                           .to = spine,
                           .kind = LinkKind::Uplink,
                           .bandwidth = spec_.nic_bandwidth * spec_.nic_efficiency * uplinks,
                           .nominal = spec_.nic_bandwidth * uplinks,
                           .latency = spec_.hop_latency,
                           .count = std::max(1, static_cast<int>(std::lround(uplinks)))});
    }
  }

  const TopologySpec& spec_;
  int gpus_;
  int nodes_ = 0;
  Topology topology_;
  std::vector<VertexId> leaves_;
};

}  // namespace

Route route(const Cluster& cluster, int from, int to, int /*flow*/) {
  return cluster.topology.route(make_id<GpuId>(static_cast<std::size_t>(from)),
                                make_id<GpuId>(static_cast<std::size_t>(to)));
}

Cluster build_cluster(const ClusterSpec& spec) {
  Cluster cluster{spec, Builder(spec.topology, spec.gpus).build()};
  degrade(spec.degraded, spec.topology.gpus_per_node, spec.topology.nics_per_node,
          cluster.topology);
  return cluster;
}

}  // namespace danlu
