#include "sim/workload/kernels.hpp"

#include <algorithm>
#include <cmath>

#include "sim/base/error.hpp"
#include "sim/workload/kernel_models.hpp"

namespace danlu {
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
          .batch = batch,
          .operand = element};
}

bool whole_rows(double bytes) {
  constexpr double kRow = 16;
  return std::fmod(bytes, kRow) == 0;
}

Kernel memory_pass(double bytes, PassKind pass, int launches) {
  return {.kind = KernelKind::Memory, .bytes = {bytes}, .pass = pass, .launches = launches};
}

Kernel attention_kernel(const AttentionShape& shape, bool backward, Bytes moved) {
  const double dims =
      backward ? 3 * shape.key_dim + 2 * shape.value_dim : shape.key_dim + shape.value_dim;
  const Flops flops{2 * shape.heads * shape.queries * shape.keys * dims};
  return {.kind = backward ? KernelKind::AttentionBackward : KernelKind::AttentionForward,
          .flops = flops,
          .model_flops = flops,
          .bytes = moved,
          .m = shape.queries,
          .n = shape.keys,
          .k = (shape.key_dim + shape.value_dim) / 2,
          .batch = shape.heads,
          .most = shape.most,
          .attention = shape.kind};
}

Kernel narrowed(Kernel product, double operand) {
  const double elements = product.batch * (product.m * product.k + product.k * product.n);
  product.bytes -= Bytes{(product.operand - operand) * elements};
  if (!product.accumulates && product.apart > Bytes{}) {
    product.apart = (operand / product.operand) * product.apart;
  }
  product.operand = operand;
  product.width = KernelWidth::Narrow;
  for (Kernel& fullest : product.fullest) {
    fullest = narrowed(fullest, operand);
  }
  return product;
}

Kernel piece_of(const Kernel& kernel, int pieces) {
  Kernel piece = kernel;
  const Bytes shared{kernel.operand * kernel.batch * kernel.k * kernel.n};
  piece.bytes = (kernel.bytes - shared) / pieces + shared;
  piece.m = kernel.m / pieces;
  piece.flops = kernel.flops / pieces;
  piece.model_flops = kernel.model_flops / pieces;
  for (Kernel& fullest : piece.fullest) {
    fullest = piece_of(fullest, pieces);
  }
  return piece;
}

Seconds ComputeTime::total() const {
  Seconds sum;
  for (const Seconds part : parts) {
    sum += part;
  }
  return sum;
}

ComputeTime& ComputeTime::add(const ComputeTime& other, double times) {
  for (const ComputePart part : parts.ids()) {
    parts[part] += times * other.parts[part];
  }
  model_flops += times * other.model_flops;
  hardware_flops += times * other.hardware_flops;
  memory += times * other.memory;
  passing += times * other.passing;
  return *this;
}

ComputeTime slowed(const ComputeTime& time, double factor) {
  ComputeTime slow = time;
  for (Seconds& part : slow.parts) {
    part = part * factor;
  }
  slow[ComputePart::Useful] = time[ComputePart::Useful];
  slow[ComputePart::GemmInefficiency] += (factor - 1) * time[ComputePart::Useful];
  slow.passing = time.passing * factor;
  return slow;
}

KernelTimer::KernelTimer(const GpuSpec& gpu, Precision precision, Running running)
    : gpu_(gpu),
      precision_(precision),
      wide_(is_narrow(precision) ? Precision::Bf16 : precision),
      running_(running) {
  check(gpu.peak(precision_) && gpu.peak(wide_), "the GPU lacks the precision asked for");
  peak_ = *gpu.peak(precision_);
}

Seconds KernelTimer::busy(const Kernel& kernel) const {
  const Precision precision = precision_of(kernel);
  switch (kernel.kind) {
    case KernelKind::Gemm:
      return product_time(gpu_, kernel, precision, running_);
    case KernelKind::AttentionForward:
    case KernelKind::AttentionBackward:
      return attention_time(gpu_, kernel, precision, running_);
    case KernelKind::Memory:
      break;
  }
  return kernel.bytes / (gpu_.memory_bandwidth * gpu_.memory_efficiency * gpu_.pace[kernel.pass]);
}

ComputeTime KernelTimer::time(const std::vector<Kernel>& kernels) const {
  ComputeTime time;
  for (const Kernel& kernel : kernels) {
    const Seconds useful = kernel.model_flops / peak_;
    const Seconds rest = busy(kernel) - useful;
    time[ComputePart::Useful] += useful;
    time[ComputePart::Host] += kernel.launches * gpu_.kernel_launch;
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
        time.passing += rest;
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
  again.passing = forward.passing;
  return again;
}

ComputeTime KernelTimer::optimizer_time(Bytes bytes, const std::vector<Repeated>& products) const {
  ComputeTime time{.memory = bytes};
  time[ComputePart::Optimizer] =
      bytes / (gpu_.memory_bandwidth * gpu_.memory_efficiency) + gpu_.kernel_launch;
  time.passing = time[ComputePart::Optimizer];
  for (const auto& [kernel, times] : products) {
    time[ComputePart::Optimizer] += times * (busy(kernel) + gpu_.kernel_launch);
    time.hardware_flops += times * kernel.flops;
    time.memory += times * kernel.bytes;
  }
  return time;
}

}  // namespace danlu
