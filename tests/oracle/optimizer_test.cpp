// What optimizers keep and move, against closed forms and other people's estimators.
#include "sim/workload/optimizer.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

#include "sim/program/step_program.hpp"
#include "sim/workload/memory.hpp"
#include "sim/workload/model_blocks.hpp"
#include "sim/workload/model_presets.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;

ModelSpec preset(std::string_view name) {
  for (const ModelPreset& row : model_presets()) {
    if (row.name == name) {
      return to_model_spec(row);
    }
  }
  throw std::invalid_argument("no such preset");
}

/// Two layers of h = 1024 without biases: 2 x 12 h^2 in matrices, tables of 32,000 rows, 5 norms.
Workload small() {
  Workload w = testing::small_gpt(2);
  w.model.biases = kNoBiases;
  w.model.tied_embeddings = false;
  w.model.norm = Norm::RmsNorm;
  return w;
}
constexpr double kH = 1024;
constexpr double kMatrices = 2 * 12 * kH * kH;
constexpr double kTables = 2 * 32000 * kH;
constexpr double kAll = kMatrices + kTables + 5 * kH;

double state_of(const Workload& w) {
  return memory_use(w).optimizer.value;
}
const EndStep& update_of(const StepProgram& step) {
  for (const EndStep& end : step.stages[0].ends) {
    if (end.name == "optimizer") {
      return end;
    }
  }
  throw std::invalid_argument("no update");
}

// Bytes of optimizer state and bytes moved of n parameters with fp32 gradients, master weights 4:
// adam 4 + 2 m and 4 + 8 + 4 m + 2 with moments of m bytes (1 + 4/256 of those in 8 bits); sgd one
// moment or none. Without master weights the 16 bits are read and written.
TEST(Optimizer, BytesOfEveryKind) {
  struct Row {
    OptimizerSpec optimizer;
    double state, moved;
  };
  const double eight = 1 + 4.0 / 256;
  for (const auto& [optimizer, state, moved] :
       {Row{{OptimizerKind::Adam, 4, true}, 12, 30}, Row{{OptimizerKind::Adam, 2, true}, 8, 22},
        Row{{OptimizerKind::Adam, 1, true}, 4 + 2 * eight, 14 + 4 * eight},
        Row{{OptimizerKind::Adam, 4, false}, 8, 4 + 4 + 16},
        Row{{OptimizerKind::Sgd, 4, true, true}, 8, 22},
        Row{{OptimizerKind::Sgd, 4, true, false}, 4, 14},
        Row{{OptimizerKind::Sgd, 2, false, false}, 0, 8}}) {
    Workload w = small();
    w.training.optimizer = optimizer;
    EXPECT_TRUE(near(state_of(w), state * kAll, 1e-12));
    EXPECT_TRUE(near(update_of(make_step_program(w)).bytes.value, moved * kAll, 1e-12));
  }
}

// A checkpoint holds weights, 2 or 4 bytes, and the state of what is trained; with LoRA adapters
// alone, here of rank 8 beside Q and V: 2 layers x 2 x 8 (h + h) parameters.
TEST(Optimizer, CheckpointsHoldWeightsAndState) {
  const auto size = [](const auto& change) {
    Workload w = small();
    change(w);
    return checkpoint_size(w).value;
  };
  const auto of_training = [&](const auto& change) {
    return size([&](Workload& w) { change(w.training); });
  };
  EXPECT_TRUE(near(of_training([](TrainingSpec&) {}), 14 * kAll, 1e-12));
  EXPECT_TRUE(
      near(of_training([](TrainingSpec& t) { t.precision = Precision::Fp32; }), 12 * kAll, 1e-12));
  EXPECT_TRUE(near(of_training([](TrainingSpec& t) {
                     t.optimizer = {.kind = OptimizerKind::Sgd, .momentum = false};
                   }),
                   6 * kAll, 1e-12));
  EXPECT_TRUE(
      near(of_training([](TrainingSpec& t) { t.optimizer = {.state_bytes = 2, .master = false}; }),
           6 * kAll, 1e-12));
  EXPECT_TRUE(near(of_training([](TrainingSpec& t) {
                     t.lora = {.rank = 8, .targets = {LoraTarget::Q, LoraTarget::V}};
                   }),
                   14 * 2 * 2 * 8 * 2 * kH, 1e-12));
  // FSDP without a copy of 16 bits: the master weights are the weights.
  EXPECT_TRUE(near(size([](Workload& w) {
                     w.parallelism.zero = 3;
                     w.parallelism.sharding.keeps_copy = false;
                   }),
                   12 * kAll, 1e-12));
}

