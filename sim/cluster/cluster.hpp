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

#include <compare>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "sim/cluster/fabrics.hpp"
#include "sim/cluster/nodes.hpp"
#include "sim/cluster/topology.hpp"
#include "sim/cluster/topology_spec.hpp"

namespace danlu {

/// What decides how long a GPU's kernels take: its kind of node, and how many times as long as on a
/// healthy one of that kind all through the step.
struct GpuSpeed {
  int kind = 0;
  double slowdown = 1;
  auto operator<=>(const GpuSpeed&) const = default;  // NOLINT(modernize-use-nullptr)
};

struct Cluster {
  ClusterSpec spec;
  Topology topology;
  Nodes inside;        // of the nodes, for routing
  Fabric fabric;       // between them; nothing for a single node
  TopologySpec mixed;  // where nodes differ: what collectives among unlike nodes pay
  std::map<LinkId, std::vector<int>> flaps{};  // of spec.degraded.flaps, by link that they concern

  int nodes() const { return inside.count(); }
  int node_of(int gpu) const { return gpu / spec.topology.gpus_per_node; }
  GpuSpeed speed(GpuId gpu) const {
    const int number = static_cast<int>(index(gpu));
    const auto found = spec.degraded.gpus.find(number);
    return {spec.kind_of(node_of(number)), found == spec.degraded.gpus.end() ? 1 : found->second};
  }
  /// The flaps of one link, in the order of the scenario.
  std::vector<Flap> flaps_of(LinkId link) const;
  /// The one kind of node that these GPUs sit in, -1 for several.
  int kind_of(std::span<const int> gpus) const;
  /// What communication among these GPUs is made of and pays besides its links.
  const TopologySpec& topology_among(std::span<const int> gpus) const {
    const int kind = kind_of(gpus);
    return kind < 0 ? mixed : spec.topology_of(kind);
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
