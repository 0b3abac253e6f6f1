// Nodes from NCCL's topology files, in the shape that NCCL 2.2x dumps them.
#include <fmt/format.h>
#include <fmt/ranges.h>
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
/// A NIC of one port in a slot of `lanes` lanes of 16 GT/s; its name tells it from others.
std::string nic(const std::string& name, int megabits, int lanes = 16) {
  return fmt::format(
      "<pci busid=\"{}:00.0\" class=\"0x020700\" link_speed=\"16.0 GT/s PCIe\" "
      "link_width=\"{}\"><nic><net name=\"{}\" dev=\"0\" speed=\"{}\" port=\"1\" "
      "gdr=\"1\"/></nic></pci>\n",
      name, lanes, name, megabits);
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
TopologySpec node_of(const std::string& xml, const std::string& more = "",
                     const std::string& gpu = "h100") {
  const testing::Folder folder;
  const std::string yaml = fmt::format("name: mine\ngpu: {}\nnode:\n  xml: {}\n{}", gpu,
                                       write_system(folder, xml), more);
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
      below += in("pci", gpu(4 * socket + i, 90, switches) +
                             nic(fmt::format("mlx5_{}", 4 * socket + i), 400000));
    }
    xml += in("cpu", below + nic(fmt::format("storage{}", socket), 200000) +
                         nic(fmt::format("other{}", socket), 400000));
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
      "gpt3-175b-a100.yaml", {"cluster.topology=dgx1-v100", "cluster.gpu=h100",
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
                            nic("mlx5", 100000)),
              "", "v100-32");
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
                  in("cpu", in("pci", gpu(2, 86, "") + gpu(3, 86, ""))),
              "", "rtx-a6000");
  EXPECT_EQ(node.scale_up, ScaleUpKind::None);
  EXPECT_EQ(node.gpus_per_node, 4);
  EXPECT_EQ(node.pcie_switches, 2);
  EXPECT_EQ(node.nics_per_node, 1);
  const Cluster cluster = build_cluster({.topology = node, .gpu = {}, .gpus = 4});
  EXPECT_EQ(route(cluster, 0, 1).size(), 2U);
  EXPECT_EQ(route(cluster, 0, 2).size(), 4U);
}

std::string to_switch(int links) {
  return nvlink("fffffff:ff:ff.0", links, "0x068000");
}

// Two NICs of 50 GB/s in slots of 16 GT/s x 8: 16 x 8 / 8 x 128 / 130 = 15.754 GB/s each.
TEST(NcclTopology, NarrowSlotsOfNics) {
  std::string xml;
  for (int i = 0; i < 2; ++i) {
    xml += in("cpu", in("pci", gpu(i, 90, to_switch(18)) + nic(fmt::format("n{}", i), 400000, 8)));
  }
  const TopologySpec node = node_of(xml);
  EXPECT_TRUE(near(node.nic_bandwidth.value, 50e9));
  EXPECT_TRUE(near(node.nic_slot.value, 16e9 * 8 / 8 * 128 / 130));
  const Cluster cluster = build_cluster({.topology = node, .gpu = {}, .gpus = 4});
  double least = 1e12;
  for (const LinkId link : route(cluster, 0, 2)) {
    least = std::min(least, cluster.topology.link(link).bandwidth.value);
  }
  EXPECT_TRUE(near(least, 16e9 * 128 / 130));
}

// One NIC that two CPUs list is one.
TEST(NcclTopology, ANicIsWhatItIsCalled) {
  const std::string net = "<nic><net name=\"eth0\" dev=\"0\" speed=\"10000\" guid=\"0x0\"/></nic>";
  const TopologySpec node =
      node_of("<cpu numaid=\"0\">" + gpu(0, 90, to_switch(18)) + net + "</cpu><cpu numaid=\"1\">" +
              gpu(1, 90, to_switch(18)) + net + "</cpu>");
  EXPECT_EQ(node.nics_per_node, 1);
  EXPECT_TRUE(near(node.nic_bandwidth.value, 1.25e9));
}

