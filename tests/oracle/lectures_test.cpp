// Headline figures that lectures hand around, held to one line of arithmetic each (docs/learn/
// 11-the-lectures-numbers.md says what is right and what is mixed up in them).
#include <gtest/gtest.h>

#include "sim/scenario/load_scenario.hpp"
#include "sim/session/simulate.hpp"
#include "sim/workload/model_blocks.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped;
using testing::shipped_presets;

constexpr double kYear = 365.25 * 86400;
constexpr double kTokens = 300e9;

Report played(const std::string& file, std::vector<std::string> overrides = {}) {
  return simulate(shipped(file, std::move(overrides))).report;
}

// A run's days are 8TP/(nX) but for the attention scores, which the rule leaves out; with the 140
// TFLOP/s that Narayanan et al. 2021 reached they are the 34 days of their section 5.1.
TEST(Lectures, EightTpOverNx) {
  constexpr int kGpus = 1024;
  EXPECT_TRUE(near(8 * kTokens * 175e9 / (kGpus * 140e12) / 86400, 33.9, 1e-3));
  EXPECT_TRUE(near(8 * 450e9 * 1008e9 / (3072 * 163e12) / 86400, 83.9, 1e-3));
  const Report report = played("gpt3-175b-a100.yaml");
  const double rate = report.step.hardware_flops_per_gpu_second;
  EXPECT_TRUE(near(*report.run->gpu_years_8tp, 8 * kTokens * report.parameters / rate / kYear));
  EXPECT_TRUE(near(report.run->days * rate / 140e12, 34, 0.03));
  EXPECT_TRUE(near(report.run->gpu_years, report.run->days * 86400 * kGpus / kYear));
}

// 355 years are those of a V100 at 28 TFLOP/s (lambdalabs.com/blog/demystifying-gpt-3), 400 to 500
// those of fp32 units; the FLOPs are GPT-3's own (arXiv:2005.14165).
TEST(Lectures, GpuYears) {
  constexpr double kGpt3 = 3.14e23;
  EXPECT_TRUE(near(kGpt3 / 28e12 / kYear, 355, 2e-3));
  EXPECT_TRUE(near(kGpt3 / 19.5e12 / kYear, 510, 2e-3));
  EXPECT_TRUE(near(kGpt3 / 140e12 / kYear, 71, 2e-3));
  // The model's FLOPs of danlu's run are those, whatever they take.
  const Report gpt3 = played("gpt3-175b-a100.yaml");
  EXPECT_TRUE(
      near(gpt3.run->gpu_years * kYear * gpt3.step.model_flops_per_gpu_second, kGpt3, 0.03));
  const Report gpt1 = played("learn/11-the-lectures-numbers.yaml");
  const double petaflops_days =
      gpt1.run->gpu_years * kYear * gpt1.step.model_flops_per_gpu_second / 1e15 / 86400;
  EXPECT_TRUE(near(petaflops_days, 0.96, 0.1));  // attention scores are not in 6TP
  // Tensor cores are several times as fast as what "0.1 GPU-years" takes for granted.
  EXPECT_LT(gpt1.run->gpu_years, 0.1 / 3);
}

TEST(Lectures, DollarsAndMegawatts) {
  const Report a100 = played("gpt3-175b-a100.yaml", {"cluster.gpu.price=1.02 USD/h"});
  EXPECT_TRUE(near(*a100.run->cost_usd, 1.02 * a100.run->gpu_hours));
  EXPECT_TRUE(near(34.0 * 24 * 1024 * 1.02, 0.85e6, 3e-3));
  EXPECT_TRUE(near(*a100.run->energy_mwh * 1e3 / a100.run->gpu_hours, 6.5 / 8));
  const ClusterSpec h100 = load_topology("dgx-h100", shipped_presets());
  EXPECT_TRUE(near(h100.topology.node_power_watts / h100.topology.gpus_per_node, 1275));
}

