// Where values come from, who wins, and factors.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/scenario/load_scenario.hpp"
#include "sim/scenario/show.hpp"
#include "sim/workload/memory.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::shipped_presets;

constexpr const char* kScenario =
    "model: llama3-8b\n"
    "cluster:\n"
    "  topology: dgx-h100\n"
    "  gpus: 16\n"
    "  gpu: {memory: {bandwidth: 2x}}\n"
    "parallelism: {tensor: 8}\n"
    "training: {global_batch: 16, sequence_length: 4096}\n";

Scenario read(const std::string& text, std::vector<std::string> overrides = {}) {
  return load_scenario_text(text, "s.yaml", shipped_presets(std::move(overrides)));
}

Setting setting(const Scenario& scenario, const std::string& key) {
  for (const Setting& one : scenario.settings) {
    if (one.key == key) {
      return one;
    }
  }
  ADD_FAILURE() << "no setting " << key;
  return {};
}

/// The first line of the message; "" if the text is read.
std::string refusal(const std::string& text, std::vector<std::string> overrides = {}) {
  try {
    read(text, std::move(overrides));
  } catch (const InputError& error) {
    const std::string message = error.what();
    return message.substr(0, message.find('\n'));
  }
  return "";
}

// Blackwell multiplies fp8 in every layout, so no transposes are written there unless somebody asks
// for them, and none are spoken of in other precisions.
TEST(Settings, Fp8TransposesFollowTheGpu) {
  const auto of = [](std::string_view topology, std::vector<std::string> more) {
    more.push_back(fmt::format("cluster.topology={}", topology));
    return read(kScenario, std::move(more));
  };
  EXPECT_TRUE(of("dgx-h100", {"training.precision=fp8"}).workload.training.fp8_transposes);
  const Scenario blackwell = of("hgx-b200", {"training.precision=fp8"});
  EXPECT_FALSE(blackwell.workload.training.fp8_transposes);
  EXPECT_TRUE(setting(blackwell, "training.fp8_transposes").where.find("capability 10") !=
              std::string::npos);
  EXPECT_TRUE(of("hgx-b200", {"training.precision=fp8", "training.fp8_transposes=true"})
                  .workload.training.fp8_transposes);
  EXPECT_EQ(setting(of("hgx-b200", {"training.precision=mxfp8"}), "training.fp8_transposes").source,
            Setting::Source::Default);
}

TEST(Settings, SayWhereEachValueComesFrom) {
  const Scenario s = read(kScenario, {"training.micro_batch=2"});
  EXPECT_EQ(setting(s, "parallelism.tensor").where, "s.yaml:6");
  EXPECT_EQ(setting(s, "training.micro_batch").where, "--set training.micro_batch=2");
  EXPECT_EQ(setting(s, "model.ffn").where, "model preset llama3-8b");
  EXPECT_EQ(setting(s, "model.ffn").text, "14336");
  EXPECT_TRUE(setting(s, "cluster.node.scale_up.bandwidth").where.starts_with("dgx-h100.yaml:"));
  EXPECT_TRUE(setting(s, "cluster.gpu.gemm.efficiency").where.starts_with("gpus/h100.yaml:"));
  EXPECT_EQ(setting(s, "parallelism.zero").source, Setting::Source::Default);
  EXPECT_EQ(setting(s, "cluster.fabric.routing").text, "adaptive");  // of the topology's table
  EXPECT_EQ(setting(s, "parallelism.data").text, "2");
  EXPECT_EQ(setting(s, "parallelism.data").where, "gpus / (tensor x pipeline)");
}

// A width that a preset has of its own stays where another one is the user's, and a note says so;
// one that follows, as where it is left out, goes on to follow. LLaMA-3 8B has 8 key-value heads of
// 32 and 14336 columns for 4096; GPT-3 as many as heads, and four times the width.
TEST(Settings, WidthsOfAPresetFollowWhereItsOwnDo) {
  const auto model = [](std::vector<std::string> changed) {
    return read(kScenario, std::move(changed));
  };
  const Scenario llama = model({"model.heads=64", "model.hidden=8192"});
  EXPECT_EQ(llama.workload.model.kv_heads, 8);
  EXPECT_EQ(llama.workload.model.ffn, 14336);
  EXPECT_EQ(llama.workload.model.head_dim, 128);
  const auto says = [&](const std::string& note) {
    return std::find(llama.notes.begin(), llama.notes.end(), note) != llama.notes.end();
  };
  EXPECT_TRUE(says("'model.kv_heads' stays 8, as llama3-8b has it, with 'model.heads' 64"));
  EXPECT_TRUE(says("'model.ffn' stays 14336, as llama3-8b has it, with 'model.hidden' 8192"));
  const ModelSpec gpt = model({"model.preset=gpt3-175b", "model.heads=48", "model.hidden=6144",
                               "training.sequence_length=2048"})
                            .workload.model;
  EXPECT_EQ(gpt.kv_heads, 48);
  EXPECT_EQ(gpt.ffn, 4 * 6144);
  EXPECT_EQ(gpt.head_dim, 128);
}

