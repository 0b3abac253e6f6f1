// Compute time comes from kernels. A kernel is a matrix product (M, N, K, how many of them), a
// fused attention, or a pass over memory, and takes, by the roofline,
//
//   time = max( FLOPs / (dense peak * efficiency(shape)), bytes / achieved HBM bandwidth ) + launch
//
// Efficiency of a product: the device's asymptote, times tile and wave quantisation on its
// multiprocessors, times a ramp K/(K + half_k) for the prologue of the main loop. The constants are
// the device's (topologies/gpus/*.yaml), calibrated on kernel measurements, never on training runs.
#pragma once

#include <array>
#include <vector>

#include "sim/base/id_vector.hpp"
#include "sim/base/names.hpp"
#include "sim/base/units.hpp"
#include "sim/cluster/gpu_spec.hpp"

namespace danlu {

enum class KernelKind { Gemm, AttentionForward, AttentionBackward, Memory };
template <>
inline constexpr auto kNames<KernelKind> =
    std::to_array<Named<KernelKind>>({{KernelKind::Gemm, "gemm"},
                                      {KernelKind::AttentionForward, "attention-forward"},
                                      {KernelKind::AttentionBackward, "attention-backward"},
                                      {KernelKind::Memory, "memory"}});

struct Kernel {
  KernelKind kind = KernelKind::Memory;
  Flops flops;        // really executed
  Flops model_flops;  // of those, counted as the model's (attention counts its full square)
  Bytes bytes;        // moved to and from HBM
  double m = 0, n = 0, k = 0, batch = 1;  // Gemm only
  std::vector<Kernel> fullest{};  // what another rank computes meanwhile, for which this one waits
  bool operator==(const Kernel&) const = default;
};

/// Bytes of an activation or weight: 4 in fp32 and tf32, else 2 (fp8 products still store 16 bits).
double element_bytes(Precision precision);

/// A product C[m,n] = A[m,k] B[k,n] of elements of `element` bytes, `batch` of them; `extra` bytes
/// beside its operands (gradient accumulation, say). All its FLOPs are the model's.
Kernel gemm(double m, double n, double k, double batch, double element, Bytes extra = {});
/// A pass over memory.
Kernel memory_pass(double bytes);

/// What a second of compute was for; the parts of a duration add up to it.
enum class ComputePart {
  Useful,                 // model FLOPs at the dense peak
  GemmInefficiency,       // the rest of matrix products
  AttentionInefficiency,  // the rest of fused attention; below zero where a causal kernel skips
                          // more of the counted square than it loses
  MemoryBound,            // norms, activations, softmax, dropout, residuals
  Recomputation,          // forward work done again in backward
  Optimizer,
  Host,  // launch gaps
  Wait,  // for the rank with most tokens
};
template <>
inline constexpr auto kNames<ComputePart> =
    std::to_array<Named<ComputePart>>({{ComputePart::Useful, "useful"},
                                       {ComputePart::GemmInefficiency, "gemm"},
                                       {ComputePart::AttentionInefficiency, "attention"},
                                       {ComputePart::MemoryBound, "memory"},
                                       {ComputePart::Recomputation, "recomputation"},
                                       {ComputePart::Optimizer, "optimizer"},
                                       {ComputePart::Host, "host"},
                                       {ComputePart::Wait, "wait"}});
inline constexpr std::size_t kComputeParts = kNames<ComputePart>.size();

/// A duration by what it was for, and the FLOPs and bytes in it.
struct ComputeTime {
  IdArray<ComputePart, Seconds, kComputeParts> parts{};
  Flops model_flops;
  Flops hardware_flops;  // really executed, recomputed ones too
  Bytes memory;          // moved to and from HBM, by what is recomputed too

  Seconds total() const;
  Seconds& operator[](ComputePart part) { return parts[part]; }
  Seconds operator[](ComputePart part) const { return parts[part]; }
  ComputeTime& operator+=(const ComputeTime& other);
};

/// The same on a GPU whose kernels take `factor` times as long. What useful FLOPs take at the dense
/// peak stays; the time that they lose counts as inefficiency of products.
ComputeTime slowed(const ComputeTime& time, double factor);

/// Share of the dense peak that a product reaches, 0 to 1, before memory is considered.
double gemm_efficiency(const GpuSpec& gpu, double m, double n, double k, double batch);

/// Kernel times on one kind of GPU in one precision. fp8 speeds up products only; fused attention
/// stays in 16 bits.
class KernelTimer {
 public:
  /// The GPU has `precision` (checked by the reader).
  KernelTimer(const GpuSpec& gpu, Precision precision);

  /// The kernels one after the other.
  ComputeTime time(const std::vector<Kernel>& kernels) const;
  /// The same, all of it done again for a backward pass.
  ComputeTime recompute_time(const std::vector<Kernel>& kernels) const;
  /// An optimizer pass over `bytes` of memory.
  ComputeTime optimizer_time(Bytes bytes) const;

  FlopsPerSecond peak() const { return peak_; }

 private:
  Seconds busy(const Kernel& kernel) const;

  GpuSpec gpu_;
  FlopsPerSecond peak_;
  FlopsPerSecond attention_peak_;
};

}  // namespace danlu
