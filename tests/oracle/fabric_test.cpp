// Fabrics against published counts, searches over the whole graph, and arithmetic by hand.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "sim/cluster/cluster.hpp"
#include "sim/cluster/port_note.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped_presets;

/// A shipped topology with so many GPUs.
ClusterSpec shipped(const std::string& name, int gpus) {
  ClusterSpec spec = load_topology(name, shipped_presets());
  spec.gpus = gpus;
  return spec;
}

int vertices(const Cluster& cluster, VertexKind kind) {
  int count = 0;
  for (const Vertex& vertex : cluster.topology.vertices()) {
    count += vertex.kind == kind ? vertex.count : 0;
  }
  return count;
}

int cables(const Cluster& cluster, LinkKind kind) {
  int count = 0;
  for (const Link& link : cluster.topology.links()) {
    count += link.kind == kind ? link.count : 0;
  }
  return count / 2;
}

/// A letter for every link: s scale-up, p PCIe, n NIC cable, u uplink, c core uplink, t torus, l
/// local and g global cable of a dragonfly.
std::string path(const Cluster& cluster, int from, int to, int flow = 0) {
  std::string letters;
  for (const LinkId link : route(cluster, from, to, flow)) {
    letters += "spnuctlg"[static_cast<std::size_t>(cluster.topology.link(link).kind)];
  }
  return letters;
}

void expect_way(const Cluster& cluster, const Route& way, int from, int to) {
  const auto gpu = [&](int number) {
    return cluster.topology.gpu(make_id<GpuId>(static_cast<std::size_t>(number)));
  };
  VertexId at = gpu(from);
  for (const LinkId link : way) {
    ASSERT_EQ(cluster.topology.link(link).from, at);
    at = cluster.topology.link(link).to;
  }
  EXPECT_EQ(at, gpu(to));
}

std::size_t fewest_links(const Cluster& cluster, int from, int to) {
  return cluster.topology
      .shortest_route(make_id<GpuId>(static_cast<std::size_t>(from)),
                      make_id<GpuId>(static_cast<std::size_t>(to)))
      .size();
}

/// How many flows cross each link of a kind.
std::map<LinkId, int> flows_by_link(const Cluster& cluster, LinkKind kind,
                                    const std::vector<Route>& routes) {
  std::map<LinkId, int> flows;
  for (const Route& way : routes) {
    for (const LinkId link : way) {
      flows[link] += cluster.topology.link(link).kind == kind ? 1 : 0;
    }
  }
  std::erase_if(flows, [](const auto& item) { return item.second == 0; });
  return flows;
}

// ---- every shipped topology

class ShippedTopology : public ::testing::TestWithParam<std::string> {};

/// Nodes enough to meet every level: two groups, and pods where a pod is small.
int small_size(const TopologySpec& spec) {
  const int group = spec.fabric == FabricKind::Switch ? 2 : spec.nodes_per_leaf + 1;
  const bool small_pods = spec.nodes_per_pod > 0 && spec.nodes_per_pod <= 32;
  return spec.gpus_per_node * std::min(small_pods ? spec.nodes_per_pod + 1 : group, 80);
}

/// Pairs that a test looks at: all of a small cluster, a sample of a larger one.
std::vector<std::pair<int, int>> some_pairs(int gpus) {
  constexpr int kMost = 300;
  std::vector<std::pair<int, int>> pairs;
  std::mt19937 dice(7);
  for (int i = 0; i < kMost; ++i) {
    const int from = static_cast<int>(dice() % static_cast<unsigned>(gpus));
    const int to = static_cast<int>(dice() % static_cast<unsigned>(gpus));
    if (from != to) {
      pairs.emplace_back(from, to);
    }
  }
  for (int to = 1; to < std::min(gpus, 80); ++to) {
    pairs.emplace_back(0, to);
  }
  return pairs;
}

/// The same cluster without direct links between GPUs: a search could leave a node by a neighbour's
/// NIC, where without PXN a GPU uses its own.
Cluster without_mesh(const ClusterSpec& spec) {
  Cluster cluster = build_cluster(spec);
  const ScaleUpKind kind = spec.topology.scale_up;
  if (kind == ScaleUpKind::Mesh || kind == ScaleUpKind::Torus) {
    TopologyParts parts;
    const auto vertices = cluster.topology.vertices();
    parts.vertices.assign(vertices.begin(), vertices.end());
    for (const Link& link : cluster.topology.links()) {
      if (link.kind != LinkKind::ScaleUp) {
        parts.links.push_back(link);
      }
    }
    cluster.topology = Topology(std::move(parts));
  }
  return cluster;
}

