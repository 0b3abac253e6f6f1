// Changes that are worth a try: they run, they fit, they say what they do.
#include "sim/report/advice.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "sim/report/report.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

/// A model like Llama's 70 B on 16 nodes of 8 H100.
Scenario llama_70b(const std::string& parallelism) {
  return load_scenario_text(
      "model: {layers: 80, hidden: 8192, heads: 64, kv_heads: 8, ffn: 28672, vocab: 128256, "
      "gated_mlp: true, norm: rmsnorm, tied_embeddings: false, biases: false}\n"
      "cluster: {topology: dgx-h100, gpus: 128}\n"
      "training: {global_batch: 1024, sequence_length: 8192}\nparallelism: " +
          parallelism + "\n",
      "scenarios/x.yaml", testing::shipped_presets());
}

// A28: NVLink ends at the node, and tensor groups across it took 77 and 255 s, not 59.5.
TEST(MemoryChanges, KeepTensorGroupsInANode) {
  for (const char* plan :
       {"{tensor: 8}", "{tensor: 4}", "{tensor: 8, pipeline: 2}", "{}", "{tensor: 16}"}) {
    const Scenario scenario = llama_70b(plan);
    ASSERT_FALSE(measure_memory(scenario.workload, scenario.cluster).fits());
    const std::vector<Change> changes = memory_changes(scenario.workload, scenario.cluster);
    EXPECT_FALSE(changes.empty()) << plan;
    for (const Change& change : changes) {
      EXPECT_LE(change.workload.parallelism.tensor, 8) << change.text();
    }
  }
}

// 70.55 billion parameters at 18 bytes: 147.8 GiB over 8 ranks, 73.9 over 16, 37 over 32. With what
// is gathered and 80 inputs of layers only the last fits a card.
TEST(MemoryChanges, ShardOverMoreRanks) {
  Scenario scenario = llama_70b("{zero: 3, sharding: {ranks: 8}}");
  scenario.workload.training.recompute = Recompute::Full;
  std::vector<std::string> alone;
  for (const Change& change : memory_changes(scenario.workload, scenario.cluster)) {
    if (change.settings.size() == 1) {
      alone.push_back(change.text());
    }
  }
  EXPECT_NE(std::find(alone.begin(), alone.end(), "parallelism.sharding.ranks=32"), alone.end());
  EXPECT_NE(std::find(alone.begin(), alone.end(), "parallelism.sharding.ranks=128"), alone.end());
  EXPECT_EQ(std::find(alone.begin(), alone.end(), "parallelism.sharding.ranks=16"), alone.end());
}

// What the text says is what was changed: loaded with it, the plan needs as much and fits.
TEST(MemoryChanges, AreWhatTheySay) {
  const Scenario scenario = llama_70b("{tensor: 4}");
  const std::vector<Change> changes = memory_changes(scenario.workload, scenario.cluster);
  for (const Change& change : changes) {
    std::vector<std::string> overrides{"parallelism.tensor=4"};
    std::string text = change.text();
    std::erase(text, '\'');
    for (std::size_t space = 0; space != std::string::npos;) {
      space = text.find(' ');
      if (text.substr(0, space) != "--set") {
        overrides.push_back(text.substr(0, space));
      }
      text = space == std::string::npos ? "" : text.substr(space + 1);
    }
    const testing::Folder folder;
    const auto file = folder.write(
        "s.yaml",
        "model: {layers: 80, hidden: 8192, heads: 64, kv_heads: 8, ffn: 28672, vocab: 128256, "
        "gated_mlp: true, norm: rmsnorm, tied_embeddings: false, biases: false}\n"
        "cluster: {topology: dgx-h100, gpus: 128}\n"
        "training: {global_batch: 1024, sequence_length: 8192}\n");
    const Scenario loaded = load_scenario(file, testing::shipped_presets(overrides));
    const MemoryReport memory = measure_memory(loaded.workload, loaded.cluster);
    EXPECT_TRUE(memory.fits()) << change.text();
    EXPECT_EQ(memory.use.peak().value,
              measure_memory(change.workload, scenario.cluster).use.peak().value)
        << change.text();
  }
  // None holds another with something added.
  for (const Change& more : changes) {
    for (const Change& less : changes) {
      const bool holds =
          &more != &less &&
          more.workload.training.recompute_layers == less.workload.training.recompute_layers &&
          std::all_of(less.settings.begin(), less.settings.end(), [&](const std::string& setting) {
            return std::find(more.settings.begin(), more.settings.end(), setting) !=
                   more.settings.end();
          });
      EXPECT_FALSE(holds) << more.text() << " holds " << less.text();
    }
  }
}

