// Every row of the table of collective algorithms, on every group it can serve: proved right by
// carrying contributions along, and its steady form held to its transfers. Then closed forms.
#include "sim/collective/algorithms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "sim/collective/group.hpp"
#include "sim/collective/pattern.hpp"
#include "sim/collective/transfers.hpp"
#include "sim/collective/tuning.hpp"
#include "sim/tasks/collective_graph.hpp"
#include "tests/support/collectives.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::plain_cluster;
using testing::play;
using testing::steady_time;
using testing::stepwise_time;
using testing::whole_group;

std::vector<int> first_ranks(int count) {
  std::vector<int> ranks(static_cast<std::size_t>(count));
  std::iota(ranks.begin(), ranks.end(), 0);
  return ranks;
}

/// A machine whose switches can do everything, so that no algorithm is left out.
Cluster able_cluster(int nodes, int gpus) {
  Cluster cluster = plain_cluster(nodes, gpus, 300_GBps, 25_GBps, 5_us);
  cluster.spec.topology.scale_up_reduction_efficiency = 1;
  cluster.spec.topology.fabric_reduction_efficiency = 1;
  return cluster;
}

// ---- proofs

using Contributions = std::uint64_t;  // a bit for every rank
constexpr Contributions kNothing = 0;

/// What every rank and every switch holds, chunk by chunk, while transfers are carried out.
class Proof {
 public:
  Proof(CollectiveOp op, int ranks, const TransferList& list)
      : op_(op),
        n_(ranks),
        chunks_(op == CollectiveOp::AllToAll ? ranks * ranks : list.parts),
        list_(list) {
    int actors = n_;
    for (const Transfer& transfer : list.transfers) {
      actors = std::max({actors, transfer.from + 1, transfer.to + 1});
    }
    held_.assign(static_cast<std::size_t>(actors),
                 std::vector<Contributions>(static_cast<std::size_t>(chunks_), kNothing));
    for (int rank = 0; rank < n_; ++rank) {
      for (int chunk = 0; chunk < chunks_; ++chunk) {
        at(rank, chunk) = begins_with(rank, chunk) ? bit(rank) : kNothing;
      }
    }
  }

  /// Carries out all rounds; false when something is added twice or sent without being there.
  bool run() {
    std::map<int, std::vector<const Transfer*>> rounds;
    for (const Transfer& transfer : list_.transfers) {
      rounds[transfer.round].push_back(&transfer);
    }
    for (const auto& [round, transfers] : rounds) {
      const auto before = held_;
      for (const Transfer* transfer : transfers) {
        for (const int chunk : transfer->chunks) {
          const Contributions sent =
              before[static_cast<std::size_t>(transfer->from)][static_cast<std::size_t>(chunk)];
          Contributions& there = at(transfer->to, chunk);
          if (sent == kNothing || (transfer->reduces && (there & sent) != 0)) {
            return false;
          }
          there = transfer->reduces ? there | sent : sent;
        }
      }
    }
    return true;
  }

  bool ends_right() {
    for (int rank = 0; rank < n_; ++rank) {
      for (int chunk = 0; chunk < chunks_; ++chunk) {
        if (!is_right(rank, chunk)) {
          return false;
        }
      }
    }
    return true;
  }

 private:
  static Contributions bit(int rank) { return Contributions{1} << rank; }
  Contributions& at(int actor, int chunk) {
    return held_[static_cast<std::size_t>(actor)][static_cast<std::size_t>(chunk)];
  }
  int owner(int chunk) const { return chunk * n_ / chunks_; }

  bool begins_with(int rank, int chunk) const {
    switch (op_) {
      case CollectiveOp::Broadcast:
        return rank == 0;
      case CollectiveOp::AllGather:
        return owner(chunk) == rank;
      case CollectiveOp::AllToAll:
        return chunk / n_ == rank;
      default:
        return true;
    }
  }