/// One node of it without NICs that are shared: in a torus they would be short cuts.
Cluster one_node(ClusterSpec spec) {
  spec.gpus = spec.topology.gpus_per_node;
  spec.topology.nics_per_node = spec.gpus;
  return build_cluster(spec);
}

// Routes start and end where they should, cross as many links there as back, and without the detour
// over NVLink (PXN) none is longer than what a search of the whole graph finds. A dragonfly's
// minimal route may be: it crosses one global cable, a shorter way over two is not taken.
TEST_P(ShippedTopology, RoutesAllPairsTheShortestWay) {
  for (const Routing routing : {Routing::Adaptive, Routing::Ecmp}) {
    ClusterSpec spec = shipped(GetParam(), 1);
    spec.gpus = small_size(spec.topology);
    spec.topology.routing = routing;
    const bool rails_are_apart = spec.topology.fabric == FabricKind::RailOnly;
    spec.topology.pxn = rails_are_apart;
    ASSERT_EQ(cluster_problem(spec), "");
    const Cluster cluster = build_cluster(spec);
    const Cluster apart = without_mesh(spec);
    const Cluster node = one_node(spec);
    const int size = spec.topology.gpus_per_node;
    for (const auto& [from, to] : some_pairs(spec.gpus)) {
      const bool same_node = cluster.node_of(from) == cluster.node_of(to);
      SCOPED_TRACE(fmt::format("{} to {}", from, to));
      const Route way = route(cluster, from, to);
      expect_way(cluster, way, from, to);
      const Route back = route(cluster, to, from);
      EXPECT_EQ(way.size(), back.size());
      EXPECT_TRUE(near(cluster.topology.latency(way).value, cluster.topology.latency(back).value));
      if (spec.topology.fabric != FabricKind::Dragonfly) {
        EXPECT_EQ(way.size(), same_node ? fewest_links(node, from % size, to % size)
                                        : fewest_links(apart, from, to));
      }
    }
  }
}

// A bundle of n cables and n cables carry as much between two halves.
TEST_P(ShippedTopology, BisectionDoesNotDependOnRouting) {
  ClusterSpec spec = shipped(GetParam(), 1);
  spec.gpus = 2 * spec.topology.gpus_per_node;
  spec.topology.nodes_per_leaf = 1;
  spec.topology.nodes_per_pod = 0;
  const double bundled = bisection_bandwidth(build_cluster(spec)).value;
  spec.topology.routing = Routing::Ecmp;
  EXPECT_TRUE(near(bisection_bandwidth(build_cluster(spec)).value, bundled, 1e-6));
  EXPECT_GT(bundled, 0);
}

std::string test_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, ShippedTopology,
                         ::testing::ValuesIn(preset_names(testing::source_dir() + "/topologies")),
                         test_name);

// ---- counts that are in print

struct Counts {
  const char* topology;
  int gpus;
  int leaves;
  int spines;
  int cores;
  int between_switches;  // cables
};

class PublishedCounts : public ::testing::TestWithParam<Counts> {};

TEST_P(PublishedCounts, AreBuilt) {
  for (const Routing routing : {Routing::Adaptive, Routing::Ecmp}) {
    ClusterSpec spec = shipped(GetParam().topology, GetParam().gpus);
    spec.topology.routing = routing;
    const Cluster cluster = build_cluster(spec);
    EXPECT_EQ(vertices(cluster, VertexKind::Leaf), GetParam().leaves);
    EXPECT_EQ(vertices(cluster, VertexKind::Spine), GetParam().spines);
    EXPECT_EQ(vertices(cluster, VertexKind::Core), GetParam().cores);
    EXPECT_EQ(cables(cluster, LinkKind::Uplink) + cables(cluster, LinkKind::CoreUplink),
              GetParam().between_switches);
  }
}

