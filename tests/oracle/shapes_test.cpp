// Collectives on machines whose shape matters: full meshes, tori, exchanges between experts; worked
// out by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "sim/collective/algorithms.hpp"
#include "sim/collective/experts.hpp"
#include "sim/collective/group.hpp"
#include "sim/collective/pattern.hpp"
#include "sim/tasks/collective_graph.hpp"
#include "tests/support/collectives.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::mesh_cluster;
using testing::near;
using testing::plain_cluster;
using testing::play;
using testing::steady_time;
using testing::stepwise_time;
using testing::torus_cluster;
using testing::torus_fabric_cluster;
using testing::whole_group;

constexpr CollectiveOp kAllReduce = CollectiveOp::AllReduce;

double bus_bandwidth(const Cluster& cluster, Algorithm algorithm) {
  const Bytes size{8e9};
  return bus_factor(kAllReduce, cluster.spec.gpus) * size.value /
         steady_time(cluster, algorithm, kAllReduce, size) / 1e9;
}

// ---- full meshes

// n GPUs with a link of 50 GB/s to each of the others send over all n-1 at once: (n-1) x 50 GB/s of
// bus bandwidth, 350 for eight. Every link is used equally, also with 4 and 6 GPUs, where rings
// share them by two.
TEST(FullMesh, RingsUseEveryLinkBothWays) {
  for (int n = 2; n <= 12; ++n) {
    const Cluster cluster = mesh_cluster(1, n, 1, 50_GBps, 25_GBps, 0_us);
    const Pattern rings = ring_pattern(cluster, whole_group(cluster).ranks);
    const int shared = n == 4 || n == 6 ? 2 : 1;
    EXPECT_EQ(rings.parts, n * (n - 1) * shared) << n;
    EXPECT_EQ(rings.loads.size(), static_cast<std::size_t>(n * (n - 1))) << n;
    for (const LinkLoad& load : rings.loads) {
      EXPECT_EQ(load.weight, shared) << n;
    }
    EXPECT_TRUE(near(bus_bandwidth(cluster, Algorithm::Ring), 50.0 * (n - 1), 1e-6)) << n;
  }
}

// Gaudi 3: three links for each pair, 3 x 7 rings; 7 x 3 x 25 = 525 GB/s.
TEST(FullMesh, ThreeLinksForAPairAreThreeTimesTheRings) {
  const Cluster cluster = mesh_cluster(1, 8, 3, 25_GBps, 25_GBps, 0_us);
  EXPECT_EQ(whole_group(cluster).rings.size(), 21U);
  EXPECT_TRUE(near(bus_bandwidth(cluster, Algorithm::Ring), 525, 1e-6));
}

// Two nodes: ring j passes node 0 on a path from j to j + 4 and node 1 back. The eight paths use
// all 56 directed links of a node once, every NIC sends for one ring and receives for one: bound by
// the NICs, 8 x 25 = 200 GB/s. (One after the other in numbers, eight rings would share the links
// between neighbours: 8 x 50/7 = 57 GB/s, all seven others idle.)
TEST(FullMesh, RingsBetweenNodesUseEveryLinkOnce) {
  const Cluster cluster = mesh_cluster(2, 8, 1, 50_GBps, 25_GBps, 0_us);
  const Pattern rings = ring_pattern(cluster, whole_group(cluster).ranks);
  int inside = 0;
  for (const LinkLoad& load : rings.loads) {
    EXPECT_EQ(load.weight, 1) << cluster.topology.link_name(load.link);
    inside += cluster.topology.link(load.link).kind == LinkKind::ScaleUp ? 1 : 0;
  }
  EXPECT_EQ(inside, 2 * 56);
  EXPECT_TRUE(near(bus_bandwidth(cluster, Algorithm::Ring), 200, 1e-6));
}

// Two DGX-1: the six rings of a node are opened, each rank begins one of eight paths and ends one;
// no link carries more than two of them, 25/2 GB/s each, and the NICs (four, two paths on each)
// are what counts.
TEST(MeshRings, LeaveTheHybridCubeMeshThroughEveryNic) {
  ClusterSpec spec = load_topology("dgx1-v100", testing::shipped_presets());
  spec.gpus = 16;
  const Cluster cluster = build_cluster(spec);
  const Pattern rings = ring_pattern(cluster, whole_group(cluster).ranks);
  for (const LinkLoad& load : rings.loads) {
    const Link& link = cluster.topology.link(load.link);
    EXPECT_LE(load.weight, 2 * link.count) << cluster.topology.link_name(load.link);
    if (link.kind == LinkKind::NicCable) {
      EXPECT_EQ(load.weight, 2);
    }
  }
}