  bool is_right(int rank, int chunk) {
    const Contributions everyone = n_ == 64 ? ~Contributions{0} : bit(n_) - 1;
    switch (op_) {
      case CollectiveOp::AllReduce:
        return at(rank, chunk) == everyone;
      case CollectiveOp::ReduceScatter:
        return owner(chunk) != rank || at(rank, chunk) == everyone;
      case CollectiveOp::AllGather:
        return at(rank, chunk) == bit(owner(chunk));
      case CollectiveOp::Broadcast:
        return at(rank, chunk) == bit(0);
      case CollectiveOp::AllToAll:
        return chunk % n_ != rank || at(rank, chunk) == bit(chunk / n_);
      case CollectiveOp::Dispatch:
        return false;  // has no messages
      case CollectiveOp::SendReceive:
        return at(rank, chunk) == bit((rank + n_ - 1) % n_);
    }
    return false;
  }

  CollectiveOp op_;
  int n_;
  int chunks_;
  const TransferList& list_;
  std::vector<std::vector<Contributions>> held_;
};

/// Shares of the array between every two positions, as transfers and as streams.
using Traffic = std::map<std::pair<int, int>, double>;

Traffic traffic_of(const TransferList& list, int ranks) {
  Traffic traffic;
  for (const Transfer& transfer : list.transfers) {
    if (transfer.from < ranks && transfer.to < ranks) {
      traffic[{transfer.from, transfer.to}] +=
          static_cast<double>(transfer.chunks.size()) / list.parts;
    }
  }
  return traffic;
}

Traffic traffic_of(Algorithm algorithm, CollectiveOp op, const std::vector<Phase>& phases,
                   int ranks) {
  Traffic traffic;
  const int times = repeats(op, algorithm, ranks);
  for (const Phase& phase : phases) {
    for (const Stream& stream : phase.streams) {
      traffic[{stream.from, stream.to}] +=
          static_cast<double>(stream.weight) * phase.count * times / phase.parts;
    }
  }
  return traffic;
}

/// 2 x 4 = 8 GPUs on two nodes and so on; 3 x 4 and 1 x 6 are no powers of two, 5 x 2 and 3 x 1
/// have odd numbers of nodes. Full meshes with all kinds of rings. Tori of closed and open axes, of
/// chips, slices and switches.
std::vector<Cluster> machines() {
  std::vector<Cluster> all;
  for (const auto& [nodes, gpus] :
       {std::pair(1, 2), std::pair(1, 3), std::pair(1, 4), std::pair(1, 6), std::pair(1, 8),
        std::pair(2, 1), std::pair(3, 1), std::pair(2, 2), std::pair(2, 4), std::pair(3, 4),
        std::pair(4, 2), std::pair(5, 2), std::pair(8, 1), std::pair(6, 3), std::pair(12, 2)}) {
    all.push_back(able_cluster(nodes, gpus));
    all.back().spec.topology.name = fmt::format("{} x {}", nodes, gpus);
  }
  for (const auto& [nodes, gpus] : {std::pair(1, 4), std::pair(1, 6), std::pair(1, 7),
                                    std::pair(1, 8), std::pair(2, 8), std::pair(3, 5)}) {
    all.push_back(testing::mesh_cluster(nodes, gpus, 1, 50_GBps, 25_GBps, 5_us));
  }
  for (const auto& [slices, wrap, dims] :
       {std::tuple(1, 3, std::vector<int>{5}), std::tuple(1, 4, std::vector<int>{4, 4}),
        std::tuple(1, 4, std::vector<int>{4, 2}), std::tuple(1, 9, std::vector<int>{5, 4}),
        std::tuple(1, 3, std::vector<int>{3, 3, 3}), std::tuple(1, 4, std::vector<int>{4, 4, 4}),
        std::tuple(1, 4, std::vector<int>{2, 4, 6}), std::tuple(3, 4, std::vector<int>{2, 4})}) {
    all.push_back(testing::torus_cluster(slices, dims, wrap, 50_GBps, 25_GBps, 1_us));
  }
  all.push_back(testing::torus_fabric_cluster({4, 3}, 4, 300_GBps, 50_GBps, 5_us));
  return all;
}