// H100 SXM: 3350 GB/s of HBM, twice 6700 GB/s; --set over the file's factor doubles once more.
TEST(Factors, MultiplyWhatLiesBelowThem) {
  const auto bandwidth = [](const Scenario& s) { return s.cluster.gpu.memory_bandwidth.value; };
  const double once = bandwidth(read(kScenario, {"cluster.gpu.memory.bandwidth=1x"}));
  EXPECT_EQ(bandwidth(read(kScenario)), once);  // 1x of the file's 2x
  EXPECT_EQ(once, 2 * read(kScenario, {"cluster.gpu=h100"}).cluster.gpu.memory_bandwidth.value);
  EXPECT_EQ(bandwidth(read(kScenario, {"cluster.gpu.memory.bandwidth=2x"})), 2 * once);
  EXPECT_EQ(read(kScenario, {"cluster.gpus=2x", "training.global_batch=0.5x"}).cluster.gpus, 32);
  EXPECT_EQ(read(kScenario, {"training.micro_batch=2x"}).workload.training.micro_batch, 2);
  EXPECT_EQ(read(kScenario, {"model.layers=0.5x"}).workload.model.layers, 16);
  EXPECT_EQ(setting(read(kScenario), "cluster.gpu.memory.bandwidth").text, "6.7 TB/s");
}

TEST(Factors, ThatLeadNowhereAreRefused) {
  EXPECT_EQ(refusal(kScenario, {"training.tokens=2x"}),
            "--set training.tokens=2x: error: 'training.tokens' is 2x of nothing: no value stands "
            "below it");
  EXPECT_EQ(refusal(kScenario, {"cluster.gpus=1.55x"}),
            "--set cluster.gpus=1.55x: error: 'cluster.gpus' must be a whole number, found 1.55x, "
            "which makes 24.8");
  EXPECT_EQ(
      refusal(kScenario, {"cluster.gpu.gemm.efficiency=4x"}).substr(0, 120),
      std::string("--set cluster.gpu.gemm.efficiency=4x: error: 'cluster.gpu.gemm.efficiency' "
                  "must lie between 0.01 and 1, found 4x, which makes")
          .substr(0, 120));
  EXPECT_EQ(refusal(kScenario, {"degraded.gpus={3: 2x}"}),
            "--set degraded.gpus={3: 2x}: error: 'degraded.gpus.3' must be a number, found '2x'");
}

// Any figure of a GPU by key; another preset leaves the topology's changes behind.
TEST(GpuKeys, ReplaceSingleFiguresOfThePreset) {
  const Scenario own = read(kScenario, {"cluster.gpu={preset: a100-80, gemm: {efficiency: 0.7}}"});
  EXPECT_EQ(own.cluster.gpu.name, "NVIDIA A100 SXM 80 GB");
  EXPECT_EQ(own.cluster.gpu.gemm_efficiency[Precision::Bf16], 0.7);
  EXPECT_EQ(own.cluster.gpu.memory_bandwidth.value, 2039e9);
  const ClusterSpec topology = load_topology_text(
      "name: t\ngpu: {preset: h100, memory: {bandwidth: 4 TB/s}}\nnode: {gpus: 8, scale_up: {kind: "
      "none}, nics: {count: 8, bandwidth: 400 Gbps}}\n",
      "t.yaml", shipped_presets());
  EXPECT_EQ(topology.gpu.memory_bandwidth.value, 4e12);
  EXPECT_EQ(topology.gpu.multiprocessors, 132);
}

// A data sheet's NVLink is the sum of both directions.
TEST(OneDirection, OfNvlinkIsTold) {
  const auto told = [](const std::string& bandwidth) {
    const std::vector<std::string> notes =
        read(kScenario, {"cluster.node.scale_up.bandwidth=" + bandwidth}).notes;
    return std::find(notes.begin(), notes.end(),
                     "'cluster.node.scale_up.bandwidth' is one direction (450 GB/s in this "
                     "topology); if 900 GB/s is a data sheet's sum of both, give 450 GB/s") !=
           notes.end();
  };
  EXPECT_TRUE(told("900 GB/s"));
  for (const char* meant : {"2x", "450 GB/s", "400 GB/s", "700 GB/s"}) {
    EXPECT_FALSE(told(meant)) << meant;
  }
}