// DeepSeek-V3 keeps both moments in bf16 beside fp32 master weights and gradients (its report,
// section 3.3.3): 2 + 4 + 4 + 2 + 2 = 14 bytes a parameter.
TEST(Optimizer, DeepSeeksMomentsHaveSixteenBits) {
  Workload w = small();
  w.training.optimizer.state_bytes = 2;
  const MemoryUse use = memory_use(w);
  EXPECT_EQ((use.parameters + use.gradients + use.optimizer).value, 14 * kAll);
}

// Adafactor keeps a number for each row and column: of a layer's QKV 1 + 3, projection 1 + 1, MLP
// 2 (1 + 4) times h, of tables 32,000 + h; and one of each parameter of norms. It reads gradients
// twice.
TEST(Optimizer, AdafactorKeepsRowsAndColumns) {
  Workload w = small();
  w.training.optimizer.kind = OptimizerKind::Adafactor;
  const double moments = 2 * 16 * kH + 2 * (32000 + kH) + 5 * kH;
  EXPECT_TRUE(near(state_of(w), 4 * kAll + 4 * moments, 1e-12));
  EXPECT_TRUE(
      near(update_of(make_step_program(w)).bytes.value, (8 + 8 + 2) * kAll + 8 * moments, 1e-12));
}

// Muon keeps one moment of matrices, Adam's two of the rest. Five rounds of 4 n^2 m + 2 n^3 FLOPs
// on QKV (h x 3h), projection (h x h), up and down (h x 4h): 5 h^3 (14 + 6 + 18 + 18) a layer.
TEST(Optimizer, MuonMultiplies) {
  Workload w = small();
  w.training.optimizer.kind = OptimizerKind::Muon;
  EXPECT_TRUE(near(state_of(w), 4 * kAll + 4 * kMatrices + 8 * (kAll - kMatrices), 1e-12));
  const auto flops_of = [](const StepProgram& step) {
    double flops = 0;
    for (const auto& [kernel, times] : update_of(step).products) {
      flops += times * kernel.flops.value;
      EXPECT_EQ(kernel.model_flops.value, 0);
    }
    return flops;
  };
  const double whole = 2 * 5 * kH * kH * kH * (14 + 6 + 18 + 18);
  EXPECT_TRUE(near(flops_of(make_step_program(w)), whole, 1e-12));
  // With ZeRO-1 over four ranks each has a quarter of the work, for which momentum is gathered in
  // 16 bits: a quarter more than the 4 bytes of gradients and 4 of fp32 weights that Liu et al.
  // 2025 count of Adam, whose 16-bit weights are 2 here.
  w.parallelism.data = 4;
  w.parallelism.zero = 1;
  w.training.global_batch = 4;
  const StepProgram split = make_step_program(w);
  EXPECT_TRUE(near(flops_of(split), whole / 4, 1e-12));
  const auto& ends = split.stages[0].ends;
  const auto momentum = std::find_if(
      ends.begin(), ends.end(), [](const EndStep& end) { return end.name == "gather momentum"; });
  ASSERT_NE(momentum, ends.end());
  EXPECT_EQ(momentum->bytes.value, 2 * kMatrices);
}

