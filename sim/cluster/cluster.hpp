// The machine: a TopologySpec says in a few lines what a node and its fabric are made of, and
// build_cluster makes the graph of every GPU, NVSwitch, NIC, leaf and spine with directed links.
//
//    GPU0 ... GPU7                 scale-up: one link up and one down per GPU
//     | \    / |
//     |  NVSwitch                  (or direct GPU-GPU links: mesh, torus)
//    NIC0 ... NIC7                 PCIe, one NIC serves gpus/nics GPUs
//     |        |
//    leaf0 .. leaf7                rail-optimised: NIC i of every node of a group on leaf i
//      \      /
//       spine                      bundles of cables, spread evenly (adaptive routing)
#pragma once

#include <string>
#include <vector>

#include "sim/cluster/fabrics.hpp"
#include "sim/cluster/nodes.hpp"
#include "sim/cluster/topology.hpp"
#include "sim/cluster/topology_spec.hpp"

namespace danlu {

struct Cluster {
  ClusterSpec spec;
  Topology topology;
  Nodes inside;   // of the nodes, for routing
  Fabric fabric;  // between them; nothing for a single node

  int nodes() const { return inside.count(); }
  int node_of(int gpu) const { return gpu / spec.topology.gpus_per_node; }
  /// How many times as long the GPU's kernels take as those of a healthy one.
  double slowdown(GpuId gpu) const {
    const auto found = spec.degraded.gpus.find(static_cast<int>(index(gpu)));
    return found == spec.degraded.gpus.end() ? 1 : found->second;
  }
};

/// What keeps `spec` from being built (a torus with too few switches, say), "" if nothing does.
std::string cluster_problem(const ClusterSpec& spec);

/// Builds the graph. `spec` has passed the reader's checks and cluster_problem().
Cluster build_cluster(const ClusterSpec& spec);

/// The links from one GPU to another, in time proportional to their number. `flow` tells flows of
/// one pair apart where ECMP chooses among equal paths.
Route route(const Cluster& cluster, int from, int to, int flow = 0);

/// Bandwidth between two halves of the GPUs, nominal, both directions together, by Boost's
/// max-flow. The halves are the lower and the upper GPU numbers.
BytesPerSecond bisection_bandwidth(const Cluster& cluster);

}  // namespace danlu
