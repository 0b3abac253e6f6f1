// Cables of three-level trees: how spines meet cores.
#include <gtest/gtest.h>

#include <map>
#include <ostream>
#include <string>

#include "sim/cluster/cluster.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

/// A tree with pods and a cable for every pair of ports.
struct Tree {
  const char* topology;
  int gpus;
  int pods, planes;
  int spine_cables, cores;  // of a spine, of a plane
};

void PrintTo(const Tree& tree, std::ostream* out) {
  *out << tree.topology;
}

class Cabling : public ::testing::TestWithParam<Tree> {};

// Spines of a pod and plane deal their cables out to the cores of that plane in turn: a spine meets
// a core twice only where it has more cables than there are cores, and each core has as many cables
// to one pod as to another, and no more than one less than any other core.
TEST_P(Cabling, SpinesDealTheirCablesOutToTheCoresOfTheirPlane) {
  const Tree tree = GetParam();
  ClusterSpec spec = load_topology(tree.topology, testing::shipped_presets());
  spec.gpus = tree.gpus;
  spec.topology.routing = Routing::Ecmp;
  const Cluster cluster = build_cluster(spec);
  const Topology& topology = cluster.topology;
  int spines = 0;
  int cores = 0;
  for (const Vertex& vertex : topology.vertices()) {
    spines += vertex.kind == VertexKind::Spine ? 1 : 0;
    cores += vertex.kind == VertexKind::Core ? 1 : 0;
  }
  EXPECT_EQ(cores, tree.planes * tree.cores);
  const int set = spines / (tree.pods * tree.planes);
  std::map<std::pair<int, int>, int> of_pair;  // spine and core
  std::map<int, int> of_spine;
  std::map<std::pair<int, int>, int> of_pod;  // core and pod
  for (const Link& link : topology.links()) {
    const Vertex& from = topology.vertex(link.from);
    const Vertex& to = topology.vertex(link.to);
    if (from.kind != VertexKind::Spine || to.kind != VertexKind::Core) {
      continue;
    }
    EXPECT_EQ(from.number / set % tree.planes, to.number / tree.cores);
    ++of_pair[{from.number, to.number}];
    ++of_spine[from.number];
    ++of_pod[{to.number, from.number / (set * tree.planes)}];
  }
  EXPECT_EQ(static_cast<int>(of_spine.size()), spines);
  for (const auto& [spine, count] : of_spine) {
    EXPECT_EQ(count, tree.spine_cables) << "spine " << spine;
  }
  const int meetings = (tree.spine_cables + tree.cores - 1) / tree.cores;
  for (const auto& [pair, count] : of_pair) {
    EXPECT_LE(count, meetings) << "spine " << pair.first << ", core " << pair.second;
  }
  const int least = set * tree.spine_cables / tree.cores;
  EXPECT_EQ(static_cast<int>(of_pod.size()), cores * tree.pods);
  for (const auto& [pair, count] : of_pod) {
    EXPECT_GE(count, least) << "core " << pair.first << ", pod " << pair.second;
    EXPECT_LE(count, set * tree.spine_cables % tree.cores == 0 ? least : least + 1);
  }
}

// HPN: 60 spines of a pod and plane with 8 cables each; 2 pods have 2 x 60 x 8 = 960 cables of a
// plane, 128 ports a core: 8 cores. A fat tree of 64-port switches: pods of 1024 GPUs have 32
// spines of 32 cables; two pods fill 2 x 32 x 32 / 64 = 32 cores, four 64.
INSTANTIATE_TEST_SUITE_P(All, Cabling,
                         ::testing::Values(Tree{"alibaba-hpn", 2 * 15360, 2, 2, 8, 8},
                                           Tree{"h100-fat-tree-3", 2048, 2, 1, 32, 32},
                                           Tree{"h100-fat-tree-3", 4096, 4, 1, 32, 64}),
                         [](const auto& tree) { return "Of" + std::to_string(tree.param.gpus); });

}  // namespace
}  // namespace danlu
