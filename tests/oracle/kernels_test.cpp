// Kernel times on one GPU against arithmetic by hand.
#include "sim/workload/kernels.hpp"

#include <gtest/gtest.h>

#include "sim/workload/model_blocks.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::operator_named;

constexpr double kUs = 1e-6;

/// 108 multiprocessors, 100 TFLOP/s in 16 bits and 400 in 8, 1 TB/s of which half is achieved, 2 us
/// a launch; nothing lost but to tiles.
GpuSpec plain_gpu() {
  GpuSpec gpu = load_gpu("h100", testing::shipped_presets());
  for (auto& peak : gpu.peak_dense) {
    peak.reset();
  }
  gpu.peak_dense[Precision::Bf16] = FlopsPerSecond{100e12};
  gpu.peak_dense[Precision::Fp8] = FlopsPerSecond{400e12};
  gpu.memory_bandwidth = {1e12};
  gpu.memory_efficiency = 0.5;
  gpu.multiprocessors = 108;
  gpu.gemm_efficiency = 1;
  gpu.gemm_half_k = 0;
  gpu.narrow_efficiency[Precision::Fp8] = gpu.narrow_half_k[Precision::Fp8] = std::nullopt;
  gpu.attention_forward_efficiency = 0.5;
  gpu.attention_backward_efficiency = 0.25;
  gpu.kernel_launch = {2 * kUs};
  return gpu;
}

// A product of one wave of one size of tile: 108 of them fill the GPU, and other tiles overhang or
// need a second wave. Its efficiency is the speed of that tile.
TEST(Gemm, EveryTileHasItsSpeed) {
  const GpuSpec gpu = plain_gpu();
  EXPECT_DOUBLE_EQ(gemm_efficiency(gpu, 128, 256, 1024, 108), 1);
  EXPECT_DOUBLE_EQ(gemm_efficiency(gpu, 256, 128, 1024, 108), 1);
  EXPECT_DOUBLE_EQ(gemm_efficiency(gpu, 128, 128, 1024, 108), 0.97);
  EXPECT_DOUBLE_EQ(gemm_efficiency(gpu, 128, 64, 1024, 108), 0.85);
  EXPECT_DOUBLE_EQ(gemm_efficiency(gpu, 64, 64, 1024, 108), 0.7);
}

// 128 x 256 tiles: 109 need two waves of 108, of which 109/216 are filled; 100 x 200 elements fill
// 100/128 x 200/256 of one.
TEST(Gemm, WavesAndOverhangsAreLost) {
  const GpuSpec gpu = plain_gpu();
  EXPECT_TRUE(near(gemm_efficiency(gpu, 128, 256, 1024, 1), 4 * 0.7 * 2 / 108));
  EXPECT_TRUE(near(gemm_efficiency(gpu, 1280, 2560, 1024, 108), 1));
  GpuSpec ramp = gpu;
  ramp.gemm_half_k = 256;
  ramp.gemm_efficiency = 0.8;
  EXPECT_TRUE(near(gemm_efficiency(ramp, 128, 256, 768, 108), 0.8 * 768 / (768 + 256)));
}

// 1e9 FLOPs of attention: 1e9 / (100e12 x 0.5) = 20 us forward and 40 us backward, in fp8 too,
// which speeds up products only: 2 x 128 x 256 x 1024 x 108 FLOPs at 400e12 are 18.1 us.
TEST(KernelTimer, AttentionStaysInSixteenBits) {
  const Kernel forward{.kind = KernelKind::AttentionForward, .flops = {1e9}};
  const Kernel backward{.kind = KernelKind::AttentionBackward, .flops = {1e9}};
  for (const Precision precision : {Precision::Bf16, Precision::Fp8}) {
    const KernelTimer timer(plain_gpu(), precision);
    EXPECT_TRUE(near(timer.time({forward}).total().value, 22 * kUs));
    EXPECT_TRUE(near(timer.time({backward}).total().value, 42 * kUs));
  }
  const Kernel product = narrowed(gemm(128, 256, 1024, 108, 0), 0);
  const double flops = 2.0 * 128 * 256 * 1024 * 108;
  EXPECT_TRUE(near(KernelTimer(plain_gpu(), Precision::Fp8).time({product}).total().value,
                   flops / 400e12 + 2 * kUs));
  EXPECT_TRUE(near(KernelTimer(plain_gpu(), Precision::Bf16).time({product}).total().value,
                   flops / 100e12 + 2 * kUs));
}