// Bytes of a gradient of 4 in fp32, that passes over all of them move once a step: zero and check
// 4, average 8 (with replicas), norm 4, clip 8, unscale 8 (of fp16, whose 16 bits are fp32 by
// then). With ZeRO-1 on four ranks the last three are of a quarter, with ZeRO-2 all are.
TEST(Optimizer, PassesOverGradients) {
  using enum GradientPass;
  const std::vector<GradientPass> every{Zero, Check, Average, Unscale, Norm, Clip};
  struct Row {
    Precision precision;
    int gradient_bytes, data, zero;
    std::vector<GradientPass> passes;
    double moved;
  };
  for (const auto& [precision, gradient_bytes, data, zero, passes, moved] :
       {Row{Precision::Bf16, 4, 1, 0, {}, 0}, Row{Precision::Bf16, 4, 1, 0, every, 4 + 4 + 4 + 8},
        Row{Precision::Bf16, 4, 4, 0, every, 4 + 4 + 8 + 4 + 8},
        Row{Precision::Bf16, 4, 4, 1, every, 4 + 4 + 8 + (4 + 8) / 4.0},
        Row{Precision::Bf16, 4, 4, 1, {Zero, NormAll, ClipAll}, 4 + 4 + 8},
        Row{Precision::Bf16, 2, 4, 1, every, 2 + 2 + 4 + (2 + 4) / 4.0},
        Row{Precision::Fp16, 2, 4, 1, every, 2 + 2 + 4 + (8 + 4 + 8) / 4.0},
        Row{Precision::Fp16, 2, 4, 1, {Buckets, CheckCopied, NormCopied}, 8 + 10 + 10},
        Row{Precision::Bf16, 4, 1, 0, {Buckets, CheckCopied}, 4},
        Row{Precision::Bf16, 4, 4, 2, every, (4 + 4 + 8 + 4 + 8) / 4.0}}) {
    Workload w = small();
    w.training.precision = precision;
    w.training.gradient_bytes = gradient_bytes;
    w.training.gradient_passes = passes;
    w.training.global_batch = w.parallelism.data = data;
    w.parallelism.zero = zero;
    double bytes = 0;
    bool updated = false;
    const StepProgram step = make_step_program(w);
    for (const EndStep& end : step.stages[0].ends) {
      updated = updated || end.name == "optimizer";
      if (end.name == "passes over gradients") {
        EXPECT_FALSE(updated);
        bytes += end.bytes.value;
      }
    }
    EXPECT_TRUE(near(bytes, moved * kAll, 1e-12)) << data << " " << zero << " " << passes.size();
  }
}

// The optimizer's task takes what its products take, on top of what it moves.
TEST(Optimizer, ProductsTakeTime) {
  const GpuSpec gpu = load_gpu("h100", testing::shipped_presets());
  const KernelTimer timer(gpu, Precision::Bf16);
  const Kernel product = gemm(1024, 4096, 1024, 1, 2);
  const double one = timer.time({product}).total().value;
  const double plain = timer.optimizer_time({1e9}).total().value;
  EXPECT_TRUE(near(timer.optimizer_time({1e9}, {{product, 7.5}}).total().value, plain + 7.5 * one));
}

// DeepSpeed's estimate_zero2_model_states_mem_needs and estimate_zero3_..., without offload: 2 P +
// 18 P/N, which is fp16 with 16-bit gradients and fp32 copies of them, and 4 L + 18 P/N, which
// counts 16-bit weights, fp32 gradients, master weights and moments, and the largest layer L
// gathered with its 16-bit gradient. danlu keeps the root unit gathered beside that, which
// DeepSpeed does not count: 2 bytes of table, head and final norm.
TEST(Optimizer, AgreesWithDeepSpeedsEstimators) {
  struct Row {
    const char* model;
    int ranks;
    double zero2, zero3;
  };
  for (const auto& [name, ranks, zero2, zero3] :
       {Row{"llama2-7b", 8, 28638266368, 15970968576},
        Row{"llama2-70b", 64, 157352978688, 22822299904}}) {
    Workload w{.model = preset(name)};
    w.training.global_batch = w.parallelism.data = ranks;
    w.parallelism.zero = 2;
    w.training.precision = Precision::Fp16;
    w.training.gradient_bytes = 2;
    MemoryUse use = memory_use(w);
    EXPECT_TRUE(near((use.parameters + use.gradients + use.optimizer).value, zero2, 1e-9));
    w.parallelism.zero = 3;
    w.training.precision = Precision::Bf16;
    w.training.gradient_bytes = 4;
    w.parallelism.sharding.prefetch = 0;
    use = memory_use(w);
    const double root = 2 * (2.0 * w.model.vocab * w.model.hidden + w.model.hidden);
    EXPECT_TRUE(near((use.parameters + use.gradients + use.optimizer + use.gathered).value - root,
                     zero3, 1e-9));
  }
}

}  // namespace
}  // namespace danlu
