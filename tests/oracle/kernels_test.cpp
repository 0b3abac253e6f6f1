// Kernel times on one GPU against arithmetic by hand.
#include "sim/workload/kernels.hpp"

#include <gtest/gtest.h>

#include "sim/workload/kernel_models.hpp"
#include "sim/workload/layers.hpp"
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
  gpu.gemm_efficiency = gpu.gemm_sustained = gpu.gemm_in_step = {};
  gpu.gemm_prologue = {};
  gpu.gemm_edge = 0;
  gpu.gemm_start = {};
  gpu.attention = {};
  gpu.usual_attention = AttentionKind::Flash2;
  gpu.attention[AttentionKind::Flash2] =
      FusedAttention{.share = 0.5, .narrow = 0, .ramp = 0, .tail = 0, .backward = 0.5};
  gpu.kernel_launch = {2 * kUs};
  return gpu;
}

Seconds bf16(const GpuSpec& gpu, const Kernel& product, Running running = Running::InStep) {
  return product_time(gpu, product, Precision::Bf16, running);
}
double flops_at_peak(const Kernel& product) {
  return product.flops.value / 100e12;
}

// 108 products that are one tile each fill 108 multiprocessors. With an edge of 20 elements a tile
// of M x N takes 1 + 20 (1/M + 1/N) times as long as its FLOPs, over that of 128 x 256; larger
// tiles would be padding.
TEST(ProductTime, SmallTilesLoseAtTheirEdges) {
  GpuSpec gpu = plain_gpu();
  gpu.memory_bandwidth = {1e16};
  gpu.gemm_edge = 20;
  const double large = 1 + 20 * (1.0 / 128 + 1.0 / 256);
  for (const auto& [m, n] : {std::pair(128, 256), {256, 128}, {64, 64}, {16, 32}, {32, 256}}) {
    const Kernel product = gemm(m, n, 1024, 108, 2);
    const double loss = (1 + 20 * (1.0 / m + 1.0 / n)) / large;
    EXPECT_TRUE(near(bf16(gpu, product).value, loss * flops_at_peak(product))) << m << " x " << n;
  }
}

// What a last wave leaves empty is not lost, less than a wave is: one tile of 16 x 16 keeps one of
// 108 multiprocessors busy, or eight with a split K, 2 x 16 x 16 x 8192 FLOPs each, whose sums are
// written and read in fp32. Sides are padded to multiples of 16.
TEST(ProductTime, WavesAndSplits) {
  GpuSpec gpu = plain_gpu();
  const Kernel whole = gemm(128 * 109, 256, 1024, 1, 2);
  EXPECT_TRUE(near(bf16(gpu, whole).value, flops_at_peak(whole)));
  gpu.memory_bandwidth = {2e13};
  const double each = 100e12 / 108;
  EXPECT_TRUE(near(bf16(gpu, gemm(16, 16, 65536, 1, 2)).value,
                   2 * 16 * 16 * 8192 / each + 8 * 8 * 16 * 16 / 1e13));
  EXPECT_EQ(bf16(gpu, gemm(15, 10, 65536, 1, 2)).value > 0.99 * 2 * 16 * 16 * 8192 / each, true);
  const Kernel many = gemm(1600, 1608, 4096, 1, 2);
  EXPECT_TRUE(near(bf16(gpu, many).value, flops_at_peak(gemm(1600, 1616, 4096, 1, 2))));
}

// A prologue of 400 bytes is 200 values of 16 bits and 400 of 8; start is on top, and memory limits
// what it takes longer.
TEST(ProductTime, PrologueStartAndMemory) {
  GpuSpec gpu = plain_gpu();
  gpu.gemm_prologue = {400};
  gpu.gemm_start = {3 * kUs};
  const Kernel product = gemm(1024, 2048, 4096, 1, 2);
  EXPECT_TRUE(
      near(bf16(gpu, product).value, 3 * kUs + flops_at_peak(product) * (4096.0 + 200) / 4096));
  const Kernel narrow = narrowed(product, 1);
  EXPECT_TRUE(near(product_time(gpu, narrow, Precision::Fp8, Running::Alone).value,
                   3 * kUs + flops_at_peak(product) / 4 * (4096.0 + 400) / 4096));
  const Kernel thin = gemm(16, 4096, 4096, 1, 2);
  EXPECT_TRUE(near(bf16(gpu, thin).value, 3 * kUs + thin.bytes.value / 0.5e12));
}

