// Settings that stand beside others which say something else: which counts, and the note of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "sim/base/shell_word.hpp"
#include "sim/cluster/port_note.hpp"
#include "sim/report/counted_notes.hpp"
#include "sim/report/plan_text.hpp"
#include "sim/scenario/idle_fabric.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

Scenario loaded(const std::string& cluster, std::vector<std::string> overrides = {}) {
  return load_scenario_text(
      "model: {layers: 4, hidden: 1024, heads: 8, vocab: 32000}\ncluster: {topology: dgx-h100, " +
          cluster +
          "}\nparallelism: {tensor: 1, pipeline: 1}\n"
          "training: {global_batch: 4096, sequence_length: 2048}\n",
      "x.yaml", testing::shipped_presets(std::move(overrides)));
}
bool notes(const Scenario& scenario, const std::string& note) {
  return std::find(scenario.notes.begin(), scenario.notes.end(), note) != scenario.notes.end();
}

// What --set says wins for the fact, whichever of the two keys it names.
TEST(ScenarioNotes, OfTwoPricesTheLastCounts) {
  const Scenario gpu = loaded("gpus: 16, price: 5 USD/h", {"cluster.gpu.price=1 USD/h"});
  EXPECT_EQ(gpu.cluster.gpu.dollars_per_hour, 1);
  EXPECT_TRUE(notes(gpu, "'cluster.price' (5 USD/h) gives way to 'cluster.gpu.price' (1 USD/h)"));
  const Scenario all = loaded("gpus: 16, gpu: {price: 5 USD/h}", {"cluster.price=1 USD/h"});
  EXPECT_EQ(all.cluster.gpu.dollars_per_hour, 1);
  EXPECT_TRUE(notes(all, "'cluster.gpu.price' (5 USD/h) gives way to 'cluster.price' (1 USD/h)"));
  EXPECT_EQ(loaded("gpus: 16, price: 5 USD/h").cluster.gpu.dollars_per_hour, 5);
}

// A DGX H100 has 8 GPUs of 700 W in a node of 10.2 kW: 4 of them leave 10.2 - 2.8 = 7.4 kW.
TEST(ScenarioNotes, FewerGpusOfANodeTakeLessPower) {
  const double whole = loaded("gpus: 16").cluster.topology.node_power_watts;
  const Scenario half = loaded("gpus: 16", {"cluster.node.gpus=4"});
  EXPECT_NEAR(whole - half.cluster.topology.node_power_watts, 4 * 700, 1e-6);
  EXPECT_TRUE(std::any_of(half.notes.begin(), half.notes.end(), [](const std::string& note) {
    return note.find("has 8 GPUs of 700 W, these nodes have 4 of 700 W") != std::string::npos;
  }));
  EXPECT_EQ(loaded("gpus: 16", {"cluster.node.gpus=4", "cluster.node.power=9 kW"})
                .cluster.topology.node_power_watts,
            9000);
}

// 200 GB/s for the 200 Gbps of a NIC, behind PCIe of 63 GB/s; a NIC just as fast is none.
TEST(ScenarioNotes, ANicFasterThanItsPcieMayBeBytesForBits) {
  EXPECT_TRUE(notes(loaded("gpus: 16", {"cluster.node.nics.bandwidth=200 GB/s"}),
                    "'cluster.node.nics.bandwidth' is 200 GB/s, more than the 63 GB/s by which "
                    "PCIe leads to a NIC ('cluster.node.pcie.bandwidth'): bits instead of bytes "
                    "would be 25 GB/s"));
  const auto tells = [](const Scenario& scenario) {
    return std::any_of(scenario.notes.begin(), scenario.notes.end(), [](const std::string& note) {
      return note.find("bits instead of") != std::string::npos;
    });
  };
  EXPECT_FALSE(tells(loaded("gpus: 16", {"cluster.node.nics.bandwidth=63 GB/s"})));
  EXPECT_FALSE(tells(loaded("gpus: 16")));
}

