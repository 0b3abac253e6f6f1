// Tables of measured collectives: what the converter makes of a row, and why it refuses one.
#include "sim/validation/nccl_table.hpp"

#include <gtest/gtest.h>

#include "sim/base/csv.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

constexpr const char* kHeader =
    "id,gpu,gpus,nodes,interconnect_intra,interconnect_inter,collective,algo,size_bytes,time_us,"
    "busbw_GBps,notes\n";

CollectiveConversion convert_row(const std::string& row, const std::string& header = kHeader) {
  const CsvTable table = parse_csv(header + row + "\n", "table.csv");
  return convert_collective(table, table.rows().front(), testing::shipped_presets());
}

TEST(NcclTable, ReadsARow) {
  const CollectiveConversion row =
      convert_row("a,A100-80GB,8,1,NVSwitch,,all_reduce,,1048576,51.5,,");
  ASSERT_TRUE(row.collective.has_value());
  EXPECT_EQ(row.device, "A100");
  EXPECT_EQ(row.collective->op, CollectiveOp::AllReduce);
  EXPECT_EQ(row.collective->cluster.gpus, 8);
  EXPECT_DOUBLE_EQ(row.collective->bytes.value, 1048576);
  EXPECT_DOUBLE_EQ(row.collective->published.value, 51.5e-6);
}

// 8 GiB at 475 GB/s of bus bandwidth: 1.75 x 8.59 GB / 475 GB/s = 31.65 ms.
TEST(NcclTable, TakesTheTimeFromTheBusBandwidth) {
  const CollectiveConversion row = convert_row("a,H200,8,1,NVSwitch,,all_reduce,,8589934592,,475,");
  ASSERT_TRUE(row.collective.has_value());
  EXPECT_NEAR(row.collective->published.value, 31.647e-3, 1e-6);
}

TEST(NcclTable, ReadsTheNicsFromWords) {
  const auto nics = [](const std::string& words) {
    const CollectiveConversion row =
        convert_row("a,A100-40GB,24,3,NVSwitch,\"" + words + "\",all_reduce,,1048576,99,,");
    EXPECT_TRUE(row.collective.has_value()) << words;
    const TopologySpec topology = row.collective->cluster.topology;
    return std::pair(topology.nics_per_node, topology.nic_bandwidth.value * 8 / 1e9);
  };
  EXPECT_EQ(nics("4x HDR200 per node"), std::pair(4, 200.0));
  EXPECT_EQ(nics("8x100 Gb/s ConnectX-6"), std::pair(8, 100.0));
  EXPECT_EQ(nics("8x50 GB/s"), std::pair(8, 400.0));
  EXPECT_EQ(nics("ConnectX-7 IB 400 Gb/s per GPU"), std::pair(8, 400.0));
  EXPECT_EQ(nics("1600 Gb/s per node"), std::pair(8, 200.0));
  EXPECT_EQ(nics("InfiniBand"), std::pair(8, 200.0));  // the preset's
}

// 12 links of 25 GB/s to three others: two GPUs of four A100 reach a third of what all four do.
TEST(NcclTable, BoardsOfFourJoinPairs) {
  const std::string header =
      "id,gpu,gpus,gpus_per_node,nodes,interconnect_intra,interconnect_inter,collective,algo,"
      "size_bytes,time_us,busbw_GBps,notes\n";
  const auto cluster_of = [&](const std::string& gpus) {
    const CollectiveConversion row = convert_row(
        "a,A100-40GB," + gpus + ",NVLink3,4x HDR200 per node,all_gather,,1048576,99,,", header);
    EXPECT_TRUE(row.collective.has_value());
    return row.collective->cluster;
  };
  const TopologySpec node = cluster_of("2,4,1").topology;
  EXPECT_EQ(node.scale_up, ScaleUpKind::Mesh);
  EXPECT_EQ(node.gpus_per_node, 4);
  EXPECT_EQ(node.scale_up_bandwidth, 100_GBps);
  EXPECT_EQ(node.mesh_links.size(), 6U);
  EXPECT_EQ(cluster_of("8,4,2").topology.nics_per_node, 4);
  EXPECT_EQ(cluster_of("8,8,1").topology.scale_up, ScaleUpKind::Switch);
}

TEST(NcclTable, ACloudsNetworkHasNodesOfItsOwn) {
  const CollectiveConversion row =
      convert_row("a,H100-80GB,16,2,NVSwitch,EFA v2 3200 Gb/s per node,all_reduce,,1048576,99,,");
  ASSERT_TRUE(row.collective.has_value());
  EXPECT_EQ(row.collective->cluster.topology.name, "AWS p5");
}

TEST(NcclTable, AForcedRingIsARing) {
  const CollectiveConversion row =
      convert_row("a,H200,8,1,NVSwitch,,all_reduce,Ring (NCCL_NVLS_ENABLE=0),1048576,99,,");
  ASSERT_TRUE(row.collective.has_value());
  EXPECT_EQ(row.collective->forced.algorithm, Algorithm::Ring);
}

