// Routes and bisections of clusters against breadth-first search and arithmetic by hand.
#include "sim/cluster/topology.hpp"

#include <fmt/format.h>

#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;

GpuId gpu(int number) {
  return make_id<GpuId>(static_cast<std::size_t>(number));
}

/// `nodes` x `gpus` GPUs; links of 100 (scale-up), 50 (PCIe) and 25 GB/s (NIC), latencies that tell
/// the levels apart: 3 us a step in the node, 10 us through a leaf, 1 us for each hop from a leaf
/// to the spine or back.
ClusterSpec small(FabricKind fabric, int nodes, int gpus, int nics) {
  ClusterSpec spec;
  spec.topology = {.name = "small",
                   .gpus_per_node = gpus,
                   .scale_up_bandwidth = 100_GBps,
                   .scale_up_latency = 3_us,
                   .pcie_bandwidth = 50_GBps,
                   .nics_per_node = nics,
                   .nic_bandwidth = 25_GBps,
                   .fabric = fabric,
                   .nodes_per_leaf = 2,
                   .fabric_latency = 10_us,
                   .hop_latency = 1_us,
                   .pxn = false};
  spec.gpus = nodes * gpus;
  return spec;
}

/// Kinds of the links from one GPU to another, a letter each: s scale-up, p PCIe, n NIC cable, u
/// uplink.
std::string path(const Cluster& cluster, int from, int to) {
  std::string letters;
  for (const LinkId link : route(cluster, from, to)) {
    letters += "spnu"[static_cast<std::size_t>(cluster.topology.link(link).kind)];
  }
  return letters;
}

double latency_us(const Cluster& cluster, int from, int to) {
  const Topology& topology = cluster.topology;
  return topology.latency(route(cluster, from, to)).value * 1e6;
}

/// Every link of the route starts where the one before it ended.
void expect_connected(const Topology& topology, const Route& route, int from, int to) {
  VertexId at = topology.gpu(gpu(from));
  for (const LinkId link : route) {
    ASSERT_EQ(topology.link(link).from, at);
    at = topology.link(link).to;
  }
  EXPECT_EQ(at, topology.gpu(gpu(to)));
}

// Climbing to the nearest common switch is never longer than the shortest way through the whole
// graph, and the way back takes as long.
TEST(Route, IsAsShortAsBreadthFirstSearchFinds) {
  for (const FabricKind fabric :
       {FabricKind::RailOptimised, FabricKind::FatTree, FabricKind::Switch}) {
    for (const ScaleUpKind scale_up : {ScaleUpKind::Switch, ScaleUpKind::None}) {
      for (const int nics : {1, 2, 4}) {
        ClusterSpec spec = small(fabric, 5, 4, nics);
        spec.topology.scale_up = scale_up;
        spec.topology.pxn = scale_up == ScaleUpKind::None;  // PCIe switches reach every NIC
        const Cluster cluster = build_cluster(spec);
        for (int from = 0; from < spec.gpus; ++from) {
          for (int to = 0; to < spec.gpus; ++to) {
            if (from == to) {
              continue;
            }
            SCOPED_TRACE(fmt::format("fabric {}, scale-up {}, {} NICs, {} to {}",
                                     static_cast<int>(fabric), static_cast<int>(scale_up), nics,
                                     from, to));
            const Route way = route(cluster, from, to);
            expect_connected(cluster.topology, way, from, to);
            EXPECT_EQ(way.size(), cluster.topology.shortest_route(gpu(from), gpu(to)).size());
            EXPECT_TRUE(near(latency_us(cluster, from, to), latency_us(cluster, to, from)));
          }
        }
      }
    }
  }
}

// With one NIC for four GPUs the way over the NIC is two links long as well; NVLink is taken.
TEST(Route, StaysOnTheScaleUpLinksInsideANode) {
  const Cluster cluster = build_cluster(small(FabricKind::FatTree, 2, 4, 1));
  for (int to = 1; to < 4; ++to) {
    EXPECT_EQ(path(cluster, 0, to), "ss");
    EXPECT_TRUE(near(latency_us(cluster, 0, to), 3));
  }
}

// Rail-optimised, 2 nodes a leaf, 4 GPUs and 4 NICs a node. GPU 0 of node 0 to the same rail in the
// next node crosses one leaf; to another rail, or to node 2 under other leaves, the spine:
//   GPU 0 -> GPU 4 (node 1, rail 0)   PCIe, NIC, NIC, PCIe                      10 us
//   GPU 0 -> GPU 5 (node 1, rail 1)   PCIe, NIC, uplink, uplink, NIC, PCIe      10 + 2 us
//   GPU 0 -> GPU 8 (node 2, rail 0)   the same
TEST(Route, CrossesTheSpineBetweenRailsAndBetweenGroups) {
  const Cluster cluster = build_cluster(small(FabricKind::RailOptimised, 4, 4, 4));
  EXPECT_EQ(path(cluster, 0, 4), "pnnp");
  EXPECT_EQ(path(cluster, 0, 5), "pnuunp");
  EXPECT_EQ(path(cluster, 0, 8), "pnuunp");
  EXPECT_TRUE(near(latency_us(cluster, 0, 4), 10));
  EXPECT_TRUE(near(latency_us(cluster, 0, 5), 12));
}