// Nodes with 8 and 4 ranks: four rings, so that four NICs work and not one.
TEST(RailRings, UnevenNodesRunAsManyRingsAsTheSmallestHasRanks) {
  ClusterSpec spec = plain_cluster(2, 8, 300_GBps, 25_GBps, 0_us).spec;
  spec.gpus = 12;
  const Cluster cluster = build_cluster(spec);
  const Group group = whole_group(cluster);
  ASSERT_EQ(group.rings.size(), 4U);
  std::set<int> last;  // of node 0: where a ring leaves it
  for (const std::vector<int>& ring : group.rings) {
    EXPECT_EQ(std::set<int>(ring.begin(), ring.end()).size(), 12U);
    last.insert(ring[7]);
  }
  EXPECT_EQ(last.size(), 4U);
  EXPECT_TRUE(near(bus_bandwidth(cluster, Algorithm::Ring), 100, 1e-6));
}

// ---- tori

// 4 x 4 x 4, all axes closed: every chip sends over its 6 links at once. d(n-1) = 9 steps of 1 us,
// an all-reduce of 1.92 GB carries 2 x 63/64 x 1.92 GB / (6 x 50 GB/s) = 12.6 ms, twice as much as
// a reduce-scatter or an all-gather.
TEST(Torus, UsesAllLinksOfAllAxes) {
  const Cluster cluster = torus_cluster(1, {4, 4, 4}, 4, 50_GBps, 25_GBps, 1_us);
  const Bytes size{1.92e9};
  EXPECT_TRUE(near(steady_time(cluster, Algorithm::Torus, kAllReduce, size), 12.6e-3 + 18e-6));
  EXPECT_TRUE(near(steady_time(cluster, Algorithm::Torus, CollectiveOp::ReduceScatter, size),
                   6.3e-3 + 9e-6));
  EXPECT_TRUE(
      near(steady_time(cluster, Algorithm::Torus, CollectiveOp::AllGather, size), 6.3e-3 + 9e-6));
}

// Message by message, nothing shares a link and no axis waits, so it takes the same.
TEST(Torus, StepwiseMeetsSteady) {
  for (const std::vector<int>& dims : {std::vector<int>{5}, {4, 4}, {3, 3, 3}}) {
    const Cluster cluster = torus_cluster(1, dims, 3, 50_GBps, 25_GBps, 1_us);
    const Bytes size{1e5 * 48 * 25 * 27};
    EXPECT_TRUE(near(stepwise_time(cluster, Algorithm::Torus, kAllReduce, size),
                     steady_time(cluster, Algorithm::Torus, kAllReduce, size), 1e-6))
        << dims.size();
  }
}

// A line of 4 is gone along as 0 2 3 1: every link carries the ring once each way, two steps of one
// link and two of two: 3 x 1.5 us. The ends have one link: 2 x 3/4 x 1 GB / 50 GB/s = 30 ms.
TEST(Torus, AnOpenAxisIsHalfAsFast) {
  const Cluster cluster = torus_cluster(1, {4}, 5, 50_GBps, 25_GBps, 1_us);
  EXPECT_TRUE(near(steady_time(cluster, Algorithm::Torus, kAllReduce, 1_GB), 30e-3 + 9e-6));
}

// A closed axis of 4 and an open one of 2: four chunks of six begin with the closed one, two with
// the other. Over a link of the closed one: 2/6 S x 3/4 and then of the other's, halved, 1/6 S x
// 1/2 x 3/4: 0.3125 S. Over one of the open axis, both parts share its links: 2/6 S x 1/2 and
// 4/6 S x 1/4 x 1/2: 0.25 S. An all-reduce of 1.2 GB: 2 x 0.3125 x 1.2 GB / 50 GB/s = 15 ms.
TEST(Torus, BalancesClosedAndOpenAxes) {
  const Cluster cluster = torus_cluster(1, {4, 2}, 4, 50_GBps, 25_GBps, 0_us);
  EXPECT_TRUE(near(steady_time(cluster, Algorithm::Torus, kAllReduce, {1.2e9}), 15e-3));
}

// Two slices of 4 x 4: the second level moves a sixteenth. Links: 2 x 15/16 S / 4 / 50 GB/s, which
// is 15 ms for 1.6 GB; NICs of 25 GB/s: 2 x 1/2 x 1/16 S / 25 GB/s = 4 ms, of 1 GB/s 100 ms.
TEST(Torus, SlicesComeLast) {
  const Cluster cluster = torus_cluster(2, {4, 4}, 4, 50_GBps, 25_GBps, 0_us);
  EXPECT_TRUE(near(steady_time(cluster, Algorithm::Torus, kAllReduce, {1.6e9}), 15e-3));
  const ClusterSpec slow = torus_cluster(2, {4, 4}, 4, 50_GBps, 1_GBps, 0_us).spec;
  EXPECT_TRUE(
      near(steady_time(build_cluster(slow), Algorithm::Torus, kAllReduce, {1.6e9}), 100e-3));
}