// Two ports of 12.5 GB/s on a card in one slot of 8 GT/s x 16 = 15.754 GB/s.
TEST(NcclTopology, PortsOfACardShareItsSlot) {
  const TopologySpec node = node_of(
      in("cpu", gpu(0, 80, to_switch(12)) + gpu(1, 80, to_switch(12)) +
                    "<pci busid=\"0000:20:00.0\" class=\"0x020700\" link_speed=\"8.0 GT/s PCIe\" "
                    "link_width=\"16\"><nic><net name=\"a\" dev=\"0\" speed=\"100000\"/>"
                    "<net name=\"b\" dev=\"1\" speed=\"100000\"/></nic></pci>"),
      "", "a100-80");
  EXPECT_EQ(node.nics_per_node, 1);
  EXPECT_EQ(node.ports_per_nic, 2);
  EXPECT_TRUE(near(node.nic_bandwidth.value, 25e9));
  EXPECT_TRUE(near(node.nic_slot.value, 8e9 * 16 / 8 * 128 / 130));
}

// An unknown speed is 8 GT/s and an unknown width 16 lanes, as in NCCL's src/graph/topo.cc.
TEST(NcclTopology, UnknownLinksAreWhatNcclTakes) {
  const auto slot_of = [](const std::string& link, const std::string& more = "") {
    return node_of("<cpu numaid=\"0\"><pci busid=\"0000:01:00.0\" " + link +
                       "><gpu dev=\"0\" sm=\"90\"/></pci></cpu>",
                   "  nics: {count: 1, bandwidth: 100 Gbps}\n" + more);
  };
  const double lanes16 = 16.0 / 8 * 128 / 130;
  for (const char* link : {"", "link_speed=\"\" link_width=\"\"", "link_speed=\"Unknown\"",
                           "link_speed=\"Unknown speed\" link_width=\"16\""}) {
    EXPECT_TRUE(near(slot_of(link).pcie_bandwidth.value, 8e9 * lanes16)) << link;
  }
  for (const char* width : {"", "link_width=\"0\"", "link_width=\"Unknown\""}) {
    const TopologySpec node = slot_of(std::string("link_speed=\"16.0 GT/s PCIe\" ") + width);
    EXPECT_TRUE(near(node.pcie_bandwidth.value, 16e9 * lanes16)) << width;
  }
  EXPECT_TRUE(near(slot_of("", "  pcie: {bandwidth: 40 GB/s}\n").pcie_bandwidth.value, 40e9));
}

// Four NICs of 12.5 GB/s for each of two GPUs: 50 GB/s a GPU.
TEST(NcclTopology, MoreNicsThanGpus) {
  std::string xml;
  for (int i = 0; i < 2; ++i) {
    std::string nics;
    for (int n = 0; n < 4; ++n) {
      nics += nic(fmt::format("r{}", 4 * i + n), 100000, 8);
    }
    xml += in("cpu", in("pci", gpu(i, 90, to_switch(18)) + nics));
  }
  const TopologySpec node = node_of(xml);
  EXPECT_EQ(node.cards_per_node(), 8);
  EXPECT_EQ(node.nics_per_node, 2);
  EXPECT_TRUE(near(node.nic_bandwidth.value, 50e9));
}

// Sums in the switches from sm 90 on; below, none.
TEST(NcclTopology, HopperSwitchesSum) {
  EXPECT_TRUE(near(node_of(hopper_node()).scale_up_reduction_efficiency, 0.68));
  EXPECT_EQ(node_of(in("cpu", gpu(0, 80, to_switch(12)) + nic("n", 100000)), "", "a100-80")
                .scale_up_reduction_efficiency,
            0);
}

// What takes how long is not in such a file: NCCL's own constants, and what was fitted on nodes of
// the generation; the user's and the topology's below it win.
TEST(NcclTopology, TimesAreNcclsOwn) {
  const TopologySpec hopper = node_of(hopper_node());
  EXPECT_TRUE(near(hopper.scale_up_latency.value, 3.4e-6));
  EXPECT_TRUE(near(hopper.fabric_latency.value, 14e-6));
  EXPECT_TRUE(near(hopper.collective_launch.value, 5e-6));
  EXPECT_NE(fmt::format("{}", fmt::join(hopper.notes, "\n"))
                .find("fabric.latency is not in the file: 14 us, a network hop in NCCL's tuning"),
            std::string::npos);
  const TopologySpec pcie = node_of(in("cpu", gpu(0, 89, "") + gpu(1, 89, "")), "", "l40s");
  EXPECT_TRUE(near(pcie.scale_up_latency.value, 5.7e-6));
  EXPECT_TRUE(near(pcie.collective_launch.value, 8.4e-6));
  const TopologySpec own = node_of(hopper_node(), "  scale_up: {latency: 1 us}\n");
  EXPECT_TRUE(near(own.scale_up_latency.value, 1e-6));
  EXPECT_EQ(fmt::format("{}", fmt::join(own.notes, "\n")).find("scale_up.latency"),
            std::string::npos);
}

