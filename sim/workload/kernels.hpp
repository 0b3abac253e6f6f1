// Compute time comes from kernels. A kernel is a matrix product (M, N, K, how many of them), a
// fused attention, or a pass over memory. What it takes on a GPU says kernel_models.hpp: by the
// roofline, the longer of computing, in the precision that it computes in, and moving its bytes;
// and its launches.
#pragma once

#include <array>
#include <vector>

#include "sim/base/id_vector.hpp"
#include "sim/base/names.hpp"
#include "sim/base/units.hpp"
#include "sim/cluster/gpu_spec.hpp"
#include "sim/workload/contention.hpp"

namespace danlu {

enum class KernelKind { Gemm, AttentionForward, AttentionBackward, Memory };
template <>
inline constexpr auto kNames<KernelKind> =
    std::to_array<Named<KernelKind>>({{KernelKind::Gemm, "gemm"},
                                      {KernelKind::AttentionForward, "attention-forward"},
                                      {KernelKind::AttentionBackward, "attention-backward"},
                                      {KernelKind::Memory, "memory"}});

/// In which precision a product is: that of a step's kernels; of its products, where that is below
/// 16 bits; fp32, whatever others are in.
enum class KernelWidth { Usual, Narrow, Full };
template <>
inline constexpr auto kNames<KernelWidth> = std::to_array<Named<KernelWidth>>(
    {{KernelWidth::Usual, "usual"}, {KernelWidth::Narrow, "narrow"}, {KernelWidth::Full, "full"}});

struct Kernel {
  KernelKind kind = KernelKind::Memory;
  Flops flops;        // really executed
  Flops model_flops;  // of those, counted as the model's (attention counts its full square)
  Bytes bytes;        // moved to and from HBM
  PassKind pass = PassKind::Stream;  // of Memory
  int launches = 1;                  // of how many kernels it stands for
  double products = 1;               // of how many experts it is
  Bytes apart{};  // of its bytes, those of experts' matrices: products launched one by one move
                  // them before or after they compute, not meanwhile
  bool accumulates = false;               // and those are sums of gradients, else weights
  double m = 0, n = 0, k = 0, batch = 1;  // of Gemm; of attention see attention_kernel()
  double most = 0;                        // of attention: keys that one query attends to at most
  AttentionKind attention = AttentionKind::Flash;
  double operand = 0;   // of Gemm, as all below: bytes of an element of A and B
  bool aligned = true;  // rows of its operands are multiples of 16 bytes
  KernelWidth width = KernelWidth::Usual;
  std::vector<Kernel> fullest{};  // what another rank computes meanwhile, for which this one waits
  bool operator==(const Kernel&) const = default;
};

/// A kernel as often as it runs; it may be a share of a number.
struct Repeated {
  Kernel kernel;
  double times = 1;
  bool operator==(const Repeated&) const = default;
};

/// Bytes of an activation or weight outside of products: 4 in fp32 and tf32, else 2.
double element_bytes(Precision precision);

/// A product C[m,n] = A[m,k] B[k,n] of elements of `element` bytes, `batch` of them; `extra` bytes
/// beside its operands (gradient accumulation, say). All its FLOPs are the model's.
Kernel gemm(double m, double n, double k, double batch, double element, Bytes extra = {});
/// Whether rows of so many bytes are what cuBLAS' fast kernels take: a multiple of 16.
bool whole_rows(double bytes);
/// A pass over memory, of one kernel or several.
Kernel memory_pass(double bytes, PassKind pass = PassKind::Stream, int launches = 1);

/// What one fused attention does: `heads` of all sequences, each of `queries`, each of which
/// attends to `keys` on average and `most` at most, with heads of `key_dim` and `value_dim`.
struct AttentionShape {
  AttentionKind kind = AttentionKind::Flash;
  double heads = 1, queries = 0, keys = 0, most = 0, key_dim = 0, value_dim = 0;
};
/// Its kernel, whose FLOPs all are the model's: two products forward, five backward, where the
/// scores are made once more.
Kernel attention_kernel(const AttentionShape& shape, bool backward, Bytes moved);
/// A product in the precision of products, with operands of `operand` bytes; its output stays as
/// wide as it was.
Kernel narrowed(Kernel product, double operand);
/// One of `pieces` of a kernel whose rows (m) are cut.
Kernel piece_of(const Kernel& kernel, int pieces);

/// What a second of compute was for; the parts of a duration add up to it.
enum class ComputePart {
  Useful,                 // model FLOPs at the dense peak
  GemmInefficiency,       // the rest of matrix products
  AttentionInefficiency,  // the rest of fused attention; below zero where a causal kernel skips
                          // more of the counted square than it loses
  MemoryBound,            // norms, activations, softmax, dropout, residuals
  Recomputation,          // forward work done again in backward
  Optimizer,
  Host,        // launch gaps
  Wait,        // for the rank with most tokens
  Contention,  // with collectives that run beside it
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
                                       {ComputePart::Wait, "wait"},
                                       {ComputePart::Contention, "contention"}});
inline constexpr std::size_t kComputeParts = kNames<ComputePart>.size();

/// A duration by what it was for, and the FLOPs and bytes in it.
struct ComputeTime {
  IdArray<ComputePart, Seconds, kComputeParts> parts{};
  Flops model_flops;
  Flops hardware_flops;  // really executed, recomputed ones too
  Bytes memory;          // moved to and from HBM, by what is recomputed too
  Seconds passing;       // of the total: what passes over memory take

  Seconds total() const;
  Bounds bounds() const { return {total() - passing, passing}; }
  Seconds& operator[](ComputePart part) { return parts[part]; }
  Seconds operator[](ComputePart part) const { return parts[part]; }
  ComputeTime& operator+=(const ComputeTime& other) { return add(other, 1); }
  ComputeTime& add(const ComputeTime& other, double times);
  bool operator==(const ComputeTime&) const = default;
};

/// The same on a GPU whose kernels take `factor` times as long. What useful FLOPs take at the dense
/// peak stays; the time that they lose counts as inefficiency of products.
ComputeTime slowed(const ComputeTime& time, double factor);

/// Where a kernel runs: within a step; by itself again and again, as in a benchmark that warms up;
/// by itself for a moment, before the power limit slows it down.
enum class Running { InStep, Long, Alone };

/// Kernel times on one kind of GPU. Below 16 bits `precision` is that of narrow kernels, and all
/// others compute in bf16 but those in full (fp32). What is useful is counted at the peak of
/// `precision`.
class KernelTimer {
 public:
  /// The GPU has `precision` (checked by the reader).
  KernelTimer(const GpuSpec& gpu, Precision precision, Running running = Running::InStep);

  /// The kernels one after the other.
  ComputeTime time(const std::vector<Kernel>& kernels) const;
  /// The same, all of it done again for a backward pass.
  ComputeTime recompute_time(const std::vector<Kernel>& kernels) const;
  /// An optimizer pass over `bytes` of memory, and products of its own.
  ComputeTime optimizer_time(Bytes bytes, const std::vector<Repeated>& products = {}) const;

  FlopsPerSecond peak() const { return peak_; }

 private:
  Seconds busy(const Kernel& kernel) const;

  Precision precision_of(const Kernel& kernel) const {
    switch (kernel.width) {
      case KernelWidth::Full:
        return Precision::Fp32;
      case KernelWidth::Narrow:
        return precision_;
      case KernelWidth::Usual:
        break;
    }
    return wide_;
  }

  GpuSpec gpu_;
  Precision precision_;
  Precision wide_;  // of kernels that are not narrow
  Running running_;
  FlopsPerSecond peak_;
};

}  // namespace danlu
