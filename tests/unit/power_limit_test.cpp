// What a limit on a board's power leaves: shares that run for long x (power / preset's)^0.7.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "sim/scenario/load_scenario.hpp"
#include "sim/scenario/show.hpp"
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

constexpr double kDigits = 5e-5;  // of shares, which are rounded to four

TEST(PowerLimit, WhatRunsForLongKeepsAPowerOfTheWatts) {
  const GpuSpec whole = gpu("dgx-h100");
  const GpuSpec limited = gpu("dgx-h100", {"cluster.gpu.power=500 W"});
  const double keeps = std::pow(5.0 / 7, 0.7);
  for (const Precision precision : {Precision::Bf16, Precision::Fp8}) {
    EXPECT_NEAR(limited.in(limited.gemm_sustained, precision),
                keeps * whole.in(whole.gemm_sustained, precision), kDigits);
  }
  // Attention names no share that it keeps for long here: it becomes slower as products do.
  for (const AttentionKind kind : {AttentionKind::Flash2, AttentionKind::Cudnn}) {
    EXPECT_NEAR(limited.fused(kind)->share, keeps * whole.fused(kind)->share, kDigits);
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

TEST(PowerLimit, AttentionBecomesSlowerAsProductsDo) {
  const Kernel attention =
      attention_kernel({AttentionKind::Cudnn, 32, 8192, 4096, 8192, 128, 128}, false, {});
  const auto time = [&](std::vector<std::string> overrides) {
    return attention_time(gpu("dgx-h100", std::move(overrides)), attention, Precision::Bf16,
                          Running::Long)
        .value;
  };
  EXPECT_NEAR(time({"cluster.gpu.power=350 W"}) / time({}), std::pow(2, 0.7), 1e-3);
  EXPECT_EQ(time({"cluster.gpu.power=1 kW"}), time({}));
}

// An A100's preset names no share, all of the peak, of which its products reach 0.835: power bounds
// them below 400 W x 0.835^(1 / 0.7) = 309 W, and attention goes with them.
TEST(PowerLimit, ProductsThatNameNoShareKeepAllUntilPowerBoundsThem) {
  const GpuSpec whole = gpu("dgx-a100");
  const GpuSpec limited = gpu("dgx-a100", {"cluster.gpu.power=250 W"});
  const double keeps = std::pow(250.0 / 400, 0.7);
  EXPECT_NEAR(limited.in(limited.gemm_sustained, Precision::Bf16), keeps, kDigits);
  EXPECT_NEAR(limited.fused(AttentionKind::Flash2)->share,
              whole.fused(AttentionKind::Flash2)->share * keeps / 0.835, kDigits);
  const GpuSpec little = gpu("dgx-a100", {"cluster.gpu.power=320 W"});
  EXPECT_EQ(little.fused(AttentionKind::Flash2)->share, whole.fused(AttentionKind::Flash2)->share);
  const GpuSpec more = gpu("dgx-a100", {"cluster.gpu.power=500 W"});
  EXPECT_EQ(more.in(more.gemm_sustained, Precision::Bf16), 1);  // and no more than all
}

std::string note_of_power(const Scenario& scenario) {
  const auto note =
      std::find_if(scenario.notes.begin(), scenario.notes.end(), [](const std::string& text) {
        return text.find("'cluster.gpu.power'") != std::string::npos;
      });
  return note != scenario.notes.end() ? *note : "";
}

TEST(PowerLimit, IsToldAndGivesWayToWhatIsWritten) {
  const std::string own = "cluster.gpu.gemm.sustained=0.6";
  const Scenario scenario = loaded("dgx-h100", {"cluster.gpu.power=0.4x", own});
  EXPECT_EQ(scenario.cluster.gpu.in(scenario.cluster.gpu.gemm_sustained, Precision::Bf16), 0.6);
  EXPECT_EQ(note_of_power(scenario),
            "'cluster.gpu.power' is 280 W of the GPU's 700 W: attention keeps 0.527 of its speed, "
            "by (280 W / 700 W)^0.7 (docs/explain/power.md); 'cluster.gpu.gemm.sustained' as "
            "written; nothing was measured below half of a board's power");
  EXPECT_EQ(note_of_power(loaded("dgx-h100", {"cluster.gpu.power=500 W"})),
            "'cluster.gpu.power' is 500 W of the GPU's 700 W: wide 16-bit products that run for "
            "long keep 0.553 of the dense peak instead of 0.7, attention keeps 0.79 of its speed, "
            "by (500 W / 700 W)^0.7 (docs/explain/power.md)");
  EXPECT_EQ(note_of_power(loaded("dgx-h100", {"cluster.gpu.power=5 kW"})),
            "'cluster.gpu.power' is 5 kW of the GPU's 700 W: wide 16-bit products that run for "
            "long keep 0.876 of the dense peak instead of 0.7, by (5 kW / 700 W)^0.7 "
            "(docs/explain/power.md); nothing was measured above a board's own power");
  EXPECT_EQ(note_of_power(loaded("dgx-a100", {"cluster.gpu.power=0.8x"})),
            "'cluster.gpu.power' is 320 W of the GPU's 400 W: wide 16-bit products keep 0.835 of "
            "the dense peak as before, which power bounds below 309.2 W, by (320 W / 400 W)^0.7 "
            "(docs/explain/power.md)");
  EXPECT_FALSE(speaks_of_power(loaded("dgx-h100", {"cluster.gpu.power=700 W"})));
  EXPECT_FALSE(speaks_of_power(loaded("dgx-h100", {own})));
}

// Fitted by nobody for these boards, so it is assumed.
TEST(PowerLimit, IsAssumed) {
  const Scenario scenario = loaded("dgx-h100", {"cluster.gpu.power=500 W"});
  EXPECT_TRUE(std::any_of(scenario.assumed.begin(), scenario.assumed.end(), [](const Assumed& it) {
    return it.key == "cluster.gpu.gemm.sustained" && it.text == "0.5531";
  }));
}

// What is shown of a limited board loads as the same board, with a share of its own or none.
TEST(PowerLimit, IsShownAsItIsPlayed) {
  for (const char* board : {"dgx-h100", "dgx-a100", "mi300x"}) {
    for (const char* own : {"cluster.gpu.power=0.5x", "cluster.gpu.gemm.sustained=0.6"}) {
      const LoadOptions options = testing::shipped_presets({"cluster.gpu.power=0.6x", own});
      const Scenario before = loaded(board, {"cluster.gpu.power=0.6x", own});
      const Scenario after = show_scenario(before, options).read;
      EXPECT_EQ(after.cluster.gpu.in(after.cluster.gpu.gemm_sustained, Precision::Bf16),
                before.cluster.gpu.in(before.cluster.gpu.gemm_sustained, Precision::Bf16));
      EXPECT_EQ(after.cluster.gpu.power_watts, before.cluster.gpu.power_watts);
      for (const auto& [kind, name] : kNames<AttentionKind>) {
        if (const FusedAttention* fused = before.cluster.gpu.fused(kind); fused != nullptr) {
          EXPECT_EQ(after.cluster.gpu.fused(kind)->share, fused->share) << board << " " << name;
        }
      }
    }
  }
}

// A file that says another power of its GPU limits that GPU too; one that says a share keeps it.
TEST(PowerLimit, OfATopologysFile) {
  const testing::Folder folder;
  const auto board = [&](const std::string& gpu_section) {
    std::ifstream file(testing::shipped_presets().topologies / "dgx-h100.yaml");
    std::string text(std::istreambuf_iterator<char>(file), {});
    const std::string line = "gpu: h100\n";
    text.replace(text.find(line), line.size(), gpu_section);
    return gpu(folder.write("mine.yaml", text).string());
  };
  const GpuSpec limited = board("gpu: {preset: h100, power: 350 W}\n");
  EXPECT_NEAR(limited.in(limited.gemm_sustained, Precision::Bf16), 0.7 * std::pow(0.5, 0.7),
              kDigits);
  const GpuSpec own = board("gpu: {preset: h100, power: 350 W, gemm: {sustained: 0.6}}\n");
  EXPECT_EQ(own.in(own.gemm_sustained, Precision::Bf16), 0.6);
}

TEST(PowerLimit, AnotherBoardHasItsOwnPower) {
  EXPECT_FALSE(speaks_of_power(loaded("dgx-h100", {"cluster.gpu=a100-80"})));
}

}  // namespace
}  // namespace danlu
