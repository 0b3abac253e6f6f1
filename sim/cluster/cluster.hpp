// The machine: a TopologySpec says in a few lines what a node and its fabric are made of, and
// build_cluster makes the graph of every GPU, NVSwitch, NIC, leaf and spine with directed links.
//
//    GPU0 ... GPU7                 scale-up: one link up and one down per GPU
//     | \    / |
//     |  NVSwitch                  (or direct GPU-GPU links: mesh)
//    NIC0 ... NIC7                 PCIe, one NIC serves gpus/nics GPUs
//     |        |
//    leaf0 .. leaf7                rail-optimised: NIC i of every node of a group on leaf i
//      \      /
//       spine                      bundles of cables, spread evenly (adaptive routing)
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "sim/cluster/degraded.hpp"
#include "sim/cluster/gpu_spec.hpp"
#include "sim/cluster/topology.hpp"

namespace danlu {

enum class ScaleUpKind { Switch, Mesh, None };
enum class FabricKind { RailOptimised, FatTree, Switch };

/// A bundle of point-to-point links between two GPUs of a mesh node.
struct MeshLink {
  int first = 0;
  int second = 0;
  int count = 1;
};

/// A node and the fabric between nodes, as read from topologies/*.yaml.
struct TopologySpec {
  std::string name;
  int gpus_per_node = 1;
  double node_power_watts = 0;

  ScaleUpKind scale_up = ScaleUpKind::Switch;
  int scale_up_switches = 1;          // chips, for the counts and the drawing
  BytesPerSecond scale_up_bandwidth;  // nominal, per GPU (mesh: per link) and direction
  double scale_up_efficiency = 1;     // share that collectives achieve
  Seconds scale_up_latency;           // one step GPU to GPU, software included
  std::vector<MeshLink> mesh_links;

  BytesPerSecond pcie_bandwidth;  // GPU to NIC, each direction
  int nics_per_node = 1;
  BytesPerSecond nic_bandwidth;  // nominal, each direction
  double nic_efficiency = 1;

  FabricKind fabric = FabricKind::RailOptimised;
  int nodes_per_leaf = 1;
  double oversubscription = 1;  // of the leaves: bandwidth down / bandwidth up
  Seconds fabric_latency;       // one step GPU to GPU through one leaf, software included
  Seconds hop_latency;          // each further switch

  Seconds collective_launch;  // fixed cost of one collective
};

/// What the user asked for: a topology, the GPU in it, and how many of them.
struct ClusterSpec {
  TopologySpec topology;
  GpuSpec gpu;
  int gpus = 1;
  DegradedSpec degraded;
};

struct Cluster {
  ClusterSpec spec;
  Topology topology;

  int nodes() const {
    return (spec.gpus + spec.topology.gpus_per_node - 1) / spec.topology.gpus_per_node;
  }
  int node_of(int gpu) const { return gpu / spec.topology.gpus_per_node; }
  /// How many times as long the GPU's kernels take as those of a healthy one.
  double slowdown(GpuId gpu) const {
    const auto found = spec.degraded.gpus.find(static_cast<int>(index(gpu)));
    return found == spec.degraded.gpus.end() ? 1 : found->second;
  }
};

/// Builds the graph. `spec` has passed the reader's checks.
Cluster build_cluster(const ClusterSpec& spec);

/// The links from one GPU to another. `flow` tells flows of one pair apart where a fabric spreads
/// flows over equal paths.
Route route(const Cluster& cluster, int from, int to, int flow = 0);

/// Bandwidth between two halves of the GPUs, nominal, both directions together, by Boost's
/// max-flow. The halves are the lower and the upper GPU numbers.
BytesPerSecond bisection_bandwidth(const Cluster& cluster);

}  // namespace danlu