// 1 GB at 0.5 x 1 TB/s is 2 ms, and each launch 2 us: the optimizer's one, too.
TEST(KernelTimer, EveryKernelIsLaunched) {
  const KernelTimer timer(plain_gpu(), Precision::Bf16);
  const ComputeTime optimizer = timer.optimizer_time({1e9});
  EXPECT_TRUE(near(optimizer[ComputePart::Optimizer].value, 2e-3 + 2 * kUs));
  EXPECT_TRUE(near(optimizer.total().value, 2e-3 + 2 * kUs));
  const ComputeTime two = timer.time({memory_pass(1e9), memory_pass(1e9)});
  EXPECT_TRUE(near(two[ComputePart::Host].value, 4 * kUs));
  EXPECT_TRUE(near(two[ComputePart::MemoryBound].value, 4e-3));
  const ComputeTime again = timer.recompute_time({memory_pass(1e9)});
  EXPECT_TRUE(near(again[ComputePart::Recomputation].value, 2e-3 + 2 * kUs));
}

/// T tokens = 2 x 512, h = 1024, V = 4096; bf16 with fp32 gradients.
Workload small_gpt() {
  Workload w{.model = {.layers = 1,
                       .hidden = 1024,
                       .heads = 16,
                       .kv_heads = 16,
                       .head_dim = 64,
                       .ffn = 4096,
                       .vocab = 4096}};
  w.training.sequence_length = 512;
  w.training.micro_batch = 2;
  w.training.precision = Precision::Bf16;
  w.training.gradient_bytes = 4;
  return w;
}
Block layer_of(const Workload& w) {
  return build_model(w).layer(0);
}

// Logits are a product of T x h by h x V: 2 (T h + h V + T V) bytes, and its weight gradient reads
// and writes 4 bytes more for each of h V. The loss casts T V logits to fp32 (reads 2, writes 4),
// reads them for the maximum (4) and for the exponential (4 and 4): 18; backward reads 4, writes 2.
TEST(Head, BytesOfLogitsAndLoss) {
  const double t = 1024, h = 1024, v = 4096;
  const ModelBlocks model = build_model(small_gpt());
  const Operator& logits = operator_named(model.head, "logits");
  const Operator& loss = operator_named(model.head, "loss");
  const Operator& table = operator_named(model.embedding, "embedding");
  const Operator& norm = operator_named(model.head, "final norm");
  EXPECT_EQ(logits.forward[0].bytes.value, 2 * (t * h + h * v + t * v));
  EXPECT_EQ(logits.input_gradient[0].bytes.value, 2 * (t * h + h * v + t * v));
  EXPECT_EQ(logits.weight_gradient[0].bytes.value, 2 * (t * h + h * v + t * v) + 8 * h * v);
  ASSERT_EQ(loss.forward.size(), 1U);
  EXPECT_EQ(loss.forward[0].bytes.value, 18 * t * v);
  EXPECT_EQ(loss.input_gradient[0].bytes.value, 6 * t * v);
  // The embedding reads and writes 2 bytes of each token; backward reads 2, adds to 4 of gradient.
  EXPECT_EQ(table.forward[0].bytes.value, 4 * t * h);
  EXPECT_EQ(table.input_gradient[0].bytes.value, 10 * t * h);
  EXPECT_EQ(norm.forward[0].bytes.value, 4 * t * h);
  EXPECT_EQ(norm.input_gradient[0].bytes.value, 6 * t * h);
}