// The power of a board for that of the node.
TEST(ScenarioNotes, ANodeTakesNoLessThanItsGpus) {
  EXPECT_TRUE(notes(loaded("gpus: 16", {"cluster.node.power=700 W"}),
                    "'cluster.node.power' is that of the whole node; 700 W is less than its 8 GPUs "
                    "of 700 W take, 5.6 kW"));
  for (const std::string& note : loaded("gpus: 16", {"cluster.node.power=6 kW"}).notes) {
    EXPECT_EQ(note.find("whole node"), std::string::npos) << note;
  }
}

// In a topology of one's own; the presets have figures for what one may choose instead.
TEST(ScenarioNotes, KeysOfATopologyWithoutEffect) {
  const testing::Folder folder;
  const auto topology = folder.write("own.yaml",
                                     "name: own\ngpu: l40s\nnode:\n  gpus: 8\n"
                                     "  scale_up: {kind: none, bandwidth: 900 GB/s}\n"
                                     "  nics: {count: 1, bandwidth: 200 Gbps}\n"
                                     "fabric: {kind: switch, oversubscription: 3}\n");
  const auto file = folder.write("s.yaml",
                                 "model: gpt1\ncluster: {topology: own.yaml, gpus: 8}\n"
                                 "training: {global_batch: 16, sequence_length: 512}\n");
  const Scenario own = load_scenario(file, testing::shipped_presets());
  EXPECT_TRUE(notes(own, topology.string() +
                             ":7: 'fabric.oversubscription' has no effect: 'fabric.kind' is "
                             "switch"));
  EXPECT_TRUE(notes(own, topology.string() + ":5: 'node.scale_up.bandwidth' has no effect: "
                                             "'node.scale_up.kind' is none"));
  const Scenario tree = load_scenario(
      file, testing::shipped_presets({"cluster.fabric.kind=fat-tree", "cluster.gpus=16"}));
  for (const std::string& note : tree.notes) {  // with which it counts
    EXPECT_EQ(note.find("oversubscription"), std::string::npos) << note;
  }
  for (const std::string& note : loaded("gpus: 16", {"cluster.topology=meta-24k"}).notes) {
    EXPECT_EQ(note.find("has no effect"), std::string::npos) << note;
  }
}

// Rail-optimised, 32 nodes below a leaf of 32 ports down and up: 512 nodes have 16 groups x 8 rails
// = 128 leaves, each with a cable to each of 32 spines, which need 128 ports.
TEST(ScenarioNotes, SpinesWithMorePortsThanASwitchHas) {
  TopologySpec spec = loaded("gpus: 4096").cluster.topology;
  ASSERT_EQ(spec.nodes_per_leaf, 32);
  EXPECT_EQ(port_note(spec, 512), "");  // nothing says how many they have
  spec.switch_ports = 128;
  EXPECT_EQ(port_note(spec, 512), "");
  spec.switch_ports = 64;
  EXPECT_NE(port_note(spec, 512).find("spines of 128 ports are taken"), std::string::npos)
      << port_note(spec, 512);
  EXPECT_EQ(port_note(spec, 32), "");  // 8 leaves x 32 cables fill 4 spines of 64
  const Scenario scenario = loaded("gpus: 1024, fabric: {switch_ports: 16}");
  EXPECT_TRUE(notes(scenario, port_note(scenario.cluster.topology, 128)));
}

/// The note that a cluster's fabric has a setting without effect.
std::string idle(const Scenario& scenario) {
  for (const std::string& note : scenario.notes) {
    if (note.find("no effect: the ") != std::string::npos) {
      return note;
    }
  }
  return "";
}

