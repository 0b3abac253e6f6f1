// What a limit on a board's power leaves: shares that run for long x (power / preset's)^0.7.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "sim/scenario/load_scenario.hpp"
#include "sim/workload/kernel_models.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

Scenario loaded(const std::string& topology, std::vector<std::string> overrides) {
  return load_scenario_text(
      "model: {layers: 4, hidden: 1024, heads: 8, vocab: 32000}\ncluster: {topology: " + topology +
          ", gpus: 16}\ntraining: {global_batch: 4096, sequence_length: 2048}\n",
      "x.yaml", testing::shipped_presets(std::move(overrides)));
}

GpuSpec gpu(const std::string& topology, std::vector<std::string> overrides = {}) {
  return loaded(topology, std::move(overrides)).cluster.gpu;
}

bool speaks_of_power(const Scenario& scenario) {
  return std::any_of(scenario.notes.begin(), scenario.notes.end(), [](const std::string& note) {
    return note.find("'cluster.gpu.power'") != std::string::npos;
  });
}

TEST(PowerLimit, WhatRunsForLongKeepsAPowerOfTheWatts) {
  const GpuSpec whole = gpu("dgx-h100");
  const GpuSpec limited = gpu("dgx-h100", {"cluster.gpu.power=500 W"});
  const double keeps = std::pow(5.0 / 7, 0.7);
  for (const Precision precision : {Precision::Bf16, Precision::Fp8}) {
    EXPECT_NEAR(limited.in(limited.gemm_sustained, precision),
                keeps * whole.in(whole.gemm_sustained, precision), 1e-9);
  }
  // Attention names no share that it keeps for long here: it is what it reaches.
  for (const AttentionKind kind : {AttentionKind::Flash2, AttentionKind::Cudnn}) {
    EXPECT_EQ(whole.fused(kind)->sustained, 1);
    EXPECT_NEAR(limited.fused(kind)->sustained, keeps * whole.fused(kind)->share, 1e-9);
  }
  // HBM keeps its clock, and what a product reaches for a moment is not limited.
  EXPECT_EQ(limited.memory_bandwidth, whole.memory_bandwidth);
  EXPECT_EQ(limited.gemm_efficiency, whole.gemm_efficiency);
}

// Times of kernels: as many FLOPs take 1 / keeps as long where power bounds them, and no longer
// where memory does.
TEST(PowerLimit, OnlyWhatComputesBecomesSlower) {
  const GpuSpec whole = gpu("dgx-h100");
  const GpuSpec limited = gpu("dgx-h100", {"cluster.gpu.power=350 W"});
  const auto time = [](const GpuSpec& board, double m, double k, Running running) {
    return product_time(board, gemm(m, 8192, k, 1, 2), Precision::Bf16, running) - board.gemm_start;
  };
  EXPECT_NEAR(time(limited, 8192, 8192, Running::Long) / time(whole, 8192, 8192, Running::Long),
              std::pow(2, 0.7), 1e-3);
  EXPECT_EQ(time(limited, 8192, 8192, Running::Alone), time(whole, 8192, 8192, Running::Alone));
  EXPECT_EQ(time(limited, 16, 8192, Running::Long), time(whole, 16, 8192, Running::Long));
}

// The closed form of what an A100 keeps, whose preset names no share: all of its peak.
TEST(PowerLimit, ProductsThatNameNoShareKeepAll) {
  const GpuSpec limited = gpu("dgx-a100", {"cluster.gpu.power=250 W"});
  EXPECT_NEAR(limited.in(limited.gemm_sustained, Precision::Bf16), std::pow(250.0 / 400, 0.7),
              1e-9);
  const GpuSpec more = gpu("dgx-a100", {"cluster.gpu.power=500 W"});
  EXPECT_EQ(more.in(more.gemm_sustained, Precision::Bf16), 1);  // and no more than all
}

TEST(PowerLimit, IsToldAndGivesWayToWhatIsWritten) {
  const std::string own = "cluster.gpu.gemm.sustained=0.6";
  const Scenario scenario = loaded("dgx-h100", {"cluster.gpu.power=0.4x", own});
  EXPECT_EQ(scenario.cluster.gpu.in(scenario.cluster.gpu.gemm_sustained, Precision::Bf16), 0.6);
  EXPECT_NE(std::find(scenario.notes.begin(), scenario.notes.end(),
                      "'cluster.gpu.power' is 280 W of the GPU's 700 W: products and attention "
                      "that run for long have 0.527 of their speed, (280 W / 700 W)^0.7 "
                      "(docs/explain/power.md); 'cluster.gpu.gemm.sustained' as written; "
                      "nothing was measured below half of a board's power"),
            scenario.notes.end());
  EXPECT_FALSE(speaks_of_power(loaded("dgx-h100", {"cluster.gpu.power=700 W"})));
  EXPECT_FALSE(speaks_of_power(loaded("dgx-h100", {own})));
}

TEST(PowerLimit, AnotherBoardHasItsOwnPower) {
  EXPECT_FALSE(speaks_of_power(loaded("dgx-h100", {"cluster.gpu=a100-80"})));
}

}  // namespace
}  // namespace danlu
