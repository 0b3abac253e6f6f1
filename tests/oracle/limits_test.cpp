// What limits a collective, and which of a topology's figures go with a link that the user changes.
#include <fmt/format.h>

#include "sim/collective/group.hpp"
#include "sim/collective/pattern.hpp"
#include "sim/collective/tuning.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;

/// An all-reduce of all GPUs of a shipped topology by one algorithm.
struct AllReduce {
  Cluster cluster;
  Group group;
  std::vector<Pattern> phases;
  CollectiveChoice choice;

  AllReduce(const std::string& topology, int gpus, Algorithm algorithm,
            std::vector<std::string> overrides)
      : cluster(build(topology, gpus, std::move(overrides))),
        group(make_group(cluster, ranks(gpus))),
        phases(steady_patterns(cluster, group, algorithm, CollectiveOp::AllReduce)),
        choice{algorithm, Protocol::Simple} {}

  static Cluster build(const std::string& topology, int gpus, std::vector<std::string> overrides) {
    ClusterSpec spec = load_topology(topology, testing::shipped_presets(std::move(overrides)));
    spec.gpus = gpus;
    return build_cluster(spec);
  }
  static std::vector<int> ranks(int gpus) {
    std::vector<int> all;
    for (int rank = 0; rank < gpus; ++rank) {
      all.push_back(rank);
    }
    return all;
  }
  std::string limit() const { return describe(cluster, phases.front().limit); }
  /// Without what it costs before its stream.
  Seconds stream_time(Bytes bytes) const {
    return phase_bytes(cluster.spec.topology, choice, CollectiveOp::AllReduce, group,
                       phases.front(), bytes) /
           alone_rate(cluster, phases.front());
  }
};

constexpr Bytes kArray{8589934592};  // 8 GiB

// DGX H100: sums reach 0.68 x 450 = 306 GB/s of a port, of which an all-reduce of 8 takes 9/8 of
// its bytes: 8 GiB x 9/8 / 306 GB/s = 31.58 ms. The cap of 482 GB/s of bus bandwidth is 482 x 9/14
// = 309.9 GB/s of a port. Twice the bandwidth halves the time, since the cap was measured with it.
TEST(Limits, TheCapOnSumsGoesWithTheLinkItWasMeasuredOn) {
  const AllReduce usual("dgx-h100", 8, Algorithm::Nvls, {});
  EXPECT_TRUE(near(usual.stream_time(kArray).value, kArray.value * 9 / 8 / 306e9));
  EXPECT_EQ(usual.limit(), "sums in NVSwitch 306 GB/s");
  const AllReduce twice("dgx-h100", 8, Algorithm::Nvls, {"node.scale_up.bandwidth=900 GB/s"});
  EXPECT_TRUE(near(twice.stream_time(kArray).value, kArray.value * 9 / 8 / 612e9));
  EXPECT_EQ(twice.limit(), "sums in NVSwitch 612 GB/s");
}

// 72 GPUs of a GB200: 0.61 x 900 = 549 GB/s of a port; the cap of 845 GB/s is 845 x 73/142 = 434.4
// and holds.
TEST(Limits, ACapThatHoldsIsNamed) {
  const AllReduce usual("gb200-nvl72", 72, Algorithm::Nvls, {});
  EXPECT_EQ(usual.limit(), "sums in NVSwitch, capped at 845 GB/s");
  EXPECT_TRUE(
      near(usual.stream_time(kArray).value, kArray.value * 73 / 72 / (845e9 * 73 / 142), 1e-6));
  const AllReduce half("gb200-nvl72", 72, Algorithm::Nvls, {"node.scale_up.bandwidth=450 GB/s"});
  EXPECT_EQ(half.limit(), "sums in NVSwitch, capped at 422.5 GB/s");
  EXPECT_TRUE(near(half.stream_time(kArray).value, 2 * usual.stream_time(kArray).value, 1e-6));
}

// The user's own cap stays, in whatever order he says it: 482 x 9/14 = 309.86 GB/s of a port.
TEST(Limits, ACapOfOnesOwnStaysAndIsNamed) {
  const std::string cap = "node.scale_up.reduction_cap=482 GB/s";
  const std::string bandwidth = "node.scale_up.bandwidth=900 GB/s";
  for (const auto& overrides : {std::vector{cap, bandwidth}, std::vector{bandwidth, cap}}) {
    const AllReduce own("dgx-h100", 8, Algorithm::Nvls, overrides);
    EXPECT_EQ(own.limit(), "sums in NVSwitch, capped at 482 GB/s");
    EXPECT_TRUE(near(own.stream_time(kArray).value, kArray.value * 9 / 8 / (482e9 * 9 / 14), 1e-9));
  }
}

