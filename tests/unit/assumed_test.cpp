// Figures that a result rests on and that nothing published gives.
#include "sim/scenario/assumed.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::shipped;

std::string why(std::string_view key, const std::string& sources) {
  return why_assumed(key, sources, gpu_keys());
}

TEST(Assumed, WhatASourceSaysOfItself) {
  EXPECT_EQ(why("kernel_launch", "kernel_launch\thttps://example.org\n"), "");
  EXPECT_EQ(why("kernel_launch", "kernel_launch\tnot sourced: H100 value assumed\n"),
            "not sourced: H100 value assumed");
  EXPECT_EQ(why("kernel_launch", "kernel_launch\tA100 value carried over\n"),
            "A100 value carried over");
  EXPECT_EQ(why("kernel_launch", "power\tdata sheet\n"), "no source");
  EXPECT_EQ(why("kernel_launch", "kernel_launch\tan estimate\n"), "an estimate");
}

TEST(Assumed, ASectionsSourceIsReadKeyByKey) {
  const std::string gemm = "gemm\tefficiency: best of a search, page 3; in_step: from memory\n";
  EXPECT_EQ(why("gemm.efficiency", gemm), "");
  EXPECT_EQ(why("gemm.in_step", gemm), "in_step: from memory");
  const std::string attention = "attention.flash2\tshare: page 4; backward: derived; a guess\n";
  EXPECT_EQ(why("attention.flash2.share", attention), "");
  EXPECT_EQ(why("attention.flash2.backward", attention), "backward: derived; a guess");
  const std::string peak = "peak_dense\tfp32: https://a.org/b; tf32, bf16: not sourced\n";
  EXPECT_EQ(why("peak_dense.fp32", peak), "");
  EXPECT_EQ(why("peak_dense.bf16", peak), "tf32, bf16: not sourced");
}

TEST(Assumed, AnotherKeysSourceHoldsAndAnotherMachinesDoesNot) {
  EXPECT_EQ(why("memory.bandwidth", "memory.bandwidth\tas peak_dense\npeak_dense\tpage 1\n"), "");
  EXPECT_EQ(why("memory.bandwidth", "memory.bandwidth\tas peak_dense\npeak_dense\tguessed\n"),
            "guessed");
  EXPECT_EQ(why("memory.bandwidth", "memory.bandwidth\tas HGX H800\n"), "as HGX H800");
}

std::vector<std::string> keys_of(const Scenario& scenario) {
  std::vector<std::string> keys;
  for (const Assumed& assumed : scenario.assumed) {
    keys.push_back(assumed.key);
  }
  return keys;
}
bool assumes(const Scenario& scenario, const std::string& key) {
  const std::vector<std::string> keys = keys_of(scenario);
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

// A33: Gaudi 3's attention, launch and HBM efficiency are taken from other devices.
TEST(Assumed, OfGaudi3) {
  const std::vector<std::string> changes{"cluster.topology=gaudi3"};
  const Scenario gaudi = shipped("llama3-8b-h100.yaml", changes);
  EXPECT_TRUE(assumes(gaudi, "cluster.gpu.attention.flash2.share"));
  EXPECT_TRUE(assumes(gaudi, "cluster.gpu.kernel_launch"));
  EXPECT_TRUE(assumes(gaudi, "cluster.gpu.memory.efficiency"));
  EXPECT_FALSE(assumes(gaudi, "cluster.gpu.peak_dense.bf16"));
  EXPECT_FALSE(assumes(shipped("llama3-8b-h100.yaml"), "cluster.gpu.kernel_launch"));
}

TEST(Assumed, OnlyWhatTheResultUses) {
  const std::string hop = "cluster.node.nics.efficiency";
  EXPECT_TRUE(assumes(shipped("gpt3-175b-a100.yaml"), hop));  // many nodes
  EXPECT_FALSE(assumes(shipped("gpt3-175b-a100.yaml", {"cluster.gpus=8", "parallelism={tensor: 8}",
                                                       "training.global_batch=8"}),
                       hop));
}

// Nodes of another kind rest on assumptions of their own.
TEST(Assumed, OfMixedNodes) {
  const Scenario mixed = shipped("mixed-a100-h100.yaml");
  const std::vector<std::string> keys = keys_of(mixed);
  EXPECT_TRUE(std::any_of(keys.begin(), keys.end(), [](const std::string& key) {
    return key.starts_with("cluster.mixed.") && key.find(".gpu.") != std::string::npos;
  }));
}

TEST(Assumed, WhatTheUserWroteIsNone) {
  EXPECT_FALSE(assumes(
      shipped("llama3-8b-h100.yaml", {"cluster.topology=gaudi3", "cluster.gpu.kernel_launch=3 us"}),
      "cluster.gpu.kernel_launch"));
}

// A default that acts is an assumption too: a topology of one's own without latencies.
TEST(Assumed, Defaults) {
  const testing::Folder folder;
  folder.write("own.yaml",
               "name: own\ngpu: h100\nnode: {gpus: 8, scale_up: {bandwidth: 450 GB/s}, "
               "nics: {count: 8, bandwidth: 400 Gbps}}\n");
  const auto file = folder.write("s.yaml",
                                 "model: gpt1\ncluster: {topology: own.yaml, gpus: 16}\n"
                                 "training: {global_batch: 16, sequence_length: 512}\n");
  const Scenario scenario = load_scenario(file, testing::shipped_presets());
  for (const char* key :
       {"cluster.node.scale_up.efficiency", "cluster.node.scale_up.latency",
        "cluster.node.nics.efficiency", "cluster.fabric.latency", "cluster.collective.launch"}) {
    EXPECT_TRUE(assumes(scenario, key)) << key;
  }
  EXPECT_FALSE(assumes(scenario, "cluster.node.scale_up.bandwidth"));
}

// GPUs that meet over PCIe: what share of it they reach, by either key, and how soon.
TEST(Assumed, DefaultsOverPcie) {
  const testing::Folder folder;
  folder.write("own.yaml",
               "name: own\ngpu: l40s\nnode: {gpus: 8, scale_up: {kind: none}, pcie: {bandwidth: "
               "32 GB/s}, nics: {count: 1, bandwidth: 200 Gbps}}\n");
  const auto with = [&](const std::string& cluster) {
    const auto file =
        folder.write("s.yaml", "model: gpt1\ncluster: {topology: own.yaml" + cluster +
                                   "}\ntraining: {global_batch: 16, sequence_length: 512}\n");
    return load_scenario(file, testing::shipped_presets());
  };
  const std::string share = "cluster.node.scale_up.efficiency";
  const std::string latency = "cluster.node.scale_up.latency";
  EXPECT_TRUE(assumes(with(", gpus: 8"), share));
  EXPECT_TRUE(assumes(with(", gpus: 8"), latency));
  EXPECT_FALSE(assumes(with(", gpus: 1"), latency));
  const Scenario given = with(", gpus: 8, node: {pcie: {efficiency: 0.8}}");
  EXPECT_FALSE(assumes(given, share));
  EXPECT_FALSE(assumes(given, "cluster.node.pcie.efficiency"));
  EXPECT_TRUE(assumes(given, latency));
}

}  // namespace
}  // namespace danlu
