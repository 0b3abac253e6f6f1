// Nodes that are racks, of which a job takes equal parts; and what goes with a node's GPUs.
#include "sim/scenario/equal_parts.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/scenario/load_scenario.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::shipped_presets;

TEST(EqualParts, AreTheLargestOfWholeTrays) {
  EXPECT_EQ(equal_part(256, 72, 4), 64);
  EXPECT_EQ(equal_part(128, 72, 4), 64);
  EXPECT_EQ(equal_part(1152, 72, 4), 72);  // whole racks
  EXPECT_EQ(equal_part(160, 72, 4), 40);
  EXPECT_EQ(equal_part(48, 72, 4), 72);  // one is enough
  EXPECT_EQ(equal_part(76, 72, 4), 72);  // 19 trays: by one tray of each rack is no plan
  EXPECT_EQ(equal_part(1000, 72, 4), 40);
}

Scenario racks(const std::string& more) {
  return load_scenario_text(
      fmt::format("model: llama3-8b\ncluster: {{topology: gb200-nvl72, {}}}\n"
                  "training: {{global_batch: 43776, sequence_length: 4096}}\n",
                  more),
      "racks.yaml", shipped_presets());
}

bool says(const Scenario& scenario, const std::string& what) {
  return std::any_of(scenario.notes.begin(), scenario.notes.end(),
                     [&](const std::string& note) { return note.find(what) != std::string::npos; });
}

TEST(EqualParts, AreTakenOfRacks) {
  const Scenario found = racks("gpus: 256");
  EXPECT_EQ(found.cluster.topology.gpus_per_node, 64);
  EXPECT_EQ(found.cluster.topology.nics_per_node, 64);
  EXPECT_EQ(found.cluster.topology.node_power_watts, 106700);  // 64/72 of 120 kW, as shown
  EXPECT_EQ(found.cluster.nodes(), 4);
  EXPECT_TRUE(says(found,
                   "256 GPUs are taken as equal parts, 64 of each of 4 nodes of 72 GPUs "
                   "(node.gpus: 64); cost and energy are those of the 256 alone"));
}

TEST(EqualParts, LeaveWholeRacksAndTheUsersAlone) {
  for (const char* whole : {"gpus: 72", "gpus: 1152", "gpus: 32", "gpus: 256, node: {gpus: 72}"}) {
    const Scenario found = racks(whole);
    EXPECT_EQ(found.cluster.topology.gpus_per_node, 72) << whole;
    EXPECT_FALSE(says(found, "equal parts")) << whole;
  }
  const Scenario odd = racks("gpus: 76");
  EXPECT_EQ(odd.cluster.topology.gpus_per_node, 72);
  EXPECT_TRUE(says(odd, "76 GPUs are no equal parts of nodes of 72 in whole trays of 4"));
}

/// A DGX H100 has 10.2 kW with eight GPUs of 700 W; eight of 1 kW draw 2.4 kW more.
TEST(NodePower, GoesWithItsGpus) {
  const auto watts = [](const std::string& gpu) {
    const Scenario found = load_scenario_text(
        fmt::format("model: llama3-8b\ncluster: {{topology: dgx-h100, gpus: 8{}}}\n"
                    "training: {{global_batch: 64, sequence_length: 4096}}\n",
                    gpu),
        "power.yaml", shipped_presets());
    return std::pair(found.cluster.topology.node_power_watts, says(found, "'cluster.node.power'"));
  };
  EXPECT_EQ(watts(""), std::pair(10200.0, false));
  EXPECT_EQ(watts(", gpu: {power: 1 kW}"), std::pair(12600.0, true));
  EXPECT_EQ(watts(", gpu: b200"), std::pair(12600.0, true));
  EXPECT_EQ(watts(", gpu: b200, node: {power: 14 kW}"), std::pair(14000.0, false));
}

}  // namespace
}  // namespace danlu
