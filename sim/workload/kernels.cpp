#include "sim/workload/kernels.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

/// A tile that one multiprocessor computes, and its speed relative to the largest.
struct Tile {
  double m, n, speed;
};
constexpr std::array kTiles{Tile{128, 256, 1}, Tile{256, 128, 1}, Tile{128, 128, 0.97},
                            Tile{128, 64, 0.85}, Tile{64, 64, 0.7}};

/// Share of work that is not padding: tiles overhang the matrix, the last wave is not full.
double quantisation(const Tile& tile, double m, double n, double batch, double multiprocessors) {
  const double rows = std::ceil(m / tile.m);
  const double columns = std::ceil(n / tile.n);
  const double tiles = rows * columns * batch;
  const double filled = (m / (rows * tile.m)) * (n / (columns * tile.n));
  const double waves = std::ceil(tiles / multiprocessors);
  return tile.speed * filled * tiles / (waves * multiprocessors);
}

}  // namespace

double element_bytes(Precision precision) {
  return precision == Precision::Fp32 || precision == Precision::Tf32 ? 4 : 2;
}

Kernel gemm(double m, double n, double k, double batch, double element, Bytes extra) {
  const Flops flops{2 * m * n * k * batch};
  return {.kind = KernelKind::Gemm,
          .flops = flops,
          .model_flops = flops,
          .bytes = Bytes{element * batch * (m * k + k * n + m * n)} + extra,
          .m = m,
          .n = n,
          .k = k,
          .batch = batch};
}

Kernel memory_pass(double bytes) {
  return {.kind = KernelKind::Memory, .bytes = {bytes}};
}

Seconds ComputeTime::total() const {
  Seconds sum;
  for (const Seconds part : parts) {
    sum += part;
  }
  return sum;
}

ComputeTime& ComputeTime::operator+=(const ComputeTime& other) {
  for (const ComputePart part : parts.ids()) {
    parts[part] += other.parts[part];
  }
  model_flops += other.model_flops;
  hardware_flops += other.hardware_flops;
  memory += other.memory;
  return *this;
}

ComputeTime slowed(const ComputeTime& time, double factor) {
  ComputeTime slow = time;
  for (Seconds& part : slow.parts) {
    part = part * factor;
  }
  slow[ComputePart::Useful] = time[ComputePart::Useful];
  slow[ComputePart::GemmInefficiency] += (factor - 1) * time[ComputePart::Useful];
  return slow;
}

double gemm_efficiency(const GpuSpec& gpu, double m, double n, double k, double batch) {
  double best = 0;
  for (const Tile& tile : kTiles) {
    best = std::max(best, quantisation(tile, m, n, batch, gpu.multiprocessors));
  }
  return gpu.gemm_efficiency * best * k / (k + gpu.gemm_half_k);
}

KernelTimer::KernelTimer(const GpuSpec& gpu, Precision precision) : gpu_(gpu) {
  check(gpu.peak(precision).has_value(), "the GPU lacks the precision asked for");
  peak_ = *gpu.peak(precision);
  const bool narrow = precision == Precision::Fp8;
  attention_peak_ = narrow ? gpu.peak(Precision::Bf16).value_or(peak_) : peak_;
}

Seconds KernelTimer::busy(const Kernel& kernel) const {
  const Seconds memory = kernel.bytes / (gpu_.memory_bandwidth * gpu_.memory_efficiency);
  switch (kernel.kind) {
    case KernelKind::Memory:
      return memory;
    case KernelKind::Gemm: {
      const double efficiency = gemm_efficiency(gpu_, kernel.m, kernel.n, kernel.k, kernel.batch);
      return std::max(kernel.flops / (peak_ * efficiency), memory);
    }
    case KernelKind::AttentionForward:
      return std::max(kernel.flops / (attention_peak_ * gpu_.attention_forward_efficiency), memory);
    case KernelKind::AttentionBackward:
      return std::max(kernel.flops / (attention_peak_ * gpu_.attention_backward_efficiency),
                      memory);
  }
  return memory;
}

ComputeTime KernelTimer::time(const std::vector<Kernel>& kernels) const {
  ComputeTime time;
  for (const Kernel& kernel : kernels) {
    const Seconds useful = kernel.model_flops / peak_;
    const Seconds rest = busy(kernel) - useful;
    time[ComputePart::Useful] += useful;
    time[ComputePart::Host] += gpu_.kernel_launch;
    for (const Kernel& fullest : kernel.fullest) {
      time[ComputePart::Wait] += std::max(Seconds{}, busy(fullest) - busy(kernel));
    }
    switch (kernel.kind) {
      case KernelKind::Gemm:
        time[ComputePart::GemmInefficiency] += rest;
        break;
      case KernelKind::AttentionForward:
      case KernelKind::AttentionBackward:
        time[ComputePart::AttentionInefficiency] += rest;
        break;
      case KernelKind::Memory:
        time[ComputePart::MemoryBound] += rest;
        break;
    }
    time.model_flops += kernel.model_flops;
    time.hardware_flops += kernel.flops;
    time.memory += kernel.bytes;
  }
  return time;
}

ComputeTime KernelTimer::recompute_time(const std::vector<Kernel>& kernels) const {
  const ComputeTime forward = time(kernels);
  ComputeTime again;
  again[ComputePart::Recomputation] = forward.total();
  again.hardware_flops = forward.hardware_flops;
  again.memory = forward.memory;
  return again;
}

ComputeTime KernelTimer::optimizer_time(Bytes bytes) const {
  ComputeTime time{.memory = bytes};
  time[ComputePart::Optimizer] =
      bytes / (gpu_.memory_bandwidth * gpu_.memory_efficiency) + gpu_.kernel_launch;
  return time;
}

}  // namespace danlu
