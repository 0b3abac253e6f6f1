// Collectives between nodes against published figures: sums in the network's switches, several
// NVLink domains, rings of many ranks, networks by name, experts' messages; and what a collective
// takes from the compute beside it.
#include <fmt/format.h>

#include <numeric>

#include "sim/collective/experts.hpp"
#include "sim/collective/footprint.hpp"
#include "sim/collective/group.hpp"
#include "sim/collective/pattern.hpp"
#include "sim/collective/tuning.hpp"
#include "sim/validation/networks.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;

constexpr double kGib = 1073741824;

/// All GPUs of a shipped topology.
struct Machine {
  Cluster cluster;
  Group group;

  Machine(const std::string& topology, int gpus, std::vector<std::string> overrides = {})
      : cluster(build(topology, gpus, std::move(overrides))),
        group(make_group(cluster, all(gpus))) {}

  static Cluster build(const std::string& topology, int gpus, std::vector<std::string> overrides) {
    ClusterSpec spec = load_topology(topology, testing::shipped_presets(std::move(overrides)));
    spec.gpus = gpus;
    return build_cluster(spec);
  }
  static std::vector<int> all(int gpus) {
    std::vector<int> ranks(static_cast<std::size_t>(gpus));
    std::iota(ranks.begin(), ranks.end(), 0);
    return ranks;
  }
  PlannedCollective planned(CollectiveOp op, double bytes, const ForcedChoice& forced) const {
    const std::vector<Candidate> found = candidates(cluster, group, op, forced);
    PlannedCollective best = fastest(cluster, group, op, Bytes{bytes}, found);
    best.phases = {};  // of candidates that end here
    return best;
  }
  /// Bus bandwidth of an all-reduce, in GB/s.
  double bus(double bytes, const ForcedChoice& forced = {}) const {
    return bytes * bus_factor(CollectiveOp::AllReduce, group.size()) /
           planned(CollectiveOp::AllReduce, bytes, forced).alone.value / 1e9;
  }
  double seconds(double bytes, const ForcedChoice& forced = {}) const {
    return planned(CollectiveOp::AllReduce, bytes, forced).alone.value;
  }
  std::string limit(Algorithm algorithm) const {
    return describe(
        cluster, steady_patterns(cluster, group, algorithm, CollectiveOp::AllReduce).front().limit);
  }
};

// 64 H100 with SHARP reach 386 GB/s of bus bandwidth with 8 GiB (CoreWeave, nccl-tests): the NICs
// carry an eighth at half of their rate. NVLink carries 9/8 of the array at 306 GB/s where its
// switches sum too, and 14/8 at 379.8 in chains: sums between nodes never slow it.
TEST(Sharp, MeetsThePublishedBandwidth) {
  const Machine machine("dgx-h100", 64, {"fabric.reduction_efficiency=0.5"});
  EXPECT_TRUE(near(machine.bus(8 * kGib, {Algorithm::NvlsSharp, {}}), 386, 0.05));
  EXPECT_TRUE(near(machine.bus(8 * kGib, {Algorithm::Sharp, {}}), 386, 0.05));
  EXPECT_EQ(machine.limit(Algorithm::NvlsSharp), "sums in network switches 24 GB/s");
  const Machine full("dgx-h100", 64, {"fabric.reduction_efficiency=1"});
  const Machine most("dgx-h100", 64, {"fabric.reduction_efficiency=0.8"});
  EXPECT_EQ(full.limit(Algorithm::NvlsSharp), "sums in NVSwitch 306 GB/s");
  EXPECT_EQ(full.limit(Algorithm::Sharp), "scale-up 379.8 GB/s");
  for (const Algorithm algorithm : {Algorithm::NvlsSharp, Algorithm::Sharp}) {
    EXPECT_DOUBLE_EQ(full.seconds(kGib, {algorithm, {}}), most.seconds(kGib, {algorithm, {}}));
  }
}

// NVL72 racks of GB200, 8 GiB (CoreWeave, nccl-tests): 834.6 GB/s in one, 793.1 over two, 381.5
// over twenty. Of 72 ranks 32 own a part of the sum; beyond two racks their NICs carry it twice.
TEST(NvlinkDomains, MeetThePublishedBandwidths) {
  EXPECT_TRUE(near(Machine("gb200-nvl72", 72).bus(8 * kGib), 834.6, 0.05));
  EXPECT_TRUE(near(Machine("gb200-nvl72", 144).bus(8 * kGib), 793.1, 0.05));
  EXPECT_TRUE(near(Machine("gb200-nvl72", 1440).bus(8 * kGib), 381.5, 0.05));
}