// 4 x 4 switches with 4 GPUs each: 3/4 of the array inside the node, then four rails of a quarter
// each over cables of 50 GB/s in four directions: 2 x 15/16 x 1.6 GB / (4 x 50 GB/s) = 15 ms; the
// ports inside take 2 x 3/4 x 1.6 GB / 300 GB/s = 8 ms at the same time.
TEST(Torus, OfSwitchesStartsInTheNodes) {
  const Cluster cluster = torus_fabric_cluster({4, 4}, 4, 300_GBps, 50_GBps, 0_us);
  EXPECT_TRUE(near(steady_time(cluster, Algorithm::Torus, kAllReduce, {1.6e9}), 15e-3, 1e-6));
}

// Groups of a 4 x 4 torus: a row is a closed ring, every other chip both ways two open axes, and so
// is a block of 3 x 2; a corner of three chips is no box, nor are chips 0, 1 and 3 of a row.
TEST(Torus, KnowsBoxesOfATorus) {
  const Cluster cluster = torus_cluster(1, {4, 4}, 4, 50_GBps, 25_GBps, 1_us);
  const auto grid = [&](const std::vector<int>& ranks) { return make_group(cluster, ranks).grid; };
  const auto lengths = [&](const std::vector<int>& ranks) {
    std::vector<std::pair<int, bool>> axes;
    for (const GridAxis& axis : grid(ranks).axes) {
      if (axis.turn == GridAxis::Turn::Any) {
        axes.emplace_back(axis.length, axis.closed);
      }
    }
    return axes;
  };
  using Axes = std::vector<std::pair<int, bool>>;
  EXPECT_EQ(lengths({4, 5, 6, 7}), (Axes{{4, true}, {1, false}}));
  EXPECT_EQ(lengths({0, 2, 8, 10}), (Axes{{2, false}, {2, false}}));
  EXPECT_EQ(lengths({0, 1, 2, 4, 5, 6}), (Axes{{3, false}, {2, false}}));
  EXPECT_EQ(lengths({0, 1, 4}), Axes{});
  EXPECT_EQ(lengths({0, 1, 3}), Axes{});
  EXPECT_EQ(grid({5, 4, 1, 0}).at, (std::vector<int>{3, 2, 1, 0}));
  const Group corner = make_group(cluster, std::vector<int>{0, 1, 4});
  EXPECT_EQ(row_of(Algorithm::Torus).obstacle(kAllReduce, corner, cluster.spec.topology),
            "the ranks do not fill a box of the torus, evenly spaced along every axis");
}

// What TPUs use, since nothing chooses for them: the torus; for a broadcast rings; between pairs
// messages. A step's groups too.
TEST(Torus, IsWhatATorusUsesByDefault) {
  const Cluster cluster = build_cluster(load_topology("tpu-v4", testing::shipped_presets()));
  const Group group = whole_group(cluster);
  const auto chosen = [&](CollectiveOp op) {
    return testing::choose(cluster, group, op, 1_GB).choice.algorithm;
  };
  EXPECT_EQ(chosen(kAllReduce), Algorithm::Torus);
  EXPECT_EQ(chosen(CollectiveOp::AllGather), Algorithm::Torus);
  EXPECT_EQ(chosen(CollectiveOp::Broadcast), Algorithm::Ring);
  EXPECT_EQ(chosen(CollectiveOp::AllToAll), Algorithm::Direct);
  const std::vector<int> row{0, 1, 2, 3};
  EXPECT_EQ(testing::choose(cluster, make_group(cluster, row), kAllReduce, 1_GB).choice.algorithm,
            Algorithm::Torus);
  const std::vector<int> corner{0, 1, 4};
  EXPECT_EQ(
      testing::choose(cluster, make_group(cluster, corner), kAllReduce, 1_GB).choice.algorithm,
      Algorithm::Ring);
}

// Every chip of a 4 x 4 x 4 torus sends S/64 to all others, the shortest way along one axis after
// the other. Along an axis its 4 coordinates are 0, 1, 1 and 2 away, 1 in the mean, over one of two
// links: S/2 a link, 1 GB / 2 / 50 GB/s = 10 ms. That is the bound of the bisection too: 32 x 32
// messages each way through 2 x 16 links.
TEST(Torus, AllToAllReachesTheBisection) {
  const Cluster cluster = torus_cluster(1, {4, 4, 4}, 4, 50_GBps, 25_GBps, 0_us);
  EXPECT_TRUE(
      near(steady_time(cluster, Algorithm::Direct, CollectiveOp::AllToAll, {1.024e9}), 10.24e-3));
}

// ---- two levels at once