// Fat trees of 64-port switches with two levels (2048 end points, 96 switches, 2048 links), three
// (65,536, 5120, 131,072) and eight planes of two (16,384, 768, 16,384): arXiv:2505.09343, table 3.
// DGX SuperPOD: 32 leaf and 16 spine switches for 1024 GPUs; 128, 128 and 64 for 4096.
// Alibaba HPN: 240 ToR (15 segments x 8 rails x 2 planes) and 120 aggregation switches for 15,360
// GPUs, 60 cables up from each ToR. Meta: 192 ToR for a pod of 3072 GPUs; each has 32 cables up.
INSTANTIATE_TEST_SUITE_P(All, PublishedCounts,
                         ::testing::Values(Counts{"h100-fat-tree", 2048, 64, 32, 0, 2048},
                                           Counts{"h100-fat-tree-3", 65536, 2048, 2048, 1024,
                                                  131072},
                                           Counts{"deepseek-h800", 16384, 512, 256, 0, 16384},
                                           Counts{"dgx-h100", 1024, 32, 16, 0, 1024},
                                           Counts{"h100-superpod", 4096, 128, 128, 64, 8192},
                                           Counts{"alibaba-hpn", 15360, 240, 120, 0, 14400},
                                           Counts{"meta-24k", 3072, 192, 12, 0, 6144}),
                         [](const auto& counts) {
                           std::string name = counts.param.topology;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return fmt::format("{}_{}", name, counts.param.gpus);
                         });

// 15 segments up, 1/15 of it on to the core: two pods have 60 x 8 cables of a plane to the core.
TEST(Fabric, HpnHasAFifteenthOfItsBandwidthAboveThePod) {
  const Cluster cluster = build_cluster(shipped("alibaba-hpn", 2 * 15360));
  EXPECT_EQ(cables(cluster, LinkKind::CoreUplink), 2 * 2 * 60 * 8);
  double up = 0;
  double core = 0;
  for (const Link& link : cluster.topology.links()) {
    up += link.kind == LinkKind::Uplink ? link.nominal.value : 0;
    core += link.kind == LinkKind::CoreUplink ? link.nominal.value : 0;
  }
  EXPECT_TRUE(near(up / core, 15));
}

// A pod of 3072 GPUs sends 3072 x 50 GB/s = 153.6 TB/s up to its spines and beyond, and a seventh
// of that, 21.94 TB/s, to the core. Two pods: both directions together.
TEST(Fabric, MetaHasASeventhOfItsNicsBetweenPods) {
  ClusterSpec spec = shipped("meta-24k", 24576);
  const Cluster cluster = build_cluster(spec);
  double core = 0;
  for (const Link& link : cluster.topology.links()) {
    core += link.kind == LinkKind::CoreUplink ? link.nominal.value : 0;
  }
  EXPECT_TRUE(near(core / 2, 8 * 3072 * 50e9 / 7));
  EXPECT_EQ(vertices(cluster, VertexKind::Leaf), 8 * 192);
}

// ---- exact paths

// T29. Cross-rail, below the same leaves: 4 network cables over the spine (NIC, up, down, NIC), or
// with PXN one NVLink step to the local GPU on the rail and 2. Same rail: 2 either way.
TEST(Pxn, TradesTwoCablesForAStepOverNvlink) {
  ClusterSpec spec = shipped("dgx-h100", 16);
  EXPECT_EQ(path(build_cluster(spec), 0, 9), "sspnnp");
  EXPECT_EQ(path(build_cluster(spec), 0, 8), "pnnp");
  spec.topology.pxn = false;
  EXPECT_EQ(path(build_cluster(spec), 0, 9), "pnuunp");
  EXPECT_EQ(path(build_cluster(spec), 0, 8), "pnnp");
}

// The GPU in between is the one on the destination's rail, and the NIC its own.
TEST(Pxn, LeavesByTheDestinationsRail) {
  const Cluster cluster = build_cluster(shipped("deepseek-h800", 16));
  const Route way = route(cluster, 2, 8 + 5);
  const Vertex& gateway = cluster.topology.vertex(cluster.topology.link(way[1]).to);
  EXPECT_EQ(gateway.kind, VertexKind::Gpu);
  EXPECT_EQ(gateway.node, 0);
  EXPECT_EQ(gateway.number, 5);
  EXPECT_EQ(cluster.topology.vertex(cluster.topology.link(way[2]).to).number, 5);
}

// A mesh node (MI300X) forwards over the direct link.
TEST(Pxn, GoesOverADirectLinkInAMesh) {
  EXPECT_EQ(path(build_cluster(shipped("mi300x", 16)), 0, 9), "spnnp");
}