// A tray of one GPU in a rack of 72: as many NICs a GPU, and it is said.
TEST(NcclTopology, KeysOverTheFileScaleWhatItImplies) {
  const TopologySpec node =
      node_of(in("cpu", gpu(0, 90, to_switch(18)) + nic("n", 400000)), "  gpus: 72\n");
  EXPECT_EQ(node.nics_per_node, 72);
  EXPECT_NE(fmt::format("{}", fmt::join(node.notes, "\n")).find("'node.gpus' is 72"),
            std::string::npos);
}

// Pairs that NVLink joins; between them PCIe, never the NIC.
TEST(NcclTopology, IslandsMeetOverPcie) {
  const auto to = [](int dev) { return nvlink(fmt::format("0000:{}1:00.0", dev), 4, "0x030200"); };
  const TopologySpec node =
      node_of(in("cpu", gpu(0, 86, to(1)) + gpu(1, 86, to(0)) + gpu(2, 86, to(3)) +
                            gpu(3, 86, to(2)) + nic("n", 10000)),
              "", "rtx-a6000");
  EXPECT_EQ(node.scale_up, ScaleUpKind::Mesh);
  const Cluster cluster = build_cluster({.topology = node, .gpu = {}, .gpus = 4});
  EXPECT_EQ(route(cluster, 0, 1).size(), 1U);
  for (const LinkId link : route(cluster, 0, 2)) {
    EXPECT_EQ(cluster.topology.link(link).kind, LinkKind::Pcie);
  }
  // With the NIC, too: through the PCIe switch.
  const Cluster two = build_cluster({.topology = node, .gpu = {}, .gpus = 8});
  EXPECT_EQ(route(two, 3, 5).size(), 6U);
}

// Five GPUs below one PCIe switch and three below the other.
TEST(NcclTopology, UnevenPcieGroups) {
  std::string five;
  std::string three;
  for (int dev = 0; dev < 8; ++dev) {
    (dev < 5 ? five : three) += gpu(dev, 89, "");
  }
  const TopologySpec node = node_of("<cpu numaid=\"0\">" + in("pci", five) +
                                        "</cpu><cpu numaid=\"1\">" + in("pci", three) + "</cpu>",
                                    "", "l40s");
  EXPECT_EQ(node.pcie_gpus, (std::vector<int>{5, 3}));
  const Cluster cluster = build_cluster({.topology = node, .gpu = {}, .gpus = 8});
  EXPECT_EQ(route(cluster, 0, 4).size(), 2U);
  EXPECT_EQ(route(cluster, 4, 5).size(), 4U);
}

// RCCL's dialect: xGMI links of 64 GB/s between all pairs.
TEST(NcclTopology, FilesOfRccl) {
  const testing::Folder folder;
  std::string xml = "<system version=\"2\"><cpu numaid=\"0\">";
  for (int dev = 0; dev < 2; ++dev) {
    xml += fmt::format(
        "<pci busid=\"0000:1{}:00.0\" class=\"0x038000\"><gpu dev=\"{}\" sm=\"94\" "
        "gcn=\"942\"><xgmi target=\"0000:1{}:00.0\" count=\"1\" tclass=\"0x038000\"/></gpu></pci>",
        dev, dev, 1 - dev);
  }
  folder.write("node.xml", xml + "</cpu></system>");
  const TopologySpec node =
      load_topology_text(
          "name: mine\ngpu: mi300x\nnode: {xml: " + (folder.path() / "node.xml").string() + "}\n",
          "/mine.yaml", testing::shipped_presets())
          .topology;
  EXPECT_EQ(node.scale_up, ScaleUpKind::Mesh);
  EXPECT_TRUE(near(node.scale_up_bandwidth.value, 64e9));
  EXPECT_TRUE(near(node.scale_up_efficiency, 0.75));
}

}  // namespace
}  // namespace danlu