// DeepEP's bandwidth counts a token once for every node that needs it, its own as well: all of two,
// but for the few whose eight experts share one. 8-bit numbers and a scale of 4 bytes for 128.
TEST(NcclTable, ReadsAnExchangeBetweenExperts) {
  const CollectiveConversion row = convert_row(
      "a,H800,16,2,IB 400 Gb/s per GPU,all_to_all MoE dispatch(FP8),"
      "DeepEP normal internode RDMA bottleneck bw,43,"
      "\"4096 tokens x 7168 hidden, top-4 groups top-8 experts\"",
      "id,gpu,gpus,nodes,interconnect_inter,collective,algo,algbw_GBps,notes\n");
  ASSERT_TRUE(row.collective.has_value() && row.collective->experts.has_value());
  const ExpertLoad& load = *row.collective->experts;
  EXPECT_DOUBLE_EQ(load.token.value, 7168 * (1 + 4.0 / 128));
  EXPECT_EQ(load.tokens, 4096);
  EXPECT_EQ(load.routing.per_token, 8);
  EXPECT_EQ(load.routing.most_nodes, 4);
  EXPECT_TRUE(load.two_levels);
  const double nodes = token_spread(load.routing, 2, 8).nodes;
  EXPECT_GT(nodes, 1.98);
  EXPECT_NEAR(row.collective->published.value, nodes * 4096 * 7392 / 43e9, 1e-9);
}

TEST(NcclTable, KernelsForSmallBatchesSendACopyForEveryExpert) {
  const CollectiveConversion row = convert_row(
      "a,H800,16,2,NVLink,IB 400 Gb/s per GPU,all_to_all MoE combine(BF16),"
      "DeepEP low-latency RDMA bw,,195,74,\"128 tokens x 7168 hidden, top-8 experts\"");
  ASSERT_TRUE(row.collective.has_value() && row.collective->experts.has_value());
  EXPECT_FALSE(row.collective->experts->two_levels);
  EXPECT_FALSE(row.collective->cluster.topology.pxn);
  EXPECT_DOUBLE_EQ(row.collective->experts->token.value, 14336);
  EXPECT_DOUBLE_EQ(row.collective->published.value, 195e-6);
}

TEST(NcclTable, SaysWhyARowIsNotSimulated) {
  const auto reason = [](const std::string& row) {
    const CollectiveConversion conversion = convert_row(row);
    EXPECT_FALSE(conversion.collective.has_value());
    return conversion.reasons.empty() ? "" : conversion.reasons.front();
  };
  EXPECT_EQ(reason("a,Cerebras,8,1,,,all_reduce,,1048576,9,,"), "GPU without a node: Cerebras");
  EXPECT_EQ(reason("a,H800,16,2,,,all_to_all MoE dispatch(FP8),DeepEP,,,43,"),
            "tokens, hidden size or experts of each token not stated");
  EXPECT_EQ(reason("a,A100,8,1,,,p2p_bidirectional,,1048576,9,,"),
            "not a collective: p2p_bidirectional");
  EXPECT_EQ(reason("a,A100,8,1,,,all_reduce,,,,234,"), "message size not stated");
  EXPECT_EQ(reason("a,B200,32,4,,EFA v4,all_reduce,,32768,,0.01,"),
            "no time, and no bus bandwidth of two digits");
  EXPECT_EQ(reason("a,H100 PCIe (NVLink bridge),2,1,NVLink bridge,,all_reduce,,1048576,9,,"),
            "GPUs joined by NVLink bridges, their number not stated");
  EXPECT_EQ(reason("a,A100-40GB,16,2,NVSwitch,IB 25 GB/s per NIC stated,all_reduce,,1048576,9,,"),
            "NICs of a node not stated");
}

// What the way of measuring adds: 23.5 us of a script in Python, or 1.44 us for each GPU that one
// host launches on; XLA 1.7 us each and what a rank does with its own eighth of 1 MiB, 2.1 ps a
// byte in an all-reduce. In a training step there is none of it.
TEST(NcclTable, ChargesTheWayOfMeasuring) {
  const auto method = [](const std::string& row) {
    return convert_row(row).collective->method.value;
  };
  EXPECT_DOUBLE_EQ(method("a,H200,8,1,,,all_reduce,,1048576,9,,PyTorch script"), 23.5e-6);
  EXPECT_DOUBLE_EQ(method("a,H200,8,1,,,all_reduce,,1048576,9,,"), 8 * 1.44e-6);
  EXPECT_DOUBLE_EQ(method("a,H200,32,4,,EFA,all_reduce,,1048576,9,,nccl-tests"), 8 * 1.44e-6);
  EXPECT_DOUBLE_EQ(method("a,A100,2,1,,,all_reduce,,1048576,9,,inside a training replay"), 0);
  EXPECT_NEAR(method("a,H100,8,1,,,all_reduce,,1048576,9,,XLA table"),
              8 * 1.7e-6 + 131072 * 2.1e-12, 1e-12);
}

TEST(NcclTable, RangesOfSizesBeginAtTheirLowerEnd) {
  EXPECT_EQ(size_range(Bytes{1048575}), "0 to 1 MiB");
  EXPECT_EQ(size_range(Bytes{1048576}), "1 to 16 MiB");
  EXPECT_EQ(size_range(Bytes{16777216}), "16 MiB and more");
}

}  // namespace
}  // namespace danlu