// Each of 144 ranks adds to the sum; of a rack's 72 NICs 32 carry 1/32 of it.
TEST(NvlinkDomains, HaveThirtyTwoHeads) {
  const Machine machine("gb200-nvl72", 144);
  const Pattern pattern =
      steady_patterns(machine.cluster, machine.group, Algorithm::NvlsTree, CollectiveOp::AllReduce)
          .front();
  int nics = 0;
  for (const LinkLoad& load : pattern.loads) {
    const LinkKind kind = machine.cluster.topology.link(load.link).kind;
    nics += kind != LinkKind::ScaleUp && kind != LinkKind::Pcie ? 1 : 0;
  }
  EXPECT_EQ(nics, 2 * 32 * 2);  // both ways, of both racks
}

// Share of the bandwidth with 16 GiB that a ring of n ranks reaches with 16 MiB, 256 MiB and 4 GiB:
// github.com/aliyun/SimAI astra-sim-alibabacloud/inputs/ratio/nic_ratio.csv (nodes of eight GPUs
// with eight NICs of 400 Gb/s), of which the row of 16 GiB is taken out.
TEST(LongRings, RampUpAsPublished) {
  struct Row {
    int ranks;
    std::array<double, 3> share;
  };
  constexpr std::array kRows{
      Row{16, {0.32 / 0.96, 0.85 / 0.96, 0.95 / 0.96}},
      Row{64, {0.13 / 0.96, 0.69 / 0.96, 0.95 / 0.96}},
      Row{256, {0.044 / 0.957, 0.387 / 0.957, 0.923 / 0.957}},
      Row{1024, {0.0087 / 0.919, 0.1027 / 0.919, 0.740 / 0.919}},
  };
  const ForcedChoice ring{Algorithm::Ring, Protocol::Simple};
  for (const Row& row : kRows) {
    const Machine machine("dgx-h100", row.ranks);
    const double most = machine.bus(16 * kGib, ring);
    for (std::size_t i = 0; const double mib : {16, 256, 4096}) {
      EXPECT_TRUE(near(machine.bus(mib * kGib / 1024, ring) / most, row.share[i++], 0.27))
          << row.ranks << " ranks, " << mib << " MiB";
    }
  }
}

// A ring of two DGX has all eight NICs, and its bandwidth is theirs; inside a node it has none.
TEST(Rings, UseEveryNic) {
  const std::vector<std::string> half{"node.nics.count=4"};
  const ForcedChoice ring{Algorithm::Ring, Protocol::Simple};
  EXPECT_DOUBLE_EQ(Machine("dgx-h100", 8).bus(4 * kGib, ring),
                   Machine("dgx-h100", 8, half).bus(4 * kGib, ring));
  EXPECT_TRUE(near(Machine("dgx-h100", 16).bus(16 * kGib, ring) /
                       Machine("dgx-h100", 16, half).bus(16 * kGib, ring),
                   2, 0.02));
}

// LL128 between nodes is NCCL's choice only where the topology says that it is in use there.
TEST(Ll128, BetweenNodesIsAnOption) {
  const auto knows = [](const Machine& machine) {
    for (const Candidate& candidate :
         candidates(machine.cluster, machine.group, CollectiveOp::AllReduce, {})) {
      for (const Protocol protocol : candidate.protocols) {
        if (protocol == Protocol::LL128) {
          return true;
        }
      }
    }
    return false;
  };
  EXPECT_TRUE(knows(Machine("dgx-h100", 8)));
  EXPECT_FALSE(knows(Machine("dgx-h100", 16)));
  EXPECT_TRUE(knows(Machine("dgx-h100", 16, {"fabric.ll128=true"})));
  EXPECT_TRUE(knows(Machine("aws-p4d", 16)));
}

// A network by name is one curve in the place of another, whole; what the user says stands over it.
TEST(Networks, ReplaceTheTopologysCurve) {
  const auto spec = [](std::vector<std::string> overrides) {
    return load_topology("aws-p4d", testing::shipped_presets(std::move(overrides))).topology;
  };
  EXPECT_DOUBLE_EQ(spec({}).nic_efficiency, 0.95);
  const TopologySpec slow = spec({"network=omni-path"});
  EXPECT_DOUBLE_EQ(slow.nic_efficiency, 0.2);
  EXPECT_DOUBLE_EQ(slow.fabric_latency.value, 14e-6);
  EXPECT_DOUBLE_EQ(slow.fabric_small_share, 1);
  EXPECT_DOUBLE_EQ(slow.network_fill.value, 0);
  EXPECT_FALSE(slow.fabric_ll128);
  EXPECT_DOUBLE_EQ(spec({"network=omni-path", "node.nics.efficiency=0.3"}).nic_efficiency, 0.3);
  EXPECT_THROW(spec({"network=token-ring"}), InputError);
}