// 80 % of the peak alone, half of it where the power limit has set in, 0.9 of that within a step;
// a product that is slower anyway meets no limit. Rows of no whole 16 bytes: a quarter of the
// speed.
TEST(ProductTime, PowerStepAndAlignment) {
  GpuSpec gpu = plain_gpu();
  gpu.gemm_efficiency[Precision::Bf16] = 0.8;
  gpu.gemm_sustained[Precision::Bf16] = 0.5;
  gpu.gemm_in_step[Precision::Bf16] = 0.9;
  gpu.gemm_unaligned = 0.25;
  Kernel product = gemm(4096, 4096, 4096, 1, 2);
  const double peak = flops_at_peak(product);
  EXPECT_TRUE(near(bf16(gpu, product, Running::Alone).value, peak / 0.8));
  EXPECT_TRUE(near(bf16(gpu, product, Running::Long).value, peak / 0.5));
  EXPECT_TRUE(near(bf16(gpu, product, Running::InStep).value, peak / 0.5 / 0.9));
  gpu.peak_dense[Precision::Fp16] = gpu.peak_dense[Precision::Bf16];
  gpu.gemm_fp16 = 0.93;
  const auto fp16 = [&](Running running) {
    return product_time(gpu, product, Precision::Fp16, running).value;
  };
  EXPECT_TRUE(near(fp16(Running::InStep), peak / 0.5 / 0.9 / 0.93));
  EXPECT_TRUE(near(fp16(Running::Long), peak / 0.5));
  product.aligned = false;
  EXPECT_TRUE(near(bf16(gpu, product, Running::Alone).value, peak / 0.8 / 0.25));
  EXPECT_TRUE(near(bf16(gpu, product, Running::Long).value, peak / 0.8 / 0.25));
}

// Eight weights of 1024 x 2048, each for 512 rows: 32 tiles of 128 x 256 x 8 are 2.4 waves, 172 us
// of 2 FLOPs x 8.6e9. Launched one by one, their 33.6 MB at 0.5 TB/s, 67 us, are not hidden; those
// of sums that are read and written in fp32, four times as many bytes, are 268 us. Narrow operands
// halve the weights, and leave sums.
TEST(ProductTime, ExpertsOneByOneDoNotHideTheirMatrices) {
  const GpuSpec gpu = plain_gpu();
  const double matrices = 8.0 * 1024 * 2048;
  Kernel forward = gemm(512, 2048, 1024, 8, 2);
  EXPECT_TRUE(near(bf16(gpu, forward).value, flops_at_peak(forward)));
  forward.apart = {2 * matrices};
  EXPECT_TRUE(near(bf16(gpu, forward).value, flops_at_peak(forward) + 2 * matrices / 0.5e12));

  const Bytes sums{8 * matrices};
  Kernel weights = gemm(1024, 2048, 512, 8, 2, sums);
  weights.apart = sums;
  weights.accumulates = true;
  EXPECT_TRUE(near(bf16(gpu, weights).value, flops_at_peak(weights) + sums.value / 0.5e12));

  EXPECT_EQ(narrowed(forward, 1).apart.value, matrices);
  EXPECT_EQ(narrowed(weights, 1).apart.value, sums.value);
}