// Below one set of leaves PXN keeps all traffic on its rail; a fat tree has one leaf there.
TEST(ScenarioNotes, LevelsAboveTheTrafficOfTheJob) {
  const std::string narrow = "fabric: {oversubscription: 4, hop_latency: 2 us}";
  EXPECT_EQ(
      idle(loaded("gpus: 256, " + narrow)),
      "'cluster.fabric.oversubscription', 'cluster.fabric.hop_latency' have no effect: the 32 "
      "nodes lie below one set of leaves ('fabric.nodes_per_leaf' is 32)");
  EXPECT_EQ(idle(loaded("gpus: 512, " + narrow)), "");
  EXPECT_EQ(idle(loaded("gpus: 256, fabric: {oversubscription: 4, pxn: false}")), "");
  EXPECT_EQ(idle(loaded("gpus: 256, fabric: {oversubscription: 4, kind: fat-tree}")),
            "'cluster.fabric.oversubscription' has no effect: the 32 nodes lie below one leaf "
            "('fabric.nodes_per_leaf' is 32)");
  const std::string pods = "fabric: {nodes_per_pod: 64, pod_oversubscription: 7}";
  EXPECT_EQ(idle(loaded("gpus: 512, " + pods)),
            "'cluster.fabric.pod_oversubscription' has no effect: the 64 nodes lie in one pod "
            "('fabric.nodes_per_pod' is 64)");
  EXPECT_EQ(idle(loaded("gpus: 1024, " + pods)), "");
  // What is switched off on the command line is a note.
  const Scenario torus =
      loaded("gpus: 512", {"cluster.topology=h100-torus-2d", "cluster.fabric.oversubscription=4"});
  EXPECT_TRUE(notes(torus,
                    "'cluster.fabric.oversubscription' has no effect: "
                    "'cluster.fabric.kind' is torus"));
}

TEST(ScenarioNotes, OfATopologyAloneToo) {
  const auto load = [](const std::string& name, const std::string& set) {
    return load_topology(name, testing::shipped_presets({set}));
  };
  try {
    load("h100-torus-2d", "fabric.oversubscription=4");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_STREQ(
        error.what(),
        "--set fabric.oversubscription=4: error: 'fabric.oversubscription' has no effect: "
        "'fabric.kind' is torus\n"
        "hint: leave it out, or set fabric.kind: rail-optimised or fat-tree or rail-only\n");
  }
  const std::string set = "fabric.oversubscription=4";
  ClusterSpec cluster = load("dgx-h100", set);
  for (const int gpus : {264, 256}) {
    cluster.gpus = gpus;
    cluster.topology.notes.clear();
    note_idle_fabric(cluster, testing::shipped_presets({set}));
    EXPECT_EQ(cluster.topology.notes.size(), gpus == 256 ? 1U : 0U) << gpus;
  }
}

// Transformers' code of DeepSeek-V3 has no layer for multi-token prediction; the file counts one.
TEST(ScenarioNotes, LayersForPredictionThatAreLeftOut) {
  const testing::Folder folder;
  folder.write("config.json",
               R"({"model_type": "deepseek_v3", "num_hidden_layers": 4, "hidden_size": 1024,
                   "num_attention_heads": 8, "q_lora_rank": 256, "intermediate_size": 4096,
                   "vocab_size": 32000, "n_routed_experts": 8, "num_experts_per_tok": 2,
                   "moe_intermediate_size": 512, "num_nextn_predict_layers": 1})");
  const auto load = [&](const std::string& more) {
    return load_scenario(folder.write("a.yaml", "model: {huggingface: config.json" + more +
                                                    "}\ncluster: {topology: dgx-h100, gpus: 1}\n"
                                                    "training: {global_batch: 1, "
                                                    "sequence_length: 512}\n"),
                         testing::shipped_presets());
  };
  const auto tells = [](const Scenario& scenario) {
    return std::any_of(scenario.notes.begin(), scenario.notes.end(), [](const std::string& note) {
      return note.starts_with("num_nextn_predict_layers 1 of") &&
             note.ends_with("set model.prediction_layers=1 to train with it");
    });
  };
  EXPECT_TRUE(tells(load("")));
  const Scenario with = load(", prediction_layers: 1");
  EXPECT_FALSE(tells(with));
  EXPECT_EQ(with.workload.model.prediction_layers, 1);
}