TEST(Networks, AreKnownByTheWordsOfATable) {
  EXPECT_EQ(network_named("4x100 Gb/s Omni-Path per node"), "omni-path");
  EXPECT_EQ(network_named("8x HDR InfiniBand"), "infiniband");
  EXPECT_EQ(network_named("EFA v2 3200 Gb/s per node"), "efa");
  EXPECT_EQ(network_named("1600 Gbps RoCE"), "roce");
  EXPECT_EQ(network_named("Ethernet"), "");
}

// A scenario on a network of borrowed figures says which they are.
TEST(Networks, SayWhatTheyBorrow) {
  const Scenario scenario = load_scenario_text(
      "model: gpt3-175b\n"
      "cluster: {topology: dgx-a100, gpus: 64, network: omni-path}\n"
      "parallelism: {tensor: 8, pipeline: 8}\n"
      "training: {global_batch: 64, sequence_length: 2048}\n",
      "own.yaml", testing::shipped_presets());
  EXPECT_DOUBLE_EQ(scenario.cluster.topology.nic_efficiency, 0.2);
  const auto found =
      std::find_if(scenario.assumed.begin(), scenario.assumed.end(),
                   [](const Assumed& figure) { return figure.key.ends_with("fabric.latency"); });
  ASSERT_NE(found, scenario.assumed.end());
  EXPECT_TRUE(found->reason.starts_with("assumed: InfiniBand's"));
}

// Small batches over EFA: 128 tokens to 8 experts over 4 nodes are 768 messages to others, at 1.8
// million a second 427 us; over InfiniBand no such rate is known.
TEST(ExpertMessages, TakeTheirRate) {
  const Machine efa("aws-p6-b200", 32);
  const ExpertLoad load{
      .routing = {256, 8, 0}, .tokens = 128, .token = {7392}, .two_levels = false};
  const ExpertExchange exchange = expert_exchange(efa.cluster, efa.group, load);
  EXPECT_TRUE(
      near(alone_time(efa.cluster, exchange).value - exchange.latency.value, 768 / 1.8e6, 1e-6));
  const Machine infiniband("hgx-b200", 32);
  EXPECT_LT(
      alone_time(infiniband.cluster, expert_exchange(infiniband.cluster, infiniband.group, load))
          .value,
      200e-6);
}

// NCCL's channels as they run: 24 of a ring on 8 H100, 16 over more nodes, 16 of NVLS; 24 on 8
// A100. A ring's all-gather writes and reads every byte once, a reduce-scatter of 8 ranks reads two
// for each that arrives and writes its own eighth: 3 x 7/8 + 1/8.
TEST(Footprint, IsNcclsChannelsAndTheTrafficOfChunks) {
  const CollectiveChoice ring{Algorithm::Ring, Protocol::Simple};
  const Machine h100("dgx-h100", 8);
  const Machine nodes("dgx-h100", 32);
  const Machine a100("dgx-a100", 8);
  const auto of = [](const Machine& machine, CollectiveChoice choice, CollectiveOp op) {
    return footprint(machine.cluster.spec, machine.group, choice, op);
  };
  EXPECT_EQ(of(h100, ring, CollectiveOp::AllReduce).multiprocessors, 24);
  EXPECT_EQ(of(nodes, ring, CollectiveOp::AllReduce).multiprocessors, 16);
  EXPECT_EQ(of(a100, ring, CollectiveOp::AllReduce).multiprocessors, 24);
  EXPECT_EQ(of(h100, {Algorithm::Nvls, Protocol::Simple}, CollectiveOp::AllReduce).multiprocessors,
            16);
  EXPECT_EQ(
      of(nodes, {Algorithm::TwoLevel, Protocol::Simple}, CollectiveOp::Dispatch).multiprocessors,
      20);
  EXPECT_DOUBLE_EQ(of(h100, ring, CollectiveOp::AllGather).memory, 2);
  EXPECT_DOUBLE_EQ(of(h100, ring, CollectiveOp::ReduceScatter).memory, 2.75);
  EXPECT_DOUBLE_EQ(of(h100, ring, CollectiveOp::AllReduce).memory, 4.75);
  EXPECT_DOUBLE_EQ(of(h100, {Algorithm::Ring, Protocol::LL}, CollectiveOp::AllGather).memory, 4);
}

}  // namespace
}  // namespace danlu
