// Ring collectives against their closed forms (S the whole array, n ranks, alpha a step, B the
// link):
//
//   reduce-scatter, all-gather   (n-1) alpha + (n-1)/n S/B
//   all-reduce                  2(n-1) alpha + 2(n-1)/n S/B
//
// once as the library's single steady flow, once step by step with a transfer graph made here by
// hand, whose choice of chunks is proved right by carrying the contributions along.
#include <numeric>

#include "sim/collective/pattern.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::add_flow;
using testing::near;
using testing::one_collective;
using testing::plain_cluster;
using testing::play;

std::vector<int> all_ranks(const Cluster& cluster) {
  std::vector<int> ranks(static_cast<std::size_t>(cluster.spec.gpus));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

/// Seconds of one collective over all GPUs of an idle cluster.
double time_of(const Cluster& cluster, CollectiveOp op, Bytes bytes) {
  const Pattern ring = ring_pattern(cluster, all_ranks(cluster));
  return play(one_collective(cluster, ring, op, bytes)).end.value;
}

// ---- a ring step by step, by hand
// -------------------------------------------------------------------

/// The chunk that `rank` passes on in `step`: in steps 0 .. n-2 (reduce-scatter) its own first,
/// then what it got last; from step n-1 on (all-gather) the chunk it has finished, then again what
/// it got last.
int chunk_sent(int rank, int step, int ranks) {
  return ((rank - step) % ranks + ranks) % ranks;
}

/// Every transfer of an all-reduce of `bytes` over n ranks with links of their own. A rank sends a
/// chunk on when it has it and its last transfer has left.
TaskGraph stepwise_ring(int ranks, std::int64_t bytes, BytesPerSecond bandwidth, Seconds alpha) {
  TaskGraph graph;
  for (int rank = 0; rank < ranks; ++rank) {
    graph.links.push_back({bandwidth});
    graph.channels.push_back({{{FoldedLinkId{rank}, 1}}});
  }
  const auto size_of = [&](int chunk) { return bytes / ranks + (chunk < bytes % ranks ? 1 : 0); };
  std::vector<TaskId> last;  // by rank
  for (int step = 0; step < 2 * (ranks - 1); ++step) {
    std::vector<TaskId> made;
    for (int rank = 0; rank < ranks; ++rank) {
      const Bytes size{static_cast<double>(size_of(chunk_sent(rank, step, ranks)))};
      std::vector<TaskId> after;
      if (step > 0) {
        after.push_back(last[static_cast<std::size_t>(rank)]);                        // own
        after.push_back(last[static_cast<std::size_t>((rank + ranks - 1) % ranks)]);  // received
      }
      made.push_back(add_flow(graph, ChannelId{rank}, size, alpha, after));
    }
    last = made;
  }
  return graph;
}

// T20: n 8, S 1e9 B, alpha 5 us, B 50 GB/s: 14 x 5 us + 14/8 x 20 ms = 0.07 ms + 35 ms.
TEST(RingAllReduce, SendsTwoTimesNMinusOneOverNOfTheMessage) {
  const Cluster cluster = plain_cluster(1, 8, 50_GBps, 25_GBps, 5_us);
  EXPECT_TRUE(near(time_of(cluster, CollectiveOp::AllReduce, 1_GB), 0.035070));
}

// T20: algbw = S/t = 1e9 / 0.035070 s = 28.514 GB/s; busbw = algbw x 2(n-1)/n = x 1.75 = 49.900
// GB/s, just below the link's 50.
TEST(RingAllReduce, BusBandwidthApproachesTheLinks) {
  const Cluster cluster = plain_cluster(1, 8, 50_GBps, 25_GBps, 5_us);
  const double algbw = 1 / time_of(cluster, CollectiveOp::AllReduce, 1_GB);
  EXPECT_NEAR(algbw, 28.514, 0.0005);
  EXPECT_NEAR(algbw * 1.75, 49.900, 0.0005);
}

// T21: 7 x 5 us + 7/8 x 20 ms = 0.035 ms + 17.5 ms, half of the all-reduce.
TEST(RingReduceScatter, TakesHalfOfAnAllReduce) {
  const Cluster cluster = plain_cluster(1, 8, 50_GBps, 25_GBps, 5_us);
  EXPECT_TRUE(near(time_of(cluster, CollectiveOp::ReduceScatter, 1_GB), 0.017535));
}
TEST(RingAllGather, TakesHalfOfAnAllReduce) {
  const Cluster cluster = plain_cluster(1, 8, 50_GBps, 25_GBps, 5_us);
  EXPECT_TRUE(near(time_of(cluster, CollectiveOp::AllGather, 1_GB), 0.017535));
}

// T23's ring: n 64, S 8192 B, 5 us, 50 GB/s: 126 x 5 us + 126/64 x 8192 B / 50 GB/s = 630 us +
// 0.3226 us.
TEST(RingAllReduce, IsAllLatencyForASmallMessage) {
  const Cluster cluster = plain_cluster(1, 64, 50_GBps, 25_GBps, 5_us);
  EXPECT_TRUE(near(time_of(cluster, CollectiveOp::AllReduce, 8192_B), 630.32256e-6));
}

// One transfer: alpha + S/B = 5 us + 20 ms.
TEST(Transfer, TakesLatencyPlusSizeOverBandwidth) {
  const Cluster cluster = plain_cluster(1, 2, 50_GBps, 25_GBps, 5_us);
  const Pattern transfer = transfer_pattern(cluster, 0, 1);
  const TaskGraph graph = one_collective(cluster, transfer, CollectiveOp::SendReceive, 1_GB);
  EXPECT_TRUE(near(simulate(graph).end.value, 20.005e-3));
}

// S = n x 60 MB, so that a chunk is 60 MB; a step takes 5 us + 60 MB / 50 GB/s = 1.205 ms, and
// there are 2(n-1) of them: n = 2 takes 2.41 ms, n = 16 takes 36.15 ms.
TEST(RingAllReduce, SteadyFlowAgreesWithEveryTransferByItself) {
  for (const int n : {2, 3, 4, 8, 16}) {
    const double closed_form = 2 * (n - 1) * 1.205e-3;
    const std::int64_t bytes = std::int64_t{n} * 60'000'000;
    const Cluster cluster = plain_cluster(1, n, 50_GBps, 25_GBps, 5_us);
    EXPECT_TRUE(
        near(time_of(cluster, CollectiveOp::AllReduce, {static_cast<double>(bytes)}), closed_form))
        << n << " ranks, steady";
    EXPECT_TRUE(near(play(stepwise_ring(n, bytes, 50_GBps, 5_us)).end.value, closed_form))
        << n << " ranks, stepwise";
  }
}

// Chunks are whole bytes, the largest of ceil(S/n). It goes once around and a bit, so it alone
// takes 2(n-1) (alpha + ceil(S/n)/B): S = 1,000,001 B over 3 ranks of 1 MB/s has chunks of 333,334,
// 333,334 and 333,333 B, and 4 steps of 0.333334 s. The steady flow counts the same.
TEST(RingAllReduce, TheLargestChunkRulesWhenNDoesNotDivideS) {
  const BytesPerSecond slow{1e6};
  const double closed_form = 4 * 0.333334;
  EXPECT_TRUE(near(play(stepwise_ring(3, 1'000'001, slow, 0_s)).end.value, closed_form));
  const Cluster cluster = plain_cluster(1, 3, slow, slow, 0_s);
  EXPECT_TRUE(near(time_of(cluster, CollectiveOp::AllReduce, 1000001_B), closed_form));
}

// Symbolic run: held[rank][chunk] is the set of ranks whose contribution is in it. Reducing steps
// unite two sets, which must not share a member (nothing is added twice); gathering steps replace.
// In the end every rank has every contribution in every chunk.
TEST(RingAllReduce, EveryRankEndsWithEveryContributionOnce) {
  for (const int n : {2, 3, 4, 8, 16}) {
    const auto count = static_cast<std::size_t>(n);
    std::vector<std::vector<unsigned>> held(count);
    for (std::size_t rank = 0; rank < count; ++rank) {
      held[rank].assign(count, 1U << rank);
    }
    for (int step = 0; step < 2 * (n - 1); ++step) {
      const auto before = held;
      for (int rank = 0; rank < n; ++rank) {
        const auto chunk = static_cast<std::size_t>(chunk_sent(rank, step, n));
        const unsigned sent = before[static_cast<std::size_t>(rank)][chunk];
        unsigned& there = held[static_cast<std::size_t>((rank + 1) % n)][chunk];
        if (step < n - 1) {
          ASSERT_EQ(there & sent, 0U) << n << " ranks, step " << step;
          there |= sent;
        } else {
          ASSERT_EQ(there & ~sent, 0U) << n << " ranks, step " << step;
          there = sent;
        }
      }
    }
    const unsigned everyone = (1U << n) - 1;
    for (const std::vector<unsigned>& chunks : held) {
      EXPECT_EQ(chunks, std::vector<unsigned>(count, everyone)) << n << " ranks";
    }
  }
}

// ---- more than one node
// ------------------------------------------------------------------------------

// 2 nodes x 4 GPUs run 4 rings of 8 ranks, each with S/4: a stream carries 14/8 x 1 GB / 4 = 437.5
// MB. Ring j leaves a node by NIC j and enters by NIC j+1, so every NIC sends one stream: 437.5 MB
// / 25 GB/s = 17.5 ms. Every GPU sends the other three over NVLink: 3 x 437.5 MB / 300 GB/s = 4.375
// ms, less. With 14 steps of 5 us: 17.57 ms. A single ring would need 70 ms.
TEST(MultiRail, AllNicsWork) {
  const Cluster cluster = plain_cluster(2, 4, 300_GBps, 25_GBps, 5_us);
  EXPECT_EQ(ring_pattern(cluster, all_ranks(cluster)).parts, 4 * 8);
  EXPECT_TRUE(near(time_of(cluster, CollectiveOp::AllReduce, 1_GB), 17.57e-3));
}

// The same with NVLink of 60 GB/s and NICs of 50: 3 x 437.5 MB / 60 GB/s = 21.875 ms is more than
// the NIC's 8.75 ms.
TEST(MultiRail, NvlinkLimitsWhenItsThreeStreamsAreSlower) {
  const Cluster cluster = plain_cluster(2, 4, 60_GBps, 50_GBps, 5_us);
  EXPECT_TRUE(near(time_of(cluster, CollectiveOp::AllReduce, 1_GB), 21.945e-3));
}

// Loads of the 4 rings by hand: 4 x 8 edges; 4 x 2 of them cross the network (GPU, PCIe, NIC,
// switch and down again: 4 links), 4 x 6 stay on NVLink (2 links): 32 + 48 = 80 crossings. NVLink
// ports have weight 3 in each direction (16 x 3 = 48), PCIe and NIC cables weight 1 (32 x 1).
TEST(MultiRail, EveryLinkIsLoadedEvenly) {
  const Cluster cluster = plain_cluster(2, 4, 300_GBps, 25_GBps, 5_us);
  const Pattern ring = ring_pattern(cluster, all_ranks(cluster));
  EXPECT_EQ(ring.loads.size(), 48U);
  for (const LinkLoad& load : ring.loads) {
    const Link& link = cluster.topology.link(load.link);
    EXPECT_EQ(load.weight, link.kind == LinkKind::ScaleUp ? 3 : 1)
        << cluster.topology.link_name(load.link);
  }
}

// DGX-1: every GPU has 6 NVLinks of 25 GB/s, 20 achieved. The hybrid cube mesh splits into a tour
// of double links and one of single links, each ridden both ways: 2 x (2 + 1) = 6 rings of 20 GB/s
// that use every one of the 24 links in both directions once, together 120 GB/s. 1 GB: 1.75 x 1e9
// / 120e9 = 14.583 ms.
TEST(MeshRings, UseEveryLinkOfTheHybridCubeMesh) {
  ClusterSpec spec = load_topology("dgx1-v100", testing::shipped_presets());
  spec.topology.scale_up_efficiency = 0.8;
  spec.topology.scale_up_latency = {};
  spec.topology.collective_launch = {};
  const Cluster cluster = build_cluster(spec);
  const Pattern rings = ring_pattern(cluster, all_ranks(cluster));
  EXPECT_EQ(rings.parts, 6 * 8);
  EXPECT_EQ(rings.loads.size(), 32U);  // 16 pairs, two directions
  for (const LinkLoad& load : rings.loads) {
    EXPECT_EQ(load.weight, cluster.topology.link(load.link).count);
  }
  const TaskGraph graph = one_collective(cluster, rings, CollectiveOp::AllReduce, 1_GB);
  EXPECT_TRUE(near(simulate(graph).end.value, 1.75e9 / 120e9, 1e-6));
}

// Two GPUs with a double link between them: 2 rings of 20 GB/s, 2 x 1/2 x 1 GB / 40 GB/s = 25 ms.
TEST(MeshRings, APairUsesItsLinks) {
  ClusterSpec spec = load_topology("dgx1-v100", testing::shipped_presets());
  spec.topology.scale_up_efficiency = 0.8;
  spec.topology.scale_up_latency = {};
  const Cluster cluster = build_cluster(spec);
  const std::vector<int> pair{0, 3};
  const Pattern rings = ring_pattern(cluster, pair);
  EXPECT_EQ(rings.parts, 2 * 2);
  const TaskGraph graph = one_collective(cluster, rings, CollectiveOp::AllReduce, 1_GB);
  EXPECT_TRUE(near(simulate(graph).end.value, 25e-3, 1e-6));
}

// T21. Pairwise all-to-all of 8 ranks, 1 GB sent by each (its own part included): in round r rank i
// sends an eighth to rank i + r, so no port ever has two messages:
// 7 x (5 us + 0.125 GB / 50 GB/s) = 17.535 ms.
TEST(AllToAll, PairwiseRoundsNeverShareAPort) {
  constexpr int kRanks = 8;
  TaskGraph graph;
  graph.links.assign(std::size_t{2} * kRanks, {50_GBps});  // up, then down
  for (int from = 0; from < kRanks; ++from) {
    for (int to = 0; to < kRanks; ++to) {
      graph.channels.push_back({{{FoldedLinkId{from}, 1}, {FoldedLinkId{kRanks + to}, 1}}});
    }
  }
  std::vector<std::vector<TaskId>> before(kRanks);  // what a rank sent and received last round
  for (int round = 1; round < kRanks; ++round) {
    std::vector<std::vector<TaskId>> now(kRanks);
    for (int from = 0; from < kRanks; ++from) {
      const int to = (from + round) % kRanks;
      std::vector<TaskId> after = before[static_cast<std::size_t>(from)];
      after.insert(after.end(), before[static_cast<std::size_t>(to)].begin(),
                   before[static_cast<std::size_t>(to)].end());
      const TaskId flow = add_flow(graph, ChannelId{from * kRanks + to}, 125_MB, 5_us, after);
      now[static_cast<std::size_t>(from)].push_back(flow);
      now[static_cast<std::size_t>(to)].push_back(flow);
    }
    before = std::move(now);
  }
  EXPECT_TRUE(near(simulate(graph).end.value, 17.535e-3));
}

// One rank per node (a data-parallel group): one ring of 4 over 4 NICs, 6/4 x 1 GB / 25 GB/s = 60
// ms and 6 steps of 5 us.
TEST(MultiRail, OneRankANodeIsOneRing) {
  const Cluster cluster = plain_cluster(4, 2, 300_GBps, 25_GBps, 5_us);
  const std::vector<int> ranks{0, 2, 4, 6};
  const Pattern ring = ring_pattern(cluster, ranks);
  EXPECT_EQ(ring.parts, 4);
  const TaskGraph graph = one_collective(cluster, ring, CollectiveOp::AllReduce, 1_GB);
  EXPECT_TRUE(near(simulate(graph).end.value, 60.03e-3));
}

}  // namespace
}  // namespace danlu