// 4 nodes of 8, S 1.024 GB, NVLink 300 GB/s, NIC 25 GB/s: 3/4 S through the NIC, 30.72 ms, while
// 7/8 S goes over NVLink in 2.99 ms. One batch of three messages along the rail and one of seven
// inside: 2 x 5 us. With slow NVLink (20 GB/s) that is what counts: 44.8 ms.
TEST(TwoLevel, AllToAllRunsBothLevelsAtOnce) {
  const auto time = [](BytesPerSecond nvlink) {
    return steady_time(plain_cluster(4, 8, nvlink, 25_GBps, 5_us), Algorithm::TwoLevel,
                       CollectiveOp::AllToAll, {1.024e9});
  };
  EXPECT_TRUE(near(time(300_GBps), 30.72e-3 + 10e-6));
  EXPECT_TRUE(near(time(20_GBps), 44.8e-3 + 10e-6));
}

// Message by message in 64 pieces the levels overlap all but once: the pieces of 0.48 ms along the
// rail one after the other, and the last one's 0.0467 ms inside.
TEST(TwoLevel, AllToAllInPiecesComesNearIt) {
  const Cluster cluster = plain_cluster(4, 8, 300_GBps, 25_GBps, 0_us);
  const double steady =
      steady_time(cluster, Algorithm::TwoLevel, CollectiveOp::AllToAll, {1.024e9});
  const double pieces =
      stepwise_time(cluster, Algorithm::TwoLevel, CollectiveOp::AllToAll, {1.024e9}, 64);
  EXPECT_TRUE(near(pieces, steady + 1.024e9 * 7 / 8 / 64 / 300e9, 1e-3));
}

// ---- experts

// Two experts of four, one on each of four ranks: the second is on another rank for sure, on the
// same node with 1/3. Nodes: 1 + 2/3.
TEST(Experts, SpreadOverNodesAndRanks) {
  const TokenSpread four = token_spread({.experts = 4, .per_token = 2}, 2, 2);
  EXPECT_TRUE(near(four.ranks, 2));
  EXPECT_TRUE(near(four.nodes, 5.0 / 3));
  // Only the node of the first: both ranks there.
  const TokenSpread one = token_spread({.experts = 4, .per_token = 2, .most_nodes = 1}, 2, 2);
  EXPECT_TRUE(near(one.ranks, 2));
  EXPECT_TRUE(near(one.nodes, 1));
  // 256 experts on 64 ranks, 8 a token: a rank of 4 is missed by C(252,8)/C(256,8), a node of 32 by
  // C(224,8)/C(256,8). Products of (252-i)/(256-i) and (224-i)/(256-i), i < 8.
  double no_rank = 1;
  double no_node = 1;
  for (int i = 0; i < 8; ++i) {
    no_rank *= (252.0 - i) / (256 - i);
    no_node *= (224.0 - i) / (256 - i);
  }
  const TokenSpread many = token_spread({}, 8, 8);
  EXPECT_TRUE(near(many.ranks, 64 * (1 - no_rank)));
  EXPECT_TRUE(near(many.nodes, 8 * (1 - no_node)));
}

// At most 4 of 8 nodes: of the nodes that a token's experts would lie on without the limit the
// first four. 8 draws with replacement reach only three with 2 %, so that 3.9 is a safe bound.
TEST(Experts, ALimitOfNodesIsNearlyReached) {
  const TokenSpread limited = token_spread({.most_nodes = 4}, 8, 8);
  EXPECT_LT(limited.nodes, 4);
  EXPECT_GT(limited.nodes, 3.9);
  EXPECT_LT(limited.ranks, token_spread({}, 8, 8).ranks);
}

// 4 nodes of 2 ranks, 8 experts, all of them for every token: 4 nodes, 8 ranks. 1,000 tokens of 1
// MB: 1 GB to every other node, 3 GB through a NIC of 25 GB/s: 120 ms; 4 GB to the neighbour over
// 300 GB/s at the same time. Direct, a copy for each expert: 1 GB to every rank, 6 GB through the
// NIC. Steps: along the rail and inside; one.
TEST(Experts, TwoLevelsCrossTheNetworkOnceForANode) {
  const Cluster cluster = plain_cluster(4, 2, 300_GBps, 25_GBps, 5_us);
  const auto time = [&](bool two_levels) {
    const ExpertLoad load{{8, 8, 0}, 1000, 1_MB, two_levels};
    const ExpertExchange exchange = expert_exchange(cluster, whole_group(cluster), load);
    CollectiveGraph sequence(cluster);
    sequence.add_exchange(exchange);
    const double played = play(sequence.graph()).end.value;
    EXPECT_TRUE(near(played, alone_time(cluster, exchange).value));
    return played;
  };
  EXPECT_TRUE(near(time(true), 0.120010));
  EXPECT_TRUE(near(time(false), 0.240005));
}

}  // namespace
}  // namespace danlu