// Named parts, half the layers and ZeRO-3 are among what is tried, and no more than a dozen changes
// of one setting send one on to changes of two.
TEST(MemoryChanges, NamePartsAndLayersAndShards) {
  const Scenario scenario = llama_70b("{tensor: 8, pipeline: 4, sequence: true}");
  Scenario large = scenario;
  large.workload.training.micro_batch = 8;
  ASSERT_FALSE(measure_memory(large.workload, large.cluster).fits());
  std::string all;
  for (const Change& change : memory_changes(large.workload, large.cluster)) {
    all += change.text() + "\n";
  }
  for (const char* setting : {"training.recompute=full", "training.micro_batch=1"}) {
    EXPECT_NE(all.find(setting), std::string::npos) << setting << " is not among\n" << all;
  }
}

// One GPU has no ranks to share with: its host's memory is what is left, once, not also with less
// that helps too; and nothing where nodes have no way to it.
TEST(MemoryChanges, OfOneGpuPutTheOptimizerIntoTheHost) {
  Scenario one = testing::shipped("learn/10-memory-and-sharding.yaml");
  const std::vector<Change> changes = memory_changes(one.workload, one.cluster);
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_EQ(changes[0].text(), "parallelism.offload.optimizer=true");
  one.cluster.topology.nics_per_node = 0;
  one.cluster.topology.scale_up = ScaleUpKind::Switch;
  EXPECT_TRUE(memory_changes(one.workload, one.cluster).empty());
}

// What a plan has without an effect (ZeRO of one replica, sequence parallelism of one tensor rank)
// keeps no change from being tried: the same are found as without it.
TEST(MemoryChanges, AreFoundBesideSettingsWithoutEffect) {
  const auto texts = [](const Workload& workload, const ClusterSpec& cluster) {
    std::vector<std::string> all;
    for (const Change& change : memory_changes(workload, cluster)) {
      all.push_back(change.text());
    }
    return all;
  };
  Scenario scenario = llama_70b("{tensor: 8, pipeline: 16}");
  scenario.workload.training.sequence_length = 65536;
  scenario.workload.training.global_batch = 128;
  ASSERT_EQ(scenario.workload.parallelism.data, 1);
  ASSERT_FALSE(measure_memory(scenario.workload, scenario.cluster).fits());
  const std::vector<std::string> without = texts(scenario.workload, scenario.cluster);
  ASSERT_FALSE(without.empty());
  for (const int stage : {1, 2, 3}) {
    scenario.workload.parallelism.zero = stage;
    EXPECT_EQ(texts(scenario.workload, scenario.cluster), without) << stage;
  }
  Scenario one = testing::shipped("learn/10-memory-and-sharding.yaml");
  const std::vector<std::string> alone = texts(one.workload, one.cluster);
  one.workload.parallelism.sequence = true;
  EXPECT_EQ(texts(one.workload, one.cluster), alone);
}

// Scores of attention that is not fused are what fills the GPUs here: a fused kernel alone does.
TEST(MemoryChanges, FuseAttention) {
  Scenario scenario = llama_70b("{tensor: 8, pipeline: 8, sequence: true, zero: 1}");
  ASSERT_TRUE(measure_memory(scenario.workload, scenario.cluster).fits());
  scenario.workload.training.attention = AttentionKind::Unfused;
  ASSERT_FALSE(measure_memory(scenario.workload, scenario.cluster).fits());
  std::vector<std::string> all;
  for (const Change& change : memory_changes(scenario.workload, scenario.cluster)) {
    all.push_back(change.text());
  }
  EXPECT_NE(std::find(all.begin(), all.end(), "training.attention=flash"), all.end());
}

// Where no single change fits, two or three together are found: 405 B on 1,024 GPUs.
TEST(MemoryChanges, CombineWhereNoSingleOneFits) {
  const Scenario scenario = testing::shipped(
      "llama3-405b-16384-h100.yaml",
      {"cluster.gpus=1024", "parallelism={tensor: 1, pipeline: 1}", "training.global_batch=1024"});
  const std::vector<Change> changes = memory_changes(scenario.workload, scenario.cluster);
  ASSERT_FALSE(changes.empty());
  EXPECT_GT(changes.front().settings.size(), 1U);
}

}  // namespace
}  // namespace danlu