// Tensor 2 with sequence parallelism: norms and residuals see T/2 tokens, products half the width.
TEST(DenseLayer, BytesOfPassesOverMemory) {
  Workload w = small_gpt();
  w.parallelism.tensor = 2;
  w.parallelism.sequence = true;
  w.training.dropout = true;
  const double local = 512.0 * 1024, wide = 1024.0 * 2048;  // elements: T/2 x h, T x ffn/2
  const Block layer = layer_of(w);
  EXPECT_EQ(operator_named(layer, "norm").forward[0].bytes.value, 4 * local);
  EXPECT_EQ(operator_named(layer, "norm").input_gradient[0].bytes.value, 6 * local);
  EXPECT_EQ(operator_named(layer, "residual").forward[0].bytes.value,
            7 * local);  // two read, one written, a mask
  EXPECT_EQ(operator_named(layer, "residual").input_gradient[0].bytes.value,
            5 * local);  // one read, one written, a mask
  EXPECT_EQ(operator_named(layer, "activation").forward[0].bytes.value, 4 * wide);
  EXPECT_EQ(operator_named(layer, "activation").input_gradient[0].bytes.value, 6 * wide);
  w.model.gated_mlp = true;
  EXPECT_EQ(operator_named(layer_of(w), "activation").forward[0].bytes.value, 6 * wide);
  EXPECT_EQ(operator_named(layer_of(w), "activation").input_gradient[0].bytes.value, 10 * wide);
}

// Flash attention reads queries, keys and values and writes the output, T x h each, whole backward
// twice as much; it does half of the square, 2 x 2 x s^2/2 x h a sequence, and 2.5 times that
// backward, while the model is counted the square and twice it.
TEST(DenseLayer, FlashAttention) {
  Workload w = small_gpt();
  w.training.attention = AttentionKind::Flash;
  w.model.positions = 512;
  w.model.kv_heads = 4;
  const double t = 1024, h = 1024, s = 512;
  const Block layer = layer_of(w);
  ASSERT_EQ(operator_named(layer, "attention").forward.size(), 1U);
  EXPECT_EQ(operator_named(layer, "attention").forward[0].bytes.value, 2 * t * (2 * h + 2 * h / 4));
  EXPECT_EQ(operator_named(layer, "attention").input_gradient[0].bytes.value,
            4 * t * (2 * h + 2 * h / 4));
  EXPECT_EQ(operator_named(layer, "attention").forward[0].flops.value, 2 * (2 * 2 * s * s / 2 * h));
  EXPECT_EQ(operator_named(layer, "attention").input_gradient[0].flops.value,
            2.5 * 2 * (2 * 2 * s * s / 2 * h));
  EXPECT_EQ(operator_named(layer, "attention").forward[0].model_flops.value,
            2 * (2 * 2 * s * s * h));
  EXPECT_EQ(operator_named(layer, "attention").input_gradient[0].model_flops.value,
            2 * 2 * (2 * 2 * s * s * h));
  // Without a table of positions queries and keys are turned: read and written, there and back.
  w.model.positions = 0;
  EXPECT_EQ(operator_named(layer_of(w), "attention").forward[0].bytes.value, 4 * t * (h + h / 4));
  EXPECT_EQ(operator_named(layer_of(w), "attention").input_gradient[1].bytes.value,
            4 * t * (h + h / 4));
}

// Unfused: softmax reads and writes the 2 x 16 x s^2 scores, dropout too and a mask of one byte;
// softmax's gradient reads two and writes one.
TEST(DenseLayer, UnfusedAttention) {
  Workload w = small_gpt();
  w.training.attention = AttentionKind::Unfused;
  w.model.positions = 512;
  w.training.dropout = true;
  const double scores = 2.0 * 16 * 512 * 512;
  const auto passes = [](const std::vector<Kernel>& kernels) {
    double bytes = 0;
    for (const Kernel& kernel : kernels) {
      bytes += kernel.kind == KernelKind::Memory ? kernel.bytes.value : 0;
    }
    return bytes;
  };
  EXPECT_EQ(passes(operator_named(layer_of(w), "attention").forward), (4 + 5) * scores);
  EXPECT_EQ(passes(operator_named(layer_of(w), "attention").input_gradient), (5 + 6) * scores);
  w.training.dropout = false;
  EXPECT_EQ(passes(operator_named(layer_of(w), "attention").forward), 4 * scores);
  EXPECT_EQ(passes(operator_named(layer_of(w), "attention").input_gradient), 6 * scores);
}

}  // namespace
}  // namespace danlu