// Rails of eight GPUs and four NICs: GPUs 0, 1 on rail 0, ..., 6, 7 on rail 3.
TEST(Pxn, KnowsRailsThatTwoGpusShare) {
  ClusterSpec spec = shipped("dgx-h100", 16);
  spec.topology.nics_per_node = 4;
  const Cluster cluster = build_cluster(spec);
  EXPECT_EQ(path(cluster, 0, 9), "pnnp");
  EXPECT_EQ(path(cluster, 1, 15), "sspnnp");
}

// Three levels: one leaf for the 32 nodes of a unit, then up to the core.
TEST(Fabric, ClimbsOnlyAsHighAsItMust) {
  ClusterSpec spec = shipped("h100-superpod", 8 * 64);
  spec.topology.nodes_per_leaf = 2;
  spec.topology.nodes_per_pod = 32;
  const Cluster cluster = build_cluster(spec);
  EXPECT_EQ(path(cluster, 0, 8), "pnnp");
  EXPECT_EQ(path(cluster, 0, 16), "pnuunp");
  EXPECT_EQ(path(cluster, 0, 8 * 32), "pnuccunp");
}

// 16 x 16 switches: 3 to the right and 15 down is 1 up, the shorter way around.
TEST(Torus, GoesAlongTheFirstAxisAndTheShorterWayAround) {
  const Cluster cluster = build_cluster(shipped("h100-torus-2d", 8 * 256));
  EXPECT_EQ(path(cluster, 0, 8 * 3), "pntttnp");
  EXPECT_EQ(path(cluster, 0, 8 * (15 * 16 + 3)), "pnttttnp");
  const Route way = route(cluster, 0, 8 * (15 * 16 + 3));
  const auto end_of = [&](std::size_t i) {
    return cluster.topology.vertex(cluster.topology.link(way[i]).to).number;
  };
  EXPECT_EQ(end_of(2), 1);
  EXPECT_EQ(end_of(4), 3);
  EXPECT_EQ(end_of(5), 15 * 16 + 3);
}

// Half around a ring of 4 both ways are equal: 0 to 2 and 2 to 0 go one way, 1 to 3 and 3 to 1 the
// other, so that every directed cable of the ring has one flow of each kind.
TEST(Torus, LoadsBothWaysAroundARingAlike) {
  ClusterSpec spec = shipped("tpu-v4", 4);
  spec.topology.gpus_per_node = 4;
  spec.topology.scale_up_dims = {4};
  spec.topology.mesh_links = {{0, 1, 1}, {1, 2, 1}, {2, 3, 1}, {3, 0, 1}};
  const Cluster cluster = build_cluster(spec);
  std::vector<Route> ways;
  for (int from = 0; from < 4; ++from) {
    ways.push_back(route(cluster, from, (from + 2) % 4));
  }
  const std::map<LinkId, int> flows = flows_by_link(cluster, LinkKind::ScaleUp, ways);
  EXPECT_EQ(flows.size(), 8U);
  for (const auto& [link, count] : flows) {
    EXPECT_EQ(count, 1);
  }
}

// A 4x4x4 torus of 45 GB/s links: halves are z = 0, 1 and z = 2, 3; 16 columns with 2 cables each
// (one in the middle, one around): 32 x 45 GB/s each way, 2.88 TB/s both ways.
TEST(Torus, BisectionOfACubeIsTwoCablesAColumn) {
  EXPECT_TRUE(near(bisection_bandwidth(build_cluster(shipped("tpu-v4", 64))).value, 2.88e12));
}

// v6e closes axes of 16 only: a slice of 4 x 4 chips is an open grid with 2 x 3 x 4 = 24 cables,
// and corner to corner is 6 steps.
TEST(Torus, ShortAxesOfATpuStayOpen) {
  ClusterSpec spec = shipped("tpu-v6e", 16);
  spec.topology.gpus_per_node = 16;
  spec.topology.scale_up_dims = {4, 4};
  spec.topology.mesh_links.clear();
  for (const auto& [first, second] : Grid({4, 4}, 16).cables()) {
    spec.topology.mesh_links.push_back({first, second, 1});
  }
  const Cluster cluster = build_cluster(spec);
  EXPECT_EQ(cables(cluster, LinkKind::ScaleUp), 24);
  EXPECT_EQ(path(cluster, 0, 15), "ssssss");
}