class EveryAlgorithm : public ::testing::TestWithParam<std::size_t> {};

TEST_P(EveryAlgorithm, EveryRankEndsWithWhatItShould) {
  const AlgorithmRow& row = algorithms()[GetParam()];
  int proved = 0;
  for (const Cluster& cluster : machines()) {
    const Group group = whole_group(cluster);
    for (const auto& [op, name] : kNames<CollectiveOp>) {
      if (op == CollectiveOp::Dispatch) {
        continue;  // has no messages
      }
      if (!row.obstacle(op, group, cluster.spec.topology).empty()) {
        continue;
      }
      const TransferList list = row.transfers(op, group);
      Proof proof(op, group.size(), list);
      EXPECT_TRUE(proof.run()) << row.name() << " " << name << " " << cluster.spec.topology.name;
      EXPECT_TRUE(proof.ends_right())
          << row.name() << " " << name << " " << cluster.spec.topology.name;
      ++proved;
    }
  }
  EXPECT_GE(proved, 3) << row.name();
}

TEST_P(EveryAlgorithm, StreamsCarryWhatTheTransfersDo) {
  const AlgorithmRow& row = algorithms()[GetParam()];
  for (const Cluster& cluster : machines()) {
    const Group group = whole_group(cluster);
    for (const auto& [op, name] : kNames<CollectiveOp>) {
      if (op == CollectiveOp::Dispatch) {
        continue;  // has no messages
      }
      if (!row.obstacle(op, group, cluster.spec.topology).empty()) {
        continue;
      }
      Traffic sent = traffic_of(row.transfers(op, group), group.size());
      Traffic streamed = traffic_of(row.algorithm, op, row.phases(op, group), group.size());
      for (const auto& [pair, share] : sent) {
        EXPECT_NEAR(streamed[pair], share, 1e-12)
            << row.name() << " " << name << " " << cluster.spec.topology.name << ": " << pair.first
            << " to " << pair.second;
      }
      EXPECT_EQ(sent.size(), streamed.size());
    }
  }
}