// Heads of 128 and 8192 queries of 32 heads: 64 x 32 blocks on 108 multiprocessors, 18.96 each. A
// query attends to 4096 keys of at most 8192: of those a block takes 100 keys longer, and the last
// ones wait 2 x 0.5 x 4096 / 18.96 = 216 more. Heads of 128 are half as much slower as those of 64.
TEST(AttentionTime, RampTailAndNarrowHeads) {
  GpuSpec gpu = plain_gpu();
  gpu.attention[AttentionKind::Cudnn] =
      FusedAttention{.share = 0.6, .narrow = 0.4, .ramp = 100, .tail = 0.5, .backward = 0.75};
  const AttentionShape shape{AttentionKind::Cudnn, 32, 8192, 4096, 8192, 128, 128};
  const double flops = 4.0 * 32 * 8192 * 4096 * 128;
  const double share = 0.6 / 1.2 * 4096 / (4096 + 100 + 4096 / (64 * 32 / 108.0));
  const Kernel forward = attention_kernel(shape, false, {});
  const Kernel backward = attention_kernel(shape, true, {});
  EXPECT_EQ(forward.flops.value, flops);
  EXPECT_EQ(backward.flops.value, 2.5 * flops);
  EXPECT_TRUE(near(attention_time(gpu, forward, Precision::Bf16, Running::InStep).value,
                   flops / 100e12 / share));
  EXPECT_TRUE(near(attention_time(gpu, backward, Precision::Bf16, Running::InStep).value,
                   2.5 * flops / 100e12 / share / 0.75));
  // Never more than a third of the peak where it runs for long, backward three quarters of that.
  gpu.attention[AttentionKind::Cudnn]->sustained = 1 / 3.0;
  EXPECT_TRUE(near(attention_time(gpu, forward, Precision::Bf16, Running::Alone).value,
                   flops / 100e12 / share));
  EXPECT_TRUE(
      near(attention_time(gpu, forward, Precision::Bf16, Running::Long).value, flops / 100e12 * 3));
  EXPECT_TRUE(near(attention_time(gpu, backward, Precision::Bf16, Running::InStep).value,
                   2.5 * flops / 100e12 * 3 / 0.75));
  // Without a mask nobody waits; the usual kernel is another.
  const Kernel whole =
      attention_kernel({AttentionKind::Flash, 32, 8192, 8192, 8192, 128, 128}, false, {});
  EXPECT_TRUE(
      near(attention_time(gpu, whole, Precision::Bf16, Running::InStep).value, 2 * flops / 50e12));
}

// FlashAttention-1 computes heads of 80 and 96 as 128, those of 40 as 64.
TEST(AttentionTime, HeadsAreAsWideAsAKernel) {
  GpuSpec gpu = plain_gpu();
  gpu.attention[AttentionKind::Flash1] = FusedAttention{.share = 0.5, .narrow = -0.2, .ramp = 100};
  gpu.attention[AttentionKind::Cudnn] = gpu.attention[AttentionKind::Flash1];
  const auto time = [&](AttentionKind kind, double head) {
    const Kernel forward = attention_kernel({kind, 32, 8192, 4096, 8192, head, head}, false, {});
    return attention_time(gpu, forward, Precision::Bf16, Running::InStep);
  };
  using enum AttentionKind;
  using Pair = std::pair<double, double>;
  for (const auto& [head, as] : {Pair{80, 128}, Pair{96, 128}, Pair{128, 128}, Pair{40, 64}}) {
    EXPECT_TRUE(near(time(Flash1, head).value, time(Flash1, as).value)) << head;
  }
  EXPECT_LT(time(Cudnn, 80), time(Cudnn, 128));
}