// Of LLaMA, whose norms are RMSNorm and whose products have no biases.
TEST(ScenarioNotes, PartsOfUnfusedThatTheModelHasNot) {
  const Scenario scenario = load_scenario_text(
      "model: llama2-7b\ncluster: {topology: dgx-h100, gpus: 8}\n"
      "training: {global_batch: 8, sequence_length: 2048, unfused: [norm, biases, packing]}\n",
      "x.yaml", testing::shipped_presets({"parallelism.tensor=8"}));
  EXPECT_TRUE(notes(scenario, "'training.unfused': biases has no effect: the model has no biases"));
  for (const std::string& note : scenario.notes) {
    EXPECT_EQ(note.find("norm has no effect"), std::string::npos) << note;
    EXPECT_EQ(note.find("packing has no effect"), std::string::npos) << note;
  }
}

// A framework's own list is no mistake of the user's.
TEST(ScenarioNotes, ModelsThatGptNeoxHasNot) {
  const auto told = [](const std::string& model) {
    const Scenario scenario = load_scenario_text(
        "model: " + model +
            "\ncluster: {topology: dgx-a100, gpus: 8}\nparallelism: {tensor: 8}\n"
            "training: {global_batch: 8, sequence_length: 2048, framework: gpt-neox}\n",
        "x.yaml", testing::shipped_presets());
    std::string found;
    for (const std::string& note : scenario.notes) {
      EXPECT_EQ(note.find("has no effect"), std::string::npos) << note;
      found += note.starts_with("framework gpt-neox") ? note : "";
    }
    return found;
  };
  EXPECT_EQ(told("gpt-neox-20b"), "");
  EXPECT_EQ(told("llama3-8b"),
            "framework gpt-neox is what GPT-NeoX 1.0 does with models as GPT-NeoX-20B and Pythia: "
            "grouped queries, a gated MLP of single operators, RMSNorm of single operators are not "
            "in it, and rotary positions are taken to turn a quarter of each head");
}

// What each asked for where the framework does otherwise.
TEST(PlanText, NamesLossAndFusedCastsThatAreNotTheFrameworks) {
  const auto line = [](const std::string& training) {
    return precision_line(
        load_scenario_text("model: llama2-7b\ncluster: {topology: dgx-h100, gpus: 8}\n"
                           "parallelism: {tensor: 8}\n"
                           "training: {global_batch: 8, sequence_length: 2048, " +
                               training + "}\n",
                           "x.yaml", testing::shipped_presets())
            .workload);
  };
  EXPECT_NE(line("loss: fused").find("never late, with loss fused"), std::string::npos);
  EXPECT_NE(line("framework: megatron-core, precision: fp8, fused_casts: [norm, activation]")
                .find("as megatron-core does it, with fused_casts [norm, activation]"),
            std::string::npos);
  EXPECT_EQ(line("framework: megatron-core, precision: fp8, fused_casts: norm").find(", with"),
            std::string::npos);
  EXPECT_EQ(line("framework: pytorch, loss: eager").find(", with"), std::string::npos);
}

// 2 of 3 have one note, all another in other numbers.
TEST(CountedNotes, AreToldOnce) {
  const std::vector<std::vector<std::string>> runs{
      {"power is 300 W", "unfused"}, {"power is 400.5 W"}, {"unfused", "power is 500 W"}};
  EXPECT_EQ(counted_notes(runs, "points"),
            (std::vector<std::string>{"all 3 points, with other numbers: power is 300 W",
                                      "2 of 3 points: unfused"}));
  EXPECT_EQ(counted_notes(std::span(runs).first(1), "points"), runs.front());
  EXPECT_TRUE(counted_notes({}, "points").empty());
}

TEST(ShellWord, IsQuotedWhereAShellWouldPartIt) {
  EXPECT_EQ(shell_word("scenarios/a-b_1.yaml"), "scenarios/a-b_1.yaml");
  EXPECT_EQ(shell_word("a b.yaml"), "'a b.yaml'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word("$HOME"), "'$HOME'");
  EXPECT_EQ(shell_word(""), "''");
}

}  // namespace
}  // namespace danlu
