// A node and the fabric between nodes in a few lines, as read from topologies/*.yaml.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/names.hpp"
#include "sim/cluster/degraded.hpp"
#include "sim/cluster/gpu_spec.hpp"

namespace danlu {

/// How the GPUs of a node are joined: through switches, by direct links, over PCIe only, or by
/// direct links to the neighbours in a torus.
enum class ScaleUpKind { Switch, Mesh, None, Torus };
template <>
inline constexpr auto kNames<ScaleUpKind> =
    std::to_array<Named<ScaleUpKind>>({{ScaleUpKind::Switch, "switch"},
                                       {ScaleUpKind::Mesh, "mesh"},
                                       {ScaleUpKind::None, "none"},
                                       {ScaleUpKind::Torus, "torus"}});

enum class FabricKind { RailOptimised, FatTree, Switch, RailOnly, Torus, Dragonfly };

/// A row of the table of fabrics: its name in a topology file, and what it is.
struct FabricRow {
  FabricKind value;
  std::string_view name;
  std::string_view help;
};
template <>
inline constexpr auto kNames<FabricKind> = std::to_array<FabricRow>({
    {FabricKind::RailOptimised, "rail-optimised",
     "NIC i of every node on leaf i of its group, the leaves below one spine"},
    {FabricKind::FatTree, "fat-tree", "all NICs of a node on one leaf"},
    {FabricKind::Switch, "switch", "one switch for all"},
    {FabricKind::RailOnly, "rail-only",
     "every rail a tree (plane) of its own, nothing between them"},
    {FabricKind::Torus, "torus",
     "switches on a grid that is closed into rings, each with its nodes"},
    {FabricKind::Dragonfly, "dragonfly",
     "groups of switches joined all to all, and the groups joined all to all"},
});

/// Adaptive: traffic spreads evenly over equal paths, which are bundled into one link. Ecmp: every
/// cable is a link of its own and a hash picks one path for a flow, so flows can collide.
enum class Routing { Adaptive, Ecmp };
template <>
inline constexpr auto kNames<Routing> =
    std::to_array<Named<Routing>>({{Routing::Adaptive, "adaptive"}, {Routing::Ecmp, "ecmp"}});

/// A bundle of point-to-point links between two GPUs of a mesh node.
struct MeshLink {
  int first = 0;
  int second = 0;
  int count = 1;
  bool operator==(const MeshLink&) const = default;
};

/// Where checkpoints go; 0: no limit that one knows of.
struct StorageSpec {
  BytesPerSecond write;       // all writers together
  BytesPerSecond read;        // all readers together
  BytesPerSecond node_write;  // one node
  BytesPerSecond node_read;
  bool shares_nics = false;  // travels over the NICs of training
  bool operator==(const StorageSpec&) const = default;
};

struct TopologySpec {
  std::string name;
  std::vector<std::string> notes;  // what was assumed where the files are silent; sentences
  int gpus_per_node = 1;
  double node_power_watts = 0;
  Bytes host_memory;        // of the CPUs; 0: not known
  double cpu_slowdown = 1;  // time of a host's launches over a server's with x86

  ScaleUpKind scale_up = ScaleUpKind::Switch;
  int scale_up_switches = 1;          // chips, for the counts and the drawing
  int scale_up_wrap = 3;              // of a torus: the shortest axis that closes into a ring
  int pcie_switches = 1;              // where GPUs meet over PCIe: joined by the CPUs
  std::vector<int> pcie_gpus;         // below each PCIe switch, in order; empty: split evenly
  std::vector<int> pcie_nics;         // the same of NICs
  BytesPerSecond scale_up_bandwidth;  // nominal, per GPU (mesh and torus: per link) and direction
  double scale_up_efficiency = 1;     // share that collectives achieve
  double scale_up_reduction_efficiency = 0;  // same for sums that switches make; 0: they cannot
  // Bus bandwidth that such sums never exceed, over scale_up_bandwidth; 0: none.
  double scale_up_reduction_cap_share = 0;
  Seconds scale_up_latency;          // one step GPU to GPU, software included
  std::vector<MeshLink> mesh_links;  // of a torus too
  std::vector<int> scale_up_dims;    // of a torus: GPUs along each axis

  BytesPerSecond pcie_bandwidth;     // GPU to NIC, each direction, or to the PCIe switch
  double pcie_efficiency = 1;        // share that collectives between GPUs achieve over it
  BytesPerSecond pcie_uplink;        // from a PCIe switch to the CPUs; 0: as pcie_bandwidth
  std::map<int, double> pcie_slots;  // GPUs in slower slots: share of pcie_bandwidth
  int nics_per_node = 1;             // 0: of a lone node
  int nic_cards = 0;  // where a GPU has several NICs: cards that these NICs stand for; 0: as many
  BytesPerSecond nic_slot;       // PCIe slot of a NIC; 0: no limit
  int ports_per_nic = 1;         // each to a leaf of its own
  BytesPerSecond nic_bandwidth;  // nominal, all ports, each direction
  double nic_efficiency = 1;

