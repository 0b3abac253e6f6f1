#include "sim/workload/kernel_models.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

constexpr std::array kSides{256.0, 128.0, 64.0, 32.0, 16.0};  // of a tile
constexpr double kMostInTile = 128 * 256;
constexpr double kMostSplits = 8;
constexpr double kSumBytes = 8;  // of a part of a split sum: written and read in fp32

/// How much longer a tile takes than its FLOPs, over one of 128 x 256.
double edge_loss(double edge, double rows, double columns) {
  return (1 + edge * (1 / rows + 1 / columns)) / (1 + edge * (1.0 / 128 + 1.0 / 256));
}

/// The fastest way of cutting a product into tiles, alone and before memory and power.
Seconds tiled_time(const GpuSpec& gpu, const Kernel& product, Precision precision) {
  const double slow = product.aligned ? 1 : gpu.gemm_unaligned;
  const FlopsPerSecond each =
      *gpu.peak(precision) * gpu.in(gpu.gemm_efficiency, precision) * slow / gpu.multiprocessors;
  const double prologue =
      product.operand > 0 ? gpu.gemm_prologue.value / product.operand : gpu.gemm_prologue.value;
  const Seconds sums = Bytes{kSumBytes * product.m * product.n * product.batch} /
                       (gpu.memory_bandwidth * gpu.memory_efficiency);
  // What its FLOPs take, without padding and idle multiprocessors: no cut is faster than that times
  // its edge loss.
  const Seconds filled = Flops{2 * product.m * product.n * (product.k + prologue) * product.batch} /
                         (gpu.multiprocessors * each);
  Seconds least{std::numeric_limits<double>::infinity()};
  for (const double rows : kSides) {
    for (const double columns : kSides) {
      const double loss = edge_loss(gpu.gemm_edge, rows, columns);
      if (rows * columns > kMostInTile || loss * filled >= least) {
        continue;
      }
      const double tiles =
          std::ceil(product.m / rows) * std::ceil(product.n / columns) * product.batch;
      const double flops = 2 * rows * columns * loss;
      for (double splits = 1; splits <= kMostSplits; splits *= 2) {
        const double waves = tiles * splits / gpu.multiprocessors;
        const Seconds time =
            Flops{flops * (product.k / splits + prologue)} / each * std::max(1.0, waves) +
            (splits > 1 ? splits * sums : Seconds{});
        least = std::min(least, time);
        if (waves >= 1) {
          break;
        }
      }
    }
  }
  return least;
}

}  // namespace

Seconds product_time(const GpuSpec& gpu, const Kernel& product, Precision precision,
                     Running running) {
  Seconds computing = tiled_time(gpu, product, precision);
  if (running != Running::Alone) {
    const FlopsPerSecond most = *gpu.peak(precision) * gpu.in(gpu.gemm_sustained, precision);
    computing = std::max(computing, product.flops / most);
  }
  if (running == Running::InStep) {
    const double kept = precision == Precision::Fp16 ? gpu.gemm_fp16 : 1;
    computing = computing / (kept * gpu.in(gpu.gemm_in_step, precision));
  }
  const BytesPerSecond bandwidth = gpu.memory_bandwidth * gpu.memory_efficiency;
  return gpu.gemm_start + std::max(computing, (product.bytes - product.apart) / bandwidth) +
         product.apart / bandwidth;
}

namespace {

/// A head as wide as the kernel computes it.
double computed_head(const Kernel& attention) {
  constexpr std::array kFlash1{32.0, 64.0, 128.0};
  if (attention.attention == AttentionKind::Flash1) {
    for (const double width : kFlash1) {
      if (attention.k <= width) {
        return width;
      }
    }
  }
  return attention.k;
}

}  // namespace

Seconds attention_time(const GpuSpec& gpu, const Kernel& attention, Precision precision,
                       Running running) {
  constexpr double kBlock = 128;  // queries
  constexpr double kNarrow = 64;  // of a head
  const FusedAttention* fused = gpu.fused(attention.attention);
  check(fused != nullptr, "the GPU lacks the attention asked for");
  const double blocks = std::ceil(attention.m / kBlock) * attention.batch / gpu.multiprocessors;
  const double lost =
      fused->ramp + 2 * fused->tail * std::max(0.0, attention.most - attention.n) / blocks;
  const double head = computed_head(attention);
  const Flops flops = attention.flops * (head / attention.k);
  double share = fused->share / (1 + fused->narrow * kNarrow / head) / (1 + lost / attention.n);
  if (running != Running::Alone) {
    share = std::min(share, fused->sustained);
  }
  share *= attention.kind == KernelKind::AttentionBackward ? fused->backward : 1;
  const FlopsPerSecond peak = *gpu.peak(precision_of(attention.attention, precision));
  return std::max(flops / (peak * share),
                  attention.bytes / (gpu.memory_bandwidth * gpu.memory_efficiency));
}

}  // namespace danlu