// AWS p5: messages up to 16 KiB take 32.3 us where others take more, by a share that stays.
TEST(Limits, TheLatencyOfSmallMessagesGoesWithThatOfOthers) {
  const TopologySpec usual = load_topology("aws-p5", testing::shipped_presets()).topology;
  ASSERT_TRUE(near((usual.fabric_latency * usual.fabric_small_share).value, 32.3e-6));
  const TopologySpec quick =
      load_topology("aws-p5", testing::shipped_presets({"fabric.latency=10 us"})).topology;
  EXPECT_TRUE(near(quick.fabric_small_share, usual.fabric_small_share));
  const TopologySpec own =
      load_topology("aws-p5",
                    testing::shipped_presets({"fabric.latency=10 us", "fabric.small_latency=9 us"}))
          .topology;
  EXPECT_TRUE(near(own.fabric_small_share, 0.9));
}

// In a scenario that is said.
TEST(Limits, AFigureThatGoesWithAnotherIsANote) {
  const std::string yaml =
      "model: gpt3-175b\n"
      "cluster: {topology: dgx-h100, gpus: 8, node: {scale_up: {bandwidth: 2x}}}\n"
      "parallelism: {tensor: 8}\n"
      "training: {global_batch: 8, sequence_length: 2048}\n";
  const Scenario scenario = load_scenario_text(yaml, "own.yaml", testing::shipped_presets());
  ASSERT_EQ(scenario.notes.size(), 1U);
  EXPECT_EQ(scenario.notes[0],
            "'node.scale_up.reduction_cap' is 964 GB/s here: the topology's 482 GB/s belongs to a "
            "'node.scale_up.bandwidth' of 450 GB/s and goes with it");
}

// SHARP over 8 nodes of 8 H100: every NIC carries 1/8 of 8 GiB at 48 GB/s, 22.37 ms, every NVLink
// port 7/4 of it at 0.844 x 450 = 379.8 GB/s, 39.58 ms: NVLink limits. Sums at half of the NICs'
// rate take 44.74 ms and limit; at 0.6 they take 37.28 and change nothing.
TEST(Limits, SumsInNetworkSwitchesDoNotSlowNvlink) {
  const auto sharp = [](const std::string& efficiency) {
    return AllReduce("dgx-h100", 64, Algorithm::Sharp,
                     {"fabric.reduction_efficiency=" + efficiency});
  };
  const double nvlink = kArray.value * 7 / 4 / 379.8e9;
  EXPECT_TRUE(near(sharp("1").stream_time(kArray).value, nvlink));
  EXPECT_TRUE(near(sharp("0.6").stream_time(kArray).value, nvlink));
  EXPECT_EQ(sharp("0.6").limit(), "scale-up 379.8 GB/s");
  EXPECT_TRUE(near(sharp("0.5").stream_time(kArray).value, kArray.value / 8 / 24e9));
  EXPECT_EQ(sharp("0.5").limit(), "sums in network switches 24 GB/s");
  EXPECT_TRUE(near(sharp("0.25").stream_time(kArray).value, kArray.value / 8 / 12e9));
}

// The same with PCIe of 20 GB/s to the NIC: 8 GiB / 8 / 20 GB/s = 53.69 ms, whatever sums reach of
// the NIC's 48 as long as that is more.
TEST(Limits, SumsInNetworkSwitchesDoNotSlowPcie) {
  const AllReduce narrow("dgx-h100", 64, Algorithm::Sharp,
                         {"fabric.reduction_efficiency=0.5", "node.pcie.bandwidth=20 GB/s"});
  EXPECT_TRUE(near(narrow.stream_time(kArray).value, kArray.value / 8 / 20e9));
  EXPECT_EQ(narrow.limit(), "PCIe 20 GB/s");
}

// NVLS with trees over two nodes: every NIC carries 1/8 at 0.89 x 48 GB/s, every port 9/8 at 306:
// 25.13 and 31.58 ms. The port limits until NICs are slower than 0.796 of that.
TEST(Limits, TreesSlowOnlyTheNetwork) {
  const AllReduce usual("dgx-h100", 16, Algorithm::NvlsTree, {});
  EXPECT_TRUE(near(usual.stream_time(kArray).value, kArray.value * 9 / 8 / 306e9, 1e-6));
  EXPECT_EQ(usual.limit(), "sums in NVSwitch 306 GB/s");
  const AllReduce slow("dgx-h100", 16, Algorithm::NvlsTree, {"node.nics.bandwidth=200 Gbps"});
  EXPECT_TRUE(near(slow.stream_time(kArray).value, kArray.value / 8 / (0.89 * 24e9), 1e-6));
  EXPECT_EQ(slow.limit(), "NIC 24 GB/s");
}

}  // namespace
}  // namespace danlu