  FabricKind fabric = FabricKind::RailOptimised;
  int nodes_per_leaf = 1;           // torus and dragonfly: nodes at one switch
  int nodes_per_pod = 0;            // 0: two levels of switches; otherwise three
  int switch_ports = 0;             // of spines and cores, of an uplink's speed; 0: as a leaf
  double oversubscription = 1;      // of the leaves: bandwidth down / bandwidth up
  double pod_oversubscription = 1;  // of the spines below a core: bandwidth down / bandwidth up
  BytesPerSecond uplink_bandwidth;  // of one cable between switches; 0: that of a NIC's port
  std::vector<int> dims;            // of a torus: switches along each axis
  int groups = 1;                   // of a dragonfly
  int switches_per_group = 1;       // of a dragonfly
  int global_links_per_switch = 1;  // of a dragonfly
  Routing routing = Routing::Adaptive;
  Seconds fabric_latency;         // one step GPU to GPU through one leaf, software included
  double fabric_small_share = 1;  // of it, for messages up to 16 KiB
  // The same step where data travels with its flags (LL, LL128); 0: follows from fabric_latency.
  Seconds fabric_line_latency;
  bool fabric_ll128 = false;               // LL128 is in use between nodes
  double fabric_message_rate = 0;          // messages a second that a GPU can send; 0: no limit
  Seconds hop_latency;                     // each further switch
  double fabric_reduction_efficiency = 0;  // for sums made by its switches; 0: they cannot

  // Between rails: over NVLink to the GPU on the destination's rail, then along it.
  bool pxn = true;
  bool nccl_tuning = false;   // collectives follow NCCL's choice of algorithm and protocol
  bool plugin_tuner = false;  // between nodes a plugin of the network chooses instead
  std::uint32_t ecmp_seed = 1;
  int connections =
      1;  // flows that the traffic of two GPUs is split into, where ECMP tells them apart

  StorageSpec storage;

  Seconds collective_launch;   // fixed cost of one collective
  int collective_blocks = -1;  // thread blocks of each; below 0: NCCL's with its tuning, else none
  Bytes pipeline_fill;         // of rings and trees (sim/collective/tuning.hpp)
  Bytes reduction_fill;        // of sums in the switches of a node
  Bytes network_fill;          // of the network, all NICs of a node
  double network_passes = 0;   // network stages that do not overlap while it fills
  // Of NVLS with trees: share of the NICs' rate that their heads reach; 0: as other trees.
  double head_share = 0;

  /// Whether NIC i of every node is on rail i.
  bool has_rails() const {
    return fabric == FabricKind::RailOptimised || fabric == FabricKind::RailOnly;
  }
  /// Nominal, of all scale-up links of a GPU (without any: of its PCIe slot), each direction.
  BytesPerSecond gpu_bandwidth() const {
    if (scale_up != ScaleUpKind::Mesh && scale_up != ScaleUpKind::Torus) {
      return scale_up == ScaleUpKind::None ? pcie_bandwidth : scale_up_bandwidth;
    }
    int links = 0;
    for (const MeshLink& link : mesh_links) {
      links += link.first == 0 || link.second == 0 ? link.count : 0;
    }
    return scale_up_bandwidth * links;
  }
  /// NICs of a node as one counts cards.
  int cards_per_node() const { return nic_cards > 0 ? nic_cards : nics_per_node; }
  BytesPerSecond port_bandwidth() const { return nic_bandwidth / ports_per_nic; }
  BytesPerSecond cable_bandwidth() const {
    return uplink_bandwidth.value > 0 ? uplink_bandwidth : port_bandwidth();
  }
  bool operator==(const TopologySpec&) const = default;
};

/// A kind of node: its GPU, and the rates and latencies of its links.
struct NodeKind {
  TopologySpec topology;
  GpuSpec gpu;
  bool operator==(const NodeKind&) const = default;
};

/// What the user asked for: a topology, the GPU in it, and how many of them. Some nodes may be of
/// another kind, with the same structure; the fabric is always that of `topology`.
struct ClusterSpec {
  TopologySpec topology;
  GpuSpec gpu;
  int gpus = 1;
  DegradedSpec degraded;
  std::vector<NodeKind> others;       // kinds 1, 2, ... of nodes; kind 0 is the topology's own
  std::map<int, int> kind_of_node{};  // of those nodes that are not of kind 0

  int nodes() const { return (gpus + topology.gpus_per_node - 1) / topology.gpus_per_node; }
  int kinds() const { return 1 + static_cast<int>(others.size()); }
  int kind_of(int node) const {
    const auto found = kind_of_node.find(node);
    return found == kind_of_node.end() ? 0 : found->second;
  }
  const TopologySpec& topology_of(int kind) const {
    return kind == 0 ? topology : others[static_cast<std::size_t>(kind) - 1].topology;
  }
  const GpuSpec& gpu_of(int kind) const {
    return kind == 0 ? gpu : others[static_cast<std::size_t>(kind) - 1].gpu;
  }
  /// GPUs of each kind.
  /// The kinds of nodes, with how many GPUs there are in each; they refer to the spec.
  struct KindShare {
    const TopologySpec& topology;
    const GpuSpec& gpu;
    int gpus = 0;
  };
  std::vector<KindShare> gpus_by_kind() const;
  bool operator==(const ClusterSpec&) const = default;
};

/// Why nodes of `other` cannot stand beside those of `own` in one cluster, "" if they can: both
/// need the same structure.
std::string structure_problem(const TopologySpec& own, const TopologySpec& other);

/// The worse of two kinds of node in everything that a collective among both pays.
TopologySpec worse_of(const TopologySpec& a, const TopologySpec& b);

}  // namespace danlu