// In a fat tree all rails of a group share the leaf; in a single switch everybody does.
TEST(Route, FatTreesAndSwitchesKnowNoRails) {
  const Cluster tree = build_cluster(small(FabricKind::FatTree, 4, 4, 4));
  EXPECT_EQ(path(tree, 0, 5), "pnnp");
  EXPECT_EQ(path(tree, 0, 8), "pnuunp");
  const Cluster single = build_cluster(small(FabricKind::Switch, 4, 4, 4));
  EXPECT_EQ(path(single, 0, 15), "pnnp");
}

// A square of GPUs 0-1-2-3-0: neighbours are one link apart, 0 and 2 two links with a GPU in
// between.
TEST(Route, AMeshUsesItsDirectLinks) {
  ClusterSpec spec = small(FabricKind::FatTree, 2, 4, 4);
  spec.topology.scale_up = ScaleUpKind::Mesh;
  spec.topology.mesh_links = {{0, 1, 1}, {1, 2, 2}, {2, 3, 1}, {0, 3, 1}};
  const Cluster cluster = build_cluster(spec);
  EXPECT_EQ(path(cluster, 0, 1), "s");
  EXPECT_EQ(path(cluster, 0, 2), "ss");
  EXPECT_EQ(path(cluster, 0, 4), "pnnp");
  EXPECT_TRUE(near(latency_us(cluster, 0, 1), 3));
  EXPECT_TRUE(near(latency_us(cluster, 0, 2), 6));
}

// Two links between GPU 1 and 2 are one bundle of 2 x 100 GB/s.
TEST(Route, ParallelMeshLinksAreOneBundle) {
  ClusterSpec spec = small(FabricKind::FatTree, 1, 4, 4);
  spec.topology.scale_up = ScaleUpKind::Mesh;
  spec.topology.mesh_links = {{0, 1, 1}, {1, 2, 2}, {2, 3, 1}, {0, 3, 1}};
  const Cluster cluster = build_cluster(spec);
  const Route way = route(cluster, 1, 2);
  ASSERT_EQ(way.size(), 1U);
  EXPECT_TRUE(near(cluster.topology.link(way[0]).bandwidth.value, 200e9));
}

// ---- bisection: both directions together, nominal
// ----------------------------------------------------

double bisection_of_preset(const std::string& name) {
  return bisection_bandwidth(build_cluster(load_topology(name, testing::shipped_presets()))).value;
}

// 4 GPUs send 300 GB/s each to the other 4 and receive as much: 4 x 300 x 2 = 2.4 TB/s.
TEST(Bisection, OfOneDgxA100IsTwoPointFourTerabytesPerSecond) {
  EXPECT_TRUE(near(bisection_of_preset("dgx-a100"), 2.4e12));
}

// 4 x 450 x 2 = 3.6 TB/s.
TEST(Bisection, OfOneDgxH100IsThreePointSixTerabytesPerSecond) {
  EXPECT_TRUE(near(bisection_of_preset("dgx-h100"), 3.6e12));
}

// 4 nodes x 2 GPUs, 2 NICs of 25 GB/s, rail-optimised with 2 nodes a leaf: nodes 0 and 1 on leaves
// 0, 1, nodes 2 and 3 on leaves 2, 3. All 4 NICs of a half reach the spine over 2 leaves x 2 cables
// x 25 GB/s: 100 GB/s a direction, 200 together. With oversubscription 2 the uplinks are half: 100.
TEST(Bisection, OfFourNodesIsWhatTheirUplinksCarry) {
  ClusterSpec spec = small(FabricKind::RailOptimised, 4, 2, 2);
  EXPECT_TRUE(near(bisection_bandwidth(build_cluster(spec)).value, 200e9));
  spec.topology.oversubscription = 2;
  EXPECT_TRUE(near(bisection_bandwidth(build_cluster(spec)).value, 100e9));
}

// Below one leaf the uplinks do not matter: 2 nodes x 2 NICs x 25 GB/s x 2 directions = 200 GB/s.
TEST(Bisection, BelowOneLeafIsWhatTheNicsCarry) {
  ClusterSpec spec = small(FabricKind::RailOptimised, 4, 2, 2);
  spec.topology.nodes_per_leaf = 4;
  spec.topology.oversubscription = 4;
  EXPECT_TRUE(near(bisection_bandwidth(build_cluster(spec)).value, 200e9));
}

}  // namespace
}  // namespace danlu