TEST(Lectures, PeaksAreDenseAndLinksOneWay) {
  const ClusterSpec a100 = load_topology("dgx-a100", shipped_presets());
  const ClusterSpec a800 = load_topology("hgx-a800", shipped_presets());
  const ClusterSpec h100 = load_topology("dgx-h100", shipped_presets());
  const double ratio = *h100.gpu.peak(Precision::Bf16) / *a100.gpu.peak(Precision::Bf16);
  EXPECT_TRUE(near(ratio, 3.17, 1e-3));  // not 1979 / 312 = 6.34
  EXPECT_TRUE(near(*h100.gpu.peak(Precision::Fp8) / *h100.gpu.peak(Precision::Bf16), 2, 1e-3));
  EXPECT_TRUE(near(a100.topology.scale_up_bandwidth.value, 600e9 / 2));
  EXPECT_TRUE(near(a800.topology.scale_up_bandwidth.value, 400e9 / 2));
  EXPECT_TRUE(near(h100.topology.scale_up_bandwidth.value, 900e9 / 2));
  // Four all-reduces of a layer of GPT-3 on eight GPUs, one sequence of 2,048 tokens.
  const double bytes = 4 * 2 * 7.0 / 8 * 2 * 2048 * 12288;
  EXPECT_TRUE(near(bytes / a100.topology.scale_up_bandwidth.value, 1.174e-3, 1e-3));
  EXPECT_TRUE(near(bytes / a800.topology.scale_up_bandwidth.value, 1.762e-3, 1e-3));
  EXPECT_TRUE(near(bytes / h100.topology.scale_up_bandwidth.value, 0.783e-3, 1e-3));
}

TEST(Lectures, TwelveDSquared) {
  const ModelSpec gpt3 = shipped("gpt3-175b-a100.yaml").workload.model;
  const double d = 12288;
  const double layers = 96 * (12 * d * d + 13 * d);
  EXPECT_TRUE(near(total_parameters(gpt3), layers + (51200 + 2048) * d + 2 * d));
  EXPECT_TRUE(near(96 * 12 * d * d, 173.95e9, 1e-4));
}

// Lesson 5's step: products and attention, passes over memory, 144 all-reduces of 293.6 us of bytes
// and 168 of 140 us of latency. Each halves alone, and together they halve it all.
TEST(Lectures, WhatBinds) {
  const std::string lesson = "learn/05-tensor-parallel.yaml";
  const Report base = played(lesson);
  const double step = base.step.time.value;
  const KernelInefficiency& lost = base.step.kernel_inefficiency;
  const Seconds computing = base.step.breakdown[TimePart::Useful] + lost.gemm + lost.attention;
  const Seconds passes = lost.memory + base.step.breakdown[TimePart::Optimizer];
  const double latency = 168 * 140e-6;
  const double bytes = base.step.breakdown[TimePart::ExposedTensor].value - latency;
  const std::string flops = "cluster.gpu.peak_dense.bf16=200 TFLOP/s";
  const std::string links = "cluster.node.scale_up.bandwidth=200 GB/s";
  const std::string delay = "cluster.node.scale_up.latency=5 us";
  const std::string memory = "cluster.gpu.memory.bandwidth=2000 GB/s";
  const auto time = [&](std::vector<std::string> changes) {
    return played(lesson, std::move(changes)).step.time.value;
  };
  EXPECT_TRUE(near(time({flops}), step - computing.value / 2, 1e-3));
  EXPECT_TRUE(near(time({links}), step - bytes / 2, 1e-3));
  EXPECT_TRUE(near(time({delay}), step - latency / 2, 1e-3));
  EXPECT_TRUE(near(time({memory}), step - passes.value / 2, 1e-3));
  EXPECT_EQ(time({"cluster.gpu.memory.capacity=160 GiB"}), step);
  EXPECT_TRUE(near(time({flops, links, delay, memory}), step / 2, 1e-3));
}

}  // namespace
}  // namespace danlu
