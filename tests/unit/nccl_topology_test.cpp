// Nodes from NCCL's topology files, in the shape that NCCL 2.2x dumps them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/cluster/cluster.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;

std::string gpu(int dev, int compute_capability, const std::string& nvlinks) {
  return fmt::format(
      "<pci busid=\"0000:{0}1:00.0\" class=\"0x030200\" link_speed=\"32.0 GT/s PCIe\" "
      "link_width=\"16\"><gpu dev=\"{0}\" sm=\"{1}\" rank=\"{0}\" gdr=\"1\">{2}</gpu>"
      "</pci>\n",
      dev, compute_capability, nvlinks);
}
std::string nic(const std::string& name, int megabits) {
  return fmt::format(
      "<pci busid=\"0000:ff:00.0\" class=\"0x020700\"><nic><net name=\"{}\" dev=\"0\" "
      "speed=\"{}\" port=\"1\" gdr=\"1\"/></nic></pci>\n",
      name, megabits);
}
std::string in(const std::string& element, const std::string& inside) {
  return fmt::format("<{} numaid=\"0\" link_speed=\"32.0 GT/s PCIe\" link_width=\"16\">\n{}</{}>\n",
                     element, inside, element);
}
std::string nvlink(const std::string& target, int count, const std::string& target_class) {
  return fmt::format("<nvlink target=\"{}\" count=\"{}\" tclass=\"{}\"/>", target, count,
                     target_class);
}

/// Writes a topology file of NCCL that holds `xml`; returns its path.
std::string write_system(const testing::Folder& folder, const std::string& xml) {
  return folder.write("node.xml", "<system version=\"1\">\n" + xml + "</system>\n").string();
}

/// The topology of a file that holds `xml` as its node, and more keys below `node:`.
TopologySpec node_of(const std::string& xml, const std::string& more = "") {
  const testing::Folder folder;
  const std::string yaml =
      fmt::format("name: mine\ngpu: h100\nnode:\n  xml: {}\n{}", write_system(folder, xml), more);
  return load_topology_text(yaml, "/mine.yaml", testing::shipped_presets()).topology;
}

/// Two sockets, four PCIe switches each with a GPU and its NIC, a slower NIC for storage and one
/// of the same speed that hangs on the socket. 5 + 4 + 4 + 5 links of 25 GB/s to four NVSwitches.
std::string hopper_node() {
  std::string xml;
  for (int socket = 0; socket < 2; ++socket) {
    std::string below;
    for (int i = 0; i < 4; ++i) {
      const std::string switches =
          nvlink("0000:05:00.0", 5, "0x068000") + nvlink("0000:06:00.0", 4, "0x068000") +
          nvlink("0000:07:00.0", 4, "0x068000") + nvlink("0000:08:00.0", 5, "0x068000");
      below += in("pci", gpu(4 * socket + i, 90, switches) + nic("mlx5", 400000));
    }
    xml += in("cpu", below + nic("storage", 200000) + nic("other", 400000));
  }
  return xml;
}

TEST(NcclTopology, NodeBehindNvswitches) {
  const TopologySpec node = node_of(hopper_node());
  EXPECT_EQ(node.gpus_per_node, 8);
  EXPECT_EQ(node.scale_up, ScaleUpKind::Switch);
  EXPECT_EQ(node.scale_up_switches, 4);
  EXPECT_TRUE(near(node.scale_up_bandwidth.value, 450e9));
  EXPECT_TRUE(near(node.scale_up_efficiency, 20.6 / 25));
  EXPECT_TRUE(near(node.pcie_bandwidth.value, 32e9 * 16 / 8 * 128 / 130));
  EXPECT_EQ(node.nics_per_node, 8);  // those next to a GPU
  EXPECT_TRUE(near(node.nic_bandwidth.value, 50e9));
}

TEST(NcclTopology, KeysOfTheTopologyWin) {
  const TopologySpec node =
      node_of(hopper_node(), "  scale_up: {efficiency: 0.5}\n  nics: {count: 4}\n");
  EXPECT_EQ(node.nics_per_node, 4);
  EXPECT_TRUE(near(node.scale_up_efficiency, 0.5));
  EXPECT_TRUE(near(node.scale_up_bandwidth.value, 450e9));
}

// A file named on the command line replaces the node of the topology, its links too.
TEST(NcclTopology, ReplacesTheNodeOfAScenario) {
  const testing::Folder folder;
  const std::string file = write_system(folder, hopper_node());
  const Scenario scenario = testing::shipped(
      "gpt3-175b-a100.yaml", {"cluster.topology=dgx1-v100", "cluster.gpu=v100-32",
                              "training.precision=fp16", "cluster.node.xml=" + file});
  EXPECT_EQ(scenario.cluster.topology.scale_up, ScaleUpKind::Switch);
  EXPECT_EQ(scenario.cluster.topology.nics_per_node, 8);
}

// Four V100 on a square with one double side, both ends list a link. GPUs come in order of dev.
TEST(NcclTopology, MeshOfDirectLinks) {
  const auto to = [](int dev, int count) {
    return nvlink(fmt::format("0000:{}1:00.0", dev), count, "0x030200");
  };
  const TopologySpec node =
      node_of(in("cpu", gpu(2, 70, to(1, 1) + to(3, 1)) + gpu(0, 70, to(1, 2) + to(3, 1)) +
                            gpu(1, 70, to(0, 2) + to(2, 1)) + gpu(3, 70, to(0, 1) + to(2, 1)) +
                            nic("mlx5", 100000)));
  EXPECT_EQ(node.scale_up, ScaleUpKind::Mesh);
  EXPECT_TRUE(near(node.scale_up_bandwidth.value, 25e9));
  ASSERT_EQ(node.mesh_links.size(), 4U);
  EXPECT_EQ(node.mesh_links[0].first, 0);
  EXPECT_EQ(node.mesh_links[0].second, 1);
  EXPECT_EQ(node.mesh_links[0].count, 2);
  const Cluster cluster = build_cluster({.topology = node, .gpu = {}, .gpus = 4});
  EXPECT_EQ(route(cluster, 0, 2).size(), 2U);
  EXPECT_EQ(route(cluster, 0, 3).size(), 1U);
}

// No NVLink: two GPUs on each of two PCIe switches, one NIC next to the first pair.
TEST(NcclTopology, PcieOnly) {
  const TopologySpec node =
      node_of(in("cpu", in("pci", gpu(0, 86, "") + gpu(1, 86, "") + nic("mlx5", 100000))) +
              in("cpu", in("pci", gpu(2, 86, "") + gpu(3, 86, ""))));
  EXPECT_EQ(node.scale_up, ScaleUpKind::None);
  EXPECT_EQ(node.gpus_per_node, 4);
  EXPECT_EQ(node.pcie_switches, 2);
  EXPECT_EQ(node.nics_per_node, 1);
  const Cluster cluster = build_cluster({.topology = node, .gpu = {}, .gpus = 4});
  EXPECT_EQ(route(cluster, 0, 1).size(), 2U);
  EXPECT_EQ(route(cluster, 0, 2).size(), 4U);
}

}  // namespace
}  // namespace danlu