// 1e9 FLOPs of attention: 1e9 / (100e12 x 0.5) = 20 us forward and 40 us backward, in fp8 too,
// which speeds up products only: 2 x 128 x 256 x 1024 x 108 FLOPs at 400e12 are 18.1 us.
TEST(KernelTimer, AttentionStaysInSixteenBits) {
  Kernel forward{.kind = KernelKind::AttentionForward, .flops = {1e9}, .m = 1, .n = 1, .k = 1};
  Kernel backward = forward;
  backward.kind = KernelKind::AttentionBackward;
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

// But cuDNN's in fp8: half of 400e12, whatever the step multiplies in.
TEST(KernelTimer, AttentionInEightBitsReachesTheirPeak) {
  GpuSpec gpu = plain_gpu();
  gpu.attention[AttentionKind::CudnnFp8] = *gpu.attention[AttentionKind::Flash2];
  const Kernel forward{.kind = KernelKind::AttentionForward,
                       .flops = {1e9},
                       .m = 1,
                       .n = 1,
                       .k = 1,
                       .attention = AttentionKind::CudnnFp8};
  for (const Precision precision : {Precision::Bf16, Precision::Fp8}) {
    EXPECT_TRUE(near(KernelTimer(gpu, precision).time({forward}).total().value, 7 * kUs));
  }
}

// 1 GB at 0.5 x 1 TB/s is 2 ms, and each launch 2 us: the optimizer's one, too.
TEST(KernelTimer, EveryKernelIsLaunched) {
  const KernelTimer timer(plain_gpu(), Precision::Bf16);
  const ComputeTime optimizer = timer.optimizer_time({1e9});
  EXPECT_TRUE(near(optimizer[ComputePart::Optimizer].value, 2e-3 + 2 * kUs));
  EXPECT_TRUE(near(optimizer.total().value, 2e-3 + 2 * kUs));
  const ComputeTime two = timer.time({memory_pass(1e9), memory_pass(1e9)});
  EXPECT_TRUE(near(two[ComputePart::Host].value, 4 * kUs));
  const ComputeTime eager = timer.time({memory_pass(1e9, PassKind::Stream, 8)});
  EXPECT_TRUE(near(eager[ComputePart::Host].value, 16 * kUs));
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

// With a host that launches experts one by one, the products of two experts of 1024 x 512 move
// their weights apart, and backward their sums of 4 bytes, read and written.
TEST(ProductTime, ExpertsAreApartWhereTheHostLaunchesThem) {
  const auto up_with = [](double us) {
    Workload w = testing::small_gpt(1);
    w.model.experts = {.count = 2, .per_token = 1, .ffn = 512};
    w.host.expert = {us * kUs};
    return operator_named(layer_of(w), kExpertUp);
  };
  const Operator up = up_with(33);
  const double matrices = 2.0 * 1024 * 512;
  EXPECT_EQ(up.forward[0].apart.value, 2 * matrices);
  EXPECT_EQ(up.input_gradient[0].apart.value, 2 * matrices);
  EXPECT_EQ(up.weight_gradient[0].apart.value, 8 * matrices);
  EXPECT_EQ(up_with(0).forward[0].apart, Bytes{});
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

// Softmax in single operators moves 32 and 34 bytes of a score more: where the user says so, where
// a sequence is longer than 2048, and where 4 does not divide sequences x heads of a rank.
TEST(Unfused, SoftmaxWhereOneKernelCannot) {
  Workload w = small_gpt();
  w.training.attention = AttentionKind::Unfused;
  w.model.positions = 4096;
  const auto scores_of = [](const Workload& of) {
    double bytes = 0;
    const Block layer = layer_of(of);
    for (const Kernel& kernel : operator_named(layer, "attention").forward) {
      bytes += kernel.kind == KernelKind::Memory ? kernel.bytes.value : 0;
    }
    const double s = of.training.sequence_length;
    return bytes / (of.training.micro_batch * of.model.heads * s * s);
  };
  EXPECT_EQ(scores_of(w), 4);
  w.training.unfused = {UnfusedPart::Softmax};
  EXPECT_EQ(scores_of(w), 4 + 32);
  w.training.unfused = {};
  w.training.sequence_length = 4096;
  EXPECT_EQ(scores_of(w), 4 + 32);
  w.training.sequence_length = 512;
  w.training.micro_batch = 1;
  w.model.heads = w.model.kv_heads = 2;
  w.model.head_dim = 512;
  EXPECT_EQ(scores_of(w), 4 + 32);
}

// Heads of 108 have rows of 216 bytes, no multiple of 16; those of 104 have.
TEST(Unfused, HeadsOfNoWholeRowsAreSlow) {
  Workload w = small_gpt();
  w.training.attention = AttentionKind::Unfused;
  for (const auto& [dim, aligned] : {std::pair(108, false), {104, true}, {64, true}}) {
    w.model.head_dim = dim;
    const Block layer = layer_of(w);
    for (const Kernel& kernel : operator_named(layer, "attention").forward) {
      EXPECT_TRUE(kernel.kind == KernelKind::Memory || kernel.aligned == aligned) << dim;
    }
  }
}

// T = 1024 tokens, h = 1024, four key-value heads of 64: output and its gradient are copied, 4 T h
// bytes each, and the gradients of queries, keys and values joined, 4 T (h + 2 x 256). Gradients of
// biases read what they sum, 2 T out. A sum of its own reads and writes fp32 and reads 16 bits, 10
// bytes a parameter, and its product no longer moves 8 of them.
TEST(Unfused, CopiesBiasesAndSums) {
  Workload w = small_gpt();
  w.model.kv_heads = 4;
  w.model.positions = 512;
  const double t = 1024, h = 1024, kv = 256;
  const auto memory_of = [](const std::vector<Kernel>& kernels) {
    double bytes = 0;
    for (const Kernel& kernel : kernels) {
      bytes += kernel.kind == KernelKind::Memory ? kernel.bytes.value : 0;
    }
    return bytes;
  };
  w.training.unfused = {UnfusedPart::Copies, UnfusedPart::Biases};
  const Block apart = layer_of(w);
  EXPECT_EQ(memory_of(operator_named(apart, "attention").forward), 4 * t * h);
  EXPECT_EQ(memory_of(operator_named(apart, "attention").input_gradient),
            4 * t * h + 4 * t * (h + 2 * kv));
  EXPECT_EQ(memory_of(operator_named(apart, "QKV").weight_gradient), 2 * t * (h + 2 * kv));
  EXPECT_EQ(memory_of(operator_named(apart, "MLP up").weight_gradient), 2 * t * 4096);
  w.training.unfused = {};
  const double fused = operator_named(layer_of(w), "MLP up").weight_gradient[0].bytes.value;
  w.training.accumulates_apart = true;
  const Block sums = layer_of(w);
  const Operator& up = operator_named(sums, "MLP up");
  ASSERT_EQ(up.weight_gradient.size(), 2U);
  EXPECT_EQ(up.weight_gradient[0].bytes.value, fused - 8 * h * 4096);
  EXPECT_EQ(up.weight_gradient[1].bytes.value, 10 * h * 4096);
}

// T h values of 16 bits, 4 T h bytes read and written: behind what QKV gathers, and where its
// gradient is scattered; before the projection's output is, and behind its gradient. QKV's weight
// gradient needs the input once more unless it was kept. In 8 bits inputs are gathered so. What is
// summed is not copied.
TEST(Unfused, GathersAlongTheSequence) {
  Workload w = small_gpt();
  w.parallelism.tensor = 4;
  w.parallelism.sequence = true;
  const auto copies = [&](const char* name, Kernels Operator::*which) {
    const auto bytes = [&] {
      double sum = 0;
      const Block layer = layer_of(w);
      for (const Kernel& kernel : operator_named(layer, name).*which) {
        sum += kernel.kind == KernelKind::Memory ? kernel.bytes.value : 0;
      }
      return sum;
    };
    w.training.unfused = {};
    const double fused = bytes();
    w.training.unfused = {UnfusedPart::Gathers};
    return (bytes() - fused) / (1024.0 * 1024);  // of T h
  };
  EXPECT_EQ(copies("QKV", &Operator::forward), 4);
  EXPECT_EQ(copies("QKV", &Operator::input_gradient), 4);
  EXPECT_EQ(copies("QKV", &Operator::weight_gradient), 4);
  EXPECT_EQ(copies("projection", &Operator::forward), 4);
  EXPECT_EQ(copies("projection", &Operator::input_gradient), 4);
  EXPECT_EQ(copies("projection", &Operator::weight_gradient), 0);
  w.parallelism.tensor_inputs = TensorInputs::Each;
  EXPECT_EQ(copies("QKV", &Operator::forward), 3 * 4);
  EXPECT_EQ(copies("QKV", &Operator::input_gradient), 3 * 4);
  EXPECT_EQ(copies("QKV", &Operator::weight_gradient), 0);
  w.training.precision = Precision::Fp8;
  EXPECT_EQ(copies("QKV", &Operator::forward), 3 * 2);
  EXPECT_EQ(copies("QKV", &Operator::input_gradient), 3 * 4);
  w.parallelism.sequence = false;
  EXPECT_EQ(copies("QKV", &Operator::input_gradient), 0);
}

// PyTorch's operators, bytes of a value of 16 bits: RMSNorm 55 and 120, rotary 66 and 72, SwiGLU 10
// and 18, the loss 40 and 14 of a logit. A LayerNorm is one kernel there, too.
TEST(Unfused, SingleOperators) {
  Workload w = small_gpt();
  w.model.positions = 0;
  w.model.gated_mlp = true;
  w.training.unfused = {UnfusedPart::Norm, UnfusedPart::Positions, UnfusedPart::Activation,
                        UnfusedPart::Loss};
  const double t = 1024, h = 1024;
  EXPECT_EQ(operator_named(layer_of(w), "norm").forward[0].bytes.value, 4 * t * h);
  w.model.norm = Norm::RmsNorm;
  const Block layer = layer_of(w);
  const auto expect = [](const Kernel& kernel, double bytes) {
    EXPECT_TRUE(near(kernel.bytes.value, bytes));
    EXPECT_EQ(kernel.pass, PassKind::Stream);
    EXPECT_GT(kernel.launches, 1);
  };
  expect(operator_named(layer, "norm").forward[0], 55 * t * h);
  expect(operator_named(layer, "norm").input_gradient[0], 120 * t * h);
  expect(operator_named(layer, "attention").forward.front(), 66 * t * 2 * h);
  expect(operator_named(layer, "attention").input_gradient.back(), 72 * t * 2 * h);
  expect(operator_named(layer, "activation").forward[0], 10 * t * 4096);
  expect(operator_named(layer, "activation").input_gradient[0], 18 * t * 4096);
  expect(operator_named(build_model(w).head, "loss").forward[0], 40 * t * 4096);
  EXPECT_EQ(operator_named(build_model(w).head, "loss").input_gradient[0].bytes.value,
            14 * t * 4096);
}

// What GPT-NeoX does, of values of 16 bits: a quarter of what positions move, and 4 and 14 bytes to
// cut it off and join it; queries, keys and values read and written twice before a fused kernel;
// biases behind attention and MLP added, 4 bytes, which products of columns do within.
TEST(Unfused, PartialPositionsPackingAndAddedBiases) {
  Workload w = small_gpt();
  w.model.positions = 0;
  w.training.attention = AttentionKind::Flash;
  w.training.unfused = {UnfusedPart::PartialPositions, UnfusedPart::Packing,
                        UnfusedPart::AddedBiases};
  const double t = 1024, h = 1024;
  const Block layer = layer_of(w);
  const Operator& attention = operator_named(layer, "attention");
  ASSERT_EQ(attention.forward.size(), 3U);
  EXPECT_TRUE(near(attention.forward[0].bytes.value, (66 / 4.0 + 4) * t * 2 * h));
  EXPECT_EQ(attention.forward[1].bytes.value, 8 * t * 3 * h);
  EXPECT_TRUE(near(attention.input_gradient.back().bytes.value, (72 / 4.0 + 14) * t * 2 * h));
  for (const char* name : {"projection", "MLP down"}) {
    EXPECT_EQ(operator_named(layer, name).forward.back().bytes.value, 4 * t * h) << name;
  }
  for (const char* name : {"QKV", "MLP up"}) {
    EXPECT_EQ(operator_named(layer, name).forward.size(), 1U) << name;
  }
  w.training.attention = AttentionKind::Unfused;
  w.training.unfused = {UnfusedPart::Packing};
  const std::size_t unpacked = operator_named(layer_of(w), "attention").forward.size();
  w.training.unfused = {};
  EXPECT_EQ(operator_named(layer_of(w), "attention").forward.size(), unpacked);
}

// A loss that somebody asks for is that one, whatever the framework does to one in place.
TEST(Unfused, ALossInPlaceAlone) {
  struct Row {
    Loss loss;
    double whole, split;  // bytes of a logit both ways
  };
  for (const auto& [loss, whole, split] :
       {Row{Loss::InPlace, 18 + 6, 40 + 14}, Row{Loss::Eager, 40 + 14, 40 + 14},
        Row{Loss::Sharded, 40 + 14, 40 + 14}, Row{Loss::Fused, 8 + 4, 8 + 4},
        Row{Loss::FusedWide, 22 + 6, 22 + 6}}) {
    Workload w = small_gpt();
    w.training.loss = loss;
    const auto moved = [&w] {
      const Operator op = operator_named(build_model(w).head, "loss");
      return (op.forward[0].bytes + op.input_gradient[0].bytes).value / (1024.0 * 4096);
    };
    EXPECT_EQ(moved(), whole);
    w.training.unfused = {UnfusedPart::Loss};
    EXPECT_EQ(moved(), split);
  }
}

}  // namespace
}  // namespace danlu