// A16: GPT-2 XL in fp16 on 8 GPUs, as Megatron has it: 2 + 2 + 16 = 20 B a parameter, with ZeRO-1
// 2 + 2 + 16/8 = 6; bf16 keeps gradients in fp32: 2 + 4 + 12 = 18 and 6 + 12/8 = 7.5.
TEST(Gradients, FollowThePrecision) {
  const auto bytes = [](const std::string& precision, const std::string& zero,
                        std::vector<std::string> more = {}) {
    more.insert(more.end(), {"training.precision=" + precision, "parallelism.zero=" + zero});
    const Scenario s = read(
        "model: gpt2-xl\ncluster: {topology: dgx-a100, gpus: 8}\ntraining: {global_batch: 8, "
        "sequence_length: 1024}\n",
        std::move(more));
    const MemoryUse use = memory_use(s.workload);
    return (use.parameters + use.gradients + use.optimizer).value / rank_parameters(s.workload, 0);
  };
  EXPECT_DOUBLE_EQ(bytes("fp16", "0"), 20);
  EXPECT_DOUBLE_EQ(bytes("fp16", "1"), 6);
  EXPECT_DOUBLE_EQ(bytes("bf16", "0"), 18);
  EXPECT_DOUBLE_EQ(bytes("bf16", "1"), 7.5);
  EXPECT_DOUBLE_EQ(bytes("fp16", "0", {"training.gradients=fp32"}), 18);
}

// A35: what is wrong with one key does not hide what is wrong with another.
TEST(Problems, AreAllSaidAtOnce) {
  const std::string text =
      "model: gpt3\n"
      "cluster: {topology: dgx-h1000, gpus: 64 GPUs}\n"
      "parallelism: {tensor: 3, pipelin: 2, zero: 7}\n"
      "training:\n"
      "  global_batch: 16\n"
      "  precison: bf16\n"
      "  recompute: some\n"
      "  dropout: yes\n"
      "faults: {preset: rsc-9}\n";
  try {
    read(text);
    FAIL();
  } catch (const InputError& error) {
    std::string found;
    for (const Problem& problem : error.problems()) {
      found += problem.message + "\n";
    }
    EXPECT_EQ(found,
              "unknown model 'gpt3'\n"
              "unknown topology 'dgx-h1000'\n"
              "'cluster.gpus' must be a whole number, found '64 GPUs'\n"
              "unknown key 'pipelin' in 'parallelism'\n"
              "'parallelism.zero' must lie between 0 and 3, found '7'\n"
              "missing key 'training.sequence_length'\n"
              "unknown key 'precison' in 'training'\n"
              "'training.recompute' must be one of none, selective, full, alternate, or a list of "
              "core_attn, "
              "mla_up_proj, "
              "layernorm, mlp, act, moe_act, moe, found 'some'\n"
              "'training.dropout' must be true or false, found 'yes'\n"
              "unknown faults 'rsc-9'\n");
  }
}

TEST(Problems, AModelThatIsThereIsNotMissing) {
  EXPECT_EQ(refusal("model: gpt3\ncluster: {topology: dgx-h100, gpus: 8}\ntraining: {global_batch: "
                    "8, sequence_length: 1024}\n"),
            "s.yaml:1:8: error: unknown model 'gpt3'");
  EXPECT_EQ(refusal("model: {ffn: 4096}\ncluster: {topology: dgx-h100, gpus: 8}\ntraining: "
                    "{global_batch: 8, sequence_length: 1024}\n"),
            "s.yaml:1:1: error: missing key 'model.layers'");
}

// A22: what an own model is taken for stands in the report.
TEST(OwnModel, SaysWhatItIsTakenFor) {
  const Scenario s = read(
      "model: {layers: 32, hidden: 4096, heads: 32, kv_heads: 8, ffn: 14336, vocab: 128256}\n"
      "cluster: {topology: dgx-h100, gpus: 8}\n"
      "parallelism: {tensor: 8}\n"
      "training: {global_batch: 8, sequence_length: 4096}\n");
  ASSERT_EQ(s.notes.size(), 1U);
  EXPECT_EQ(s.notes.front(),
            "own model: 2 MLP matrices of width 14336 (gated_mlp: false), layernorm (norm), tied "
            "embeddings, biases, 8 key-value heads, no table of positions");
}

}  // namespace
}  // namespace danlu