TEST_P(EveryAlgorithm, SaysWhatItMakes) {
  const AlgorithmRow& row = algorithms()[GetParam()];
  EXPECT_EQ(&row_of(row.algorithm), &row);
  const Cluster one_node = able_cluster(1, 8);
  const Cluster several = able_cluster(4, 4);
  const Cluster torus = testing::torus_cluster(1, {4, 4}, 4, 50_GBps, 25_GBps, 1_us);
  for (const auto& [op, name] : kNames<CollectiveOp>) {
    if (op == CollectiveOp::Dispatch) {
      continue;  // has no messages
    }
    const bool makes = row.obstacle(op, whole_group(one_node), one_node.spec.topology).empty() ||
                       row.obstacle(op, whole_group(several), several.spec.topology).empty() ||
                       row.obstacle(op, whole_group(torus), torus.spec.topology).empty();
    EXPECT_EQ(row.ops.find(name) != std::string_view::npos, makes) << row.name() << " " << name;
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryAlgorithm, ::testing::Range(std::size_t{0}, kAlgorithms),
                         [](const auto& row) {
                           std::string name(algorithms()[row.param].name());
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// ---- closed forms

// T22: n 8, S 1e9 B, alpha 5 us, B 50 GB/s. Halving-doubling: 2 x 3 x 5 us + 14/8 x 20 ms = 0.03 ms
// + 35 ms. Recursive doubling and binomial: 3 (5 us + 20 ms) = 60.015 ms.
TEST(Logarithmic, MeetsItsClosedForms) {
  const Cluster cluster = plain_cluster(1, 8, 50_GBps, 25_GBps, 5_us);
  for (const auto& [algorithm, op, seconds] :
       {std::tuple(Algorithm::HalvingDoubling, CollectiveOp::AllReduce, 0.035030),
        std::tuple(Algorithm::RecursiveDoubling, CollectiveOp::AllReduce, 0.060015),
        std::tuple(Algorithm::Binomial, CollectiveOp::Broadcast, 0.060015)}) {
    EXPECT_TRUE(near(steady_time(cluster, algorithm, op, 1_GB), seconds)) << name_of(algorithm);
    EXPECT_TRUE(near(stepwise_time(cluster, algorithm, op, 1_GB), seconds))
        << name_of(algorithm) << " message by message";
  }
}

// T23: n 64, S 8192 B, 5 us, 50 GB/s. Ring 126 x 5 us + 0.32256 us = 630.3 us; halving-doubling
// 12 x 5 us + 0.32256 us = 60.32 us; recursive doubling 6 (5 us + 0.16384 us) = 30.98 us. The order
// is the other way round than for large messages.
TEST(Logarithmic, WinsWhereLatencyRules) {
  const Cluster cluster = plain_cluster(1, 64, 50_GBps, 25_GBps, 5_us);
  const auto us = [&](Algorithm algorithm) {
    return steady_time(cluster, algorithm, CollectiveOp::AllReduce, 8192_B) * 1e6;
  };
  EXPECT_NEAR(us(Algorithm::Ring), 630.32256, 1e-6);
  EXPECT_NEAR(us(Algorithm::HalvingDoubling), 60.32256, 1e-6);
  EXPECT_NEAR(us(Algorithm::RecursiveDoubling), 30.98304, 1e-6);
}

// T24: a chain of 8 passes on 1,000 chunks of 1 MB, each 5 us + 1 MB / 50 GB/s = 25 us: the last
// arrives after n - 2 + 1000 = 1006 of them, 25.150 ms. The steady form leaves out the latency of
// all chunks but the first: 7 x 5 us + 1 GB / 50 GB/s = 20.035 ms.
TEST(ChainBroadcast, PipelinesItsChunks) {
  const Cluster cluster = plain_cluster(1, 8, 50_GBps, 25_GBps, 5_us);
  EXPECT_TRUE(
      near(stepwise_time(cluster, Algorithm::Ring, CollectiveOp::Broadcast, 1_GB, 1000), 0.025150));
  EXPECT_TRUE(
      near(steady_time(cluster, Algorithm::Ring, CollectiveOp::Broadcast, 1_GB), 20.035e-3));
}

// T25: 16 nodes of 8, S 1e9 B, NVLink 450 GB/s and 1 us, a 50 GB/s NIC for each GPU and 5 us.
//   two levels  2 [7 x 1 us + 7/8 x 1e9/450e9] + 30 x 5 us + 30/16 x 125e6/50e9
//               = 2 (7 us + 1.944444 ms) + 0.15 ms + 4.6875 ms = 8.740389 ms
// A flat ring over 8 rails takes 254 steps, one in eight of them between nodes: 31.75 x 5 us +
// 222.25 x 1 us + 254/128 x 1e9 / 400e9 = 0.381 ms + 4.960938 ms = 5.341938 ms. (With 5 us for
// every step: 1.27 + 4.960938 = 6.230938 ms.)
TEST(TwoLevel, AddsUpItsPhases) {
  ClusterSpec spec = plain_cluster(16, 8, 450_GBps, 50_GBps, 5_us).spec;
  EXPECT_NEAR(
      steady_time(build_cluster(spec), Algorithm::Ring, CollectiveOp::AllReduce, 1_GB) * 1e3,
      6.230938, 1e-5);
  spec.topology.scale_up_latency = 1_us;
  const Cluster cluster = build_cluster(spec);
  EXPECT_NEAR(steady_time(cluster, Algorithm::TwoLevel, CollectiveOp::AllReduce, 1_GB) * 1e3,
              8.740389, 1e-5);
  EXPECT_NEAR(stepwise_time(cluster, Algorithm::TwoLevel, CollectiveOp::AllReduce, 1_GB) * 1e3,
              8.740389, 1e-5);
  EXPECT_NEAR(steady_time(cluster, Algorithm::Ring, CollectiveOp::AllReduce, 1_GB) * 1e3, 5.341938,
              1e-5);
}

// T28: all-to-all of 64 ranks, 8 below each leaf, 1e9 B each over 50 GB/s: 63/64 x 20 ms = 19.6875
// ms; with uplinks of a quarter (4:1) the 56/64 that leave the leaf take 4 x 17.5 = 70 ms. 63 peers
// in batches of 8 are 8 latencies.
TEST(AllToAll, IsBoundByTheUplinks) {
  ClusterSpec spec = plain_cluster(64, 1, 300_GBps, 50_GBps, 0_us).spec;
  spec.topology.fabric = FabricKind::FatTree;
  spec.topology.nodes_per_leaf = 8;
  EXPECT_NEAR(
      steady_time(build_cluster(spec), Algorithm::Direct, CollectiveOp::AllToAll, 1_GB) * 1e3,
      19.6875, 1e-6);
  spec.topology.oversubscription = 4;
  EXPECT_NEAR(
      steady_time(build_cluster(spec), Algorithm::Direct, CollectiveOp::AllToAll, 1_GB) * 1e3, 70.0,
      1e-6);
  spec.topology.fabric_latency = 5_us;  // and none for further switches
  EXPECT_NEAR(
      steady_time(build_cluster(spec), Algorithm::Direct, CollectiveOp::AllToAll, 1_GB) * 1e3,
      70.04, 1e-6);
}

// T27: seven ranks send 1e9 B each to one whose port takes 50 GB/s: all end together.
TEST(Incast, SharesTheReceiversPort) {
  const Cluster cluster = plain_cluster(9, 1, 300_GBps, 50_GBps, 5_us);
  TaskGraph graph;
  for (const Link& link : cluster.topology.links()) {
    graph.links.push_back({link.bandwidth});
  }
  for (int sender = 1; sender <= 8; ++sender) {
    Channel channel;
    for (const LinkLoad& load : transfer_pattern(cluster, sender, 0).loads) {
      channel.loads.push_back({make_id<FoldedLinkId>(index(load.link)), load.weight});
    }
    testing::add_flow(graph, graph.channels.push_back(std::move(channel)), 1_GB, 5_us);
  }
  const Timeline timeline = play(graph);  // 8 x 1e9 / 50e9 = 0.16 s
  for (const Seconds finish : timeline.finish) {
    EXPECT_TRUE(near(finish.value, 0.160005));
  }
}

// T30: 8 GPUs at 450 GB/s. A port carries 9/8 S: busbw = 7/4 S / (9/8 S / 450) = 700 GB/s; with an
// efficiency of 0.85 595 GB/s. A ring never exceeds the port.
TEST(Nvls, ShowsMoreBusBandwidthThanTheWire) {
  ClusterSpec spec = plain_cluster(1, 8, 450_GBps, 50_GBps, 0_us).spec;
  spec.topology.scale_up_reduction_efficiency = 1;
  const auto busbw = [&](Algorithm algorithm) {
    const double seconds =
        steady_time(build_cluster(spec), algorithm, CollectiveOp::AllReduce, 8_GiB);
    return 1.75 * (8_GiB).value / seconds / 1e9;
  };
  EXPECT_NEAR(busbw(Algorithm::Nvls), 700, 1e-6);
  EXPECT_NEAR(busbw(Algorithm::Ring), 450, 1e-6);
  spec.topology.scale_up_reduction_efficiency = 0.85;
  EXPECT_NEAR(busbw(Algorithm::Nvls), 595, 1e-6);
}

// NVLS, counted at the ports: up S for the sums and S/n to write its part back; down the same.
TEST(Nvls, LoadsEveryPortWithNPlusOneParts) {
  const Cluster cluster = able_cluster(1, 8);
  const Pattern pattern =
      steady_patterns(cluster, whole_group(cluster), Algorithm::Nvls, CollectiveOp::AllReduce)
          .front();
  EXPECT_EQ(pattern.loads.size(), 16U);
  for (const LinkLoad& load : pattern.loads) {
    EXPECT_EQ(load.weight, 1);
  }
  EXPECT_EQ(pattern.count, 9);
  EXPECT_EQ(pattern.parts, 8);
}

// SHARP over 4 nodes of 1: every NIC sends S once and receives it once, S/B; a ring sends 6/4 S.
TEST(Sharp, SendsTheArrayOnce) {
  Cluster cluster = able_cluster(4, 1);
  EXPECT_TRUE(
      near(steady_time(cluster, Algorithm::Sharp, CollectiveOp::AllReduce, 1_GB), 0.040005));
  EXPECT_TRUE(near(steady_time(cluster, Algorithm::Ring, CollectiveOp::AllReduce, 1_GB), 0.060030));
}

// TPU v4, 4 x 4 x 4: three snakes, each both ways. Every step is one link, and all links together
// carry 6 x 64 streams over 384 directed links, none more than three.
TEST(TorusRings, RunAlongEveryAxis) {
  const Cluster cluster = build_cluster(load_topology("tpu-v4", testing::shipped_presets()));
  const Group group = make_group(cluster, first_ranks(64));
  ASSERT_EQ(group.rings.size(), 6U);
  for (const std::vector<int>& ring : group.rings) {
    EXPECT_EQ(std::set<int>(ring.begin(), ring.end()).size(), 64U);
    for (std::size_t i = 0; i < ring.size(); ++i) {
      EXPECT_EQ(route(cluster, ring[i], ring[(i + 1) % ring.size()]).size(), 1U);
    }
  }
  const Pattern rings = ring_pattern(cluster, first_ranks(64));
  int crossings = 0;
  for (const LinkLoad& load : rings.loads) {
    crossings += load.weight;
    EXPECT_LE(load.weight, 3);
  }
  EXPECT_EQ(crossings, 6 * 64);
}

// The double binary tree has no exact form: at least 2(n-1)/n S/B, towards 2 S/B for large S (two
// nodes: S/B), and latency that grows with log n.
TEST(DoubleTree, StaysWithinItsBounds) {
  for (const int nodes : {2, 3, 4, 7, 8, 16, 31, 64}) {
    const Cluster cluster = plain_cluster(nodes, 1, 300_GBps, 25_GBps, 5_us);
    const double large = steady_time(cluster, Algorithm::Tree, CollectiveOp::AllReduce, 100_GB);
    EXPECT_GE(large, 2.0 * (nodes - 1) / nodes * 4) << nodes;
    EXPECT_LE(large, 2 * 4 * 1.0001) << nodes;
    const double small = steady_time(cluster, Algorithm::Tree, CollectiveOp::AllReduce, 8_B);
    EXPECT_LE(small, 2 * (std::log2(nodes) + 1) * 5.001e-6) << nodes;
  }
}

// Rounds of transfers and the steady flow agree with the same closed form when nothing contends.
TEST(Ladder, StepwiseMeetsSteadyWithoutContention) {
  for (const auto& [nodes, gpus] : {std::pair(1, 4), std::pair(1, 8), std::pair(4, 1)}) {
    const Cluster cluster = plain_cluster(nodes, gpus, 60_GBps, 25_GBps, 5_us);
    const double bytes = 48e6 * nodes * gpus;
    for (const auto& [algorithm, op] :
         {std::pair(Algorithm::Ring, CollectiveOp::AllReduce),
          std::pair(Algorithm::Ring, CollectiveOp::ReduceScatter),
          std::pair(Algorithm::Ring, CollectiveOp::AllGather),
          std::pair(Algorithm::HalvingDoubling, CollectiveOp::AllReduce),
          std::pair(Algorithm::Direct, CollectiveOp::AllToAll),
          std::pair(Algorithm::Direct, CollectiveOp::AllGather)}) {
      EXPECT_TRUE(near(steady_time(cluster, algorithm, op, {bytes}),
                       stepwise_time(cluster, algorithm, op, {bytes})))
          << name_of(algorithm) << " " << name_of(op);
    }
  }
}

}  // namespace
}  // namespace danlu