// Every pair of the 17 groups is joined by 16 cables, every pair of 16 switches of a group by one.
TEST(Dragonfly, JoinsGroupsAllToAll) {
  const Cluster cluster = build_cluster(shipped("h100-dragonfly", 4352));
  EXPECT_EQ(cables(cluster, LinkKind::GlobalCable), 17 * 16 / 2 * 16);
  EXPECT_EQ(cables(cluster, LinkKind::LocalCable), 17 * (16 * 15 / 2));
  std::map<VertexId, int> ports;
  for (const Link& link : cluster.topology.links()) {
    ports[link.from] += link.kind == LinkKind::GlobalCable ? link.count : 0;
  }
  for (const auto& [vertex, count] : ports) {
    EXPECT_LE(count, 16);
  }
}

// Minimal routing: one global cable, and at most one local cable on either side of it; in a group
// at most one local cable.
TEST(Dragonfly, CrossesAtMostOneGlobalCable) {
  const Cluster cluster = build_cluster(shipped("h100-dragonfly", 4352));
  const int group = 16 * 2 * 8;
  std::set<std::string> seen;
  for (const auto& [from, to] : some_pairs(4352)) {
    if (from / 8 == to / 8) {
      continue;
    }
    const std::string way = path(cluster, from, to);
    seen.insert(way);
    EXPECT_EQ(std::count(way.begin(), way.end(), 'g'), from / group == to / group ? 0 : 1) << way;
  }
  for (const std::string& way : seen) {
    EXPECT_TRUE(way == "pnnp" || way == "pnlnp" || way == "pngnp" || way == "pnlgnp" ||
                way == "pnglnp" || way == "pnlglnp")
        << way;
  }
}

// All traffic of a GPU on PCIe shares its one link: to its neighbour and to its NIC alike.
TEST(PcieNode, GpuHasOneLinkForEverything) {
  const Cluster cluster = build_cluster(shipped("pcie-l40s", 16));
  EXPECT_EQ(path(cluster, 0, 1), "pp");
  EXPECT_EQ(path(cluster, 0, 4), "pppp");  // the other socket, through the CPUs
  EXPECT_EQ(path(cluster, 0, 8), "ppnnpp");
  EXPECT_EQ(route(cluster, 0, 1).front(), route(cluster, 0, 8).front());
}

// ---- ECMP

/// All GPUs of the first half of the nodes to the same GPU of the second half, one flow each.
std::vector<Route> shift_by_half(const Cluster& cluster, int flow = 0) {
  const int half = cluster.spec.gpus / 2;
  std::vector<Route> ways;
  for (int from = 0; from < half; ++from) {
    ways.push_back(route(cluster, from, from + half, flow));
  }
  return ways;
}

ClusterSpec ecmp_tree(std::uint32_t seed) {
  ClusterSpec spec = shipped("h100-fat-tree", 64 * 8 * 4);
  spec.topology.routing = Routing::Ecmp;
  spec.topology.ecmp_seed = seed;
  return spec;
}

TEST(Ecmp, SameSeedSamePathsOtherSeedOtherPaths) {
  const Cluster cluster = build_cluster(ecmp_tree(1));
  EXPECT_EQ(shift_by_half(cluster), shift_by_half(build_cluster(ecmp_tree(1))));
  EXPECT_NE(shift_by_half(cluster), shift_by_half(build_cluster(ecmp_tree(2))));
  EXPECT_NE(shift_by_half(cluster), shift_by_half(cluster, 1));
}

// Each of 32 leaves has 32 flows and 32 cables up, one for each spine. Thrown at random, a cable
// stays empty with chance (1 - 1/32)^32 = 0.3621: of 1024 cables 370.8 are expected to, with a
// standard deviation of sqrt(1024 (1/e - 2/e^2)) = 10 (occupancy); five of those are 50. The
// fullest of all has several flows, where an even spread has one on each.
TEST(Ecmp, CollidesAsBallsInBinsDo) {
  for (const std::uint32_t seed : {1U, 2U, 3U}) {
    const Cluster cluster = build_cluster(ecmp_tree(seed));
    const std::vector<Route> ways = shift_by_half(cluster);
    std::map<LinkId, int> up;
    for (const Route& way : ways) {
      ++up[way[2]];
    }
    EXPECT_NEAR(1024 - static_cast<double>(up.size()), 370.8, 50) << "seed " << seed;
    const auto fullest = std::max_element(
        up.begin(), up.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    EXPECT_GE(fullest->second, 4);
    EXPECT_LE(fullest->second, 10);
  }
}

// The same flows with adaptive routing: one bundle per leaf, each cable in it one flow.
TEST(Ecmp, AdaptiveRoutingHasNoCollisions) {
  ClusterSpec spec = ecmp_tree(1);
  spec.topology.routing = Routing::Adaptive;
  const Cluster cluster = build_cluster(spec);
  const auto flows = flows_by_link(cluster, LinkKind::Uplink, shift_by_half(cluster));
  EXPECT_EQ(flows.size(), 64U);  // 32 leaves up, 32 down
  for (const auto& [link, count] : flows) {
    EXPECT_EQ(count, cluster.topology.link(link).count);
  }
}

// Dual ToR: a hash picks the port, and each plane gets its half.
TEST(Ecmp, SpreadsFlowsOverBothPortsOfANic) {
  ClusterSpec spec = shipped("alibaba-hpn", 2 * 1024);
  spec.topology.routing = Routing::Ecmp;
  const Cluster cluster = build_cluster(spec);
  int first_plane = 0;
  for (const Route& way : shift_by_half(cluster)) {
    EXPECT_TRUE(near(cluster.topology.link(way[1]).nominal.value, 25e9));
    first_plane += cluster.topology.vertex(cluster.topology.link(way[1]).to).number % 2 == 0;
  }
  EXPECT_NEAR(first_plane, 512, 5 * 16);  // five standard deviations
}

// Three levels: 4 nodes of one pod to another, every flow up and down through one core.
TEST(Ecmp, ComesDownFromTheCoreItWentUpTo) {
  ClusterSpec spec = shipped("h100-fat-tree-3", 4096);
  spec.topology.routing = Routing::Ecmp;
  const Cluster cluster = build_cluster(spec);
  std::set<VertexId> cores;
  for (int flow = 0; flow < 200; ++flow) {
    const Route way = route(cluster, 0, 2048, flow);
    expect_way(cluster, way, 0, 2048);
    EXPECT_EQ(path(cluster, 0, 2048, flow), "pnuccunp");
    cores.insert(cluster.topology.link(way[3]).to);
  }
  EXPECT_GT(cores.size(), 30U);  // of 64
}

// ---- what cannot be built

TEST(ClusterProblem, SaysWhatDoesNotFit) {
  EXPECT_EQ(cluster_problem(shipped("h100-torus-2d", 2048)), "");
  EXPECT_EQ(cluster_problem(shipped("h100-torus-2d", 2056)),
            "2056 GPUs are 257 nodes, the fabric has places for 256");
  EXPECT_EQ(cluster_problem(shipped("h100-dragonfly", 4360)),
            "4360 GPUs are 545 nodes, the fabric has places for 544");
  EXPECT_EQ(cluster_problem(shipped("tpu-v4", 100)), "gpus (100) must be whole torus nodes of 64");
  EXPECT_NE(cluster_problem(shipped("h100-rail-only", 12)), "");
  EXPECT_EQ(cluster_problem(shipped("h100-rail-only", 4)), "");
}

// Where keys of the levels above the leaves are said to have no effect, no way between two GPUs of
// the cluster goes there, whichever cable a flow hashes to.
TEST(IdleLevel, NoWayGoesAbove) {
  int idle = 0;
  for (const std::string& name : preset_names(testing::source_dir() + "/topologies")) {
    for (const bool pxn : {true, false}) {
      ClusterSpec spec = shipped(name, 1);
      spec.topology.pxn = pxn || spec.topology.fabric == FabricKind::RailOnly;
      const int nodes = std::min(3, spec.topology.nodes_per_leaf);
      spec.gpus = nodes * spec.topology.gpus_per_node;
      const IdleLevel level = idle_level(spec);
      if (level.keys.empty() || level.keys.front() != "oversubscription") {
        continue;
      }
      ++idle;
      const Cluster cluster = build_cluster(spec);
      for (int from = 0; from < spec.gpus; ++from) {
        for (int to = 0; to < spec.gpus; ++to) {
          ASSERT_TRUE(from == to || path(cluster, from, to).find('u') == std::string::npos)
              << name << " " << from << " " << to;
        }
      }
    }
  }
  EXPECT_GT(idle, 40);
  // Without PXN a way to another rail is over the spine, below one set of leaves too.
  ClusterSpec spec = shipped("dgx-h100", 16);
  spec.topology.pxn = false;
  EXPECT_TRUE(idle_level(spec).keys.empty());
  EXPECT_NE(path(build_cluster(spec), 0, 9).find('u'), std::string::npos);
}

}  // namespace
}  // namespace danlu
