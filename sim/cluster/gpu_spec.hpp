// What one GPU can do. Peaks are dense (the famous 1979 TFLOP/s of an H100 counts 2:4 sparsity; its
// dense bf16 peak is 989), bandwidths are per direction.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "sim/base/id_vector.hpp"
#include "sim/base/names.hpp"
#include "sim/base/units.hpp"

namespace danlu {

/// In fp8 a scale goes with an array or with blocks of it in fp32 (a recipe says which), in mxfp8
/// one of 8 bits with 32 values, in fp4 one of 8 bits with 16 (NVFP4).
enum class Precision { Fp32, Tf32, Fp16, Bf16, Fp8, Mxfp8, Fp4 };
template <>
inline constexpr auto kNames<Precision> =
    std::to_array<Named<Precision>>({{Precision::Fp32, "fp32"},
                                     {Precision::Tf32, "tf32"},
                                     {Precision::Fp16, "fp16"},
                                     {Precision::Bf16, "bf16"},
                                     {Precision::Fp8, "fp8"},
                                     {Precision::Mxfp8, "mxfp8"},
                                     {Precision::Fp4, "fp4"}});
/// Below 16 bits: only products are computed in it.
constexpr bool is_narrow(Precision precision) {
  return precision >= Precision::Fp8;
}

/// How attention is computed: separate kernels over the scores; one fused kernel, the usual one of
/// the GPU; or that of FlashAttention 1, 2 or 3, of cuDNN, in 16 or in 8 bits, or one written in
/// Triton.
enum class AttentionKind { Unfused, Flash, Flash1, Flash2, Flash3, Cudnn, CudnnFp8, Triton };
template <>
inline constexpr auto kNames<AttentionKind> =
    std::to_array<Named<AttentionKind>>({{AttentionKind::Unfused, "unfused"},
                                         {AttentionKind::Flash, "flash"},
                                         {AttentionKind::Flash1, "flash1"},
                                         {AttentionKind::Flash2, "flash2"},
                                         {AttentionKind::Flash3, "flash3"},
                                         {AttentionKind::Cudnn, "cudnn"},
                                         {AttentionKind::CudnnFp8, "cudnn_fp8"},
                                         {AttentionKind::Triton, "triton"}});
constexpr bool is_fused(AttentionKind kind) {
  return kind != AttentionKind::Unfused;
}
/// What it multiplies in, in a step of that precision.
constexpr Precision precision_of(AttentionKind kind, Precision otherwise) {
  return kind == AttentionKind::CudnnFp8 ? Precision::Fp8 : otherwise;
}

/// A fused kernel on a GPU (sim/workload/kernel_models.hpp).
struct FusedAttention {
  double share = 0;       // of the dense peak, of wide heads and long sequences
  double narrow = 0.34;   // by which heads of 64 are slower
  double ramp = 195;      // keys that take as long as what precedes the first
  double tail = 0.8;      // of the longest rows of a causal mask, which end last
  double backward = 0.8;  // speed backward, of that forward
  double sustained = 1;   // of the dense peak at most, forward, where kernels run for long
  bool operator==(const FusedAttention&) const = default;
};

/// What a pass over memory does with what it reads: nothing that takes long; sums over rows
/// (norms), once forward and along both sides backward; softmax and dropout over scores; rows put
/// in another order, or back and summed, as tokens are for experts.
enum class PassKind { Stream, Norm, NormBackward, Scores, Permute };
template <>
inline constexpr auto kNames<PassKind> =
    std::to_array<Named<PassKind>>({{PassKind::Stream, "stream"},
                                    {PassKind::Norm, "norm"},
                                    {PassKind::NormBackward, "norm_backward"},
                                    {PassKind::Scores, "scores"},
                                    {PassKind::Permute, "permute"}});

template <typename Figure>
using PerPrecision = IdArray<Precision, std::optional<Figure>, kNames<Precision>.size()>;

/// One accelerator, as read from topologies/gpus/*.yaml.
struct GpuSpec {
  std::string name;
  /// Absent: the GPU lacks it.
  PerPrecision<FlopsPerSecond> peak_dense;
  Bytes memory_capacity;
  BytesPerSecond memory_bandwidth;
  double memory_efficiency = 1;  // share of the bandwidth that large streaming kernels reach
  /// Of that, by what a pass does.
  IdArray<PassKind, double, kNames<PassKind>.size()> pace{1, 0.74, 0.45, 0.8, 1};
  int multiprocessors = 1;        // for wave quantisation of matrix products
  double compute_capability = 0;  // NVIDIA's name of the generation; 0: none
  /// Of matrix products (sim/workload/kernel_models.hpp). What is not narrow stands under bf16.
  PerPrecision<double> gemm_efficiency;  // share of the dense peak, of large tiles and a long K
  PerPrecision<double> gemm_sustained;   // share that the power limit leaves in the long run
  PerPrecision<double> gemm_in_step;     // of the speed of a product alone, within a step
  double gemm_fp16 = 1;                  // within a step, of the speed of bf16 products
  Bytes gemm_prologue{360};              // of K that a tile loads before it computes
  double gemm_edge = 20;                 // elements at the edge of a tile, by which small ones lose
  Seconds gemm_start{3.3e-6};            // of a product, beside its launch
  double gemm_unaligned = 0.44;          // share of the speed with rows of no whole 16 bytes
  AttentionKind usual_attention = AttentionKind::Flash2;  // what AttentionKind::Flash stands for
  IdArray<AttentionKind, std::optional<FusedAttention>, kNames<AttentionKind>.size()> attention{};
  Seconds kernel_launch;   // gap between two kernels of one stream
  double power_watts = 0;  // of the board
  double dollars_per_hour = 0;

  std::optional<FlopsPerSecond> peak(Precision precision) const { return peak_dense[precision]; }
  /// What holds of products in `precision`, 1 if nothing is said. Where nothing was measured, mxfp8
  /// and fp4 borrow of fp8, and that of 16 bits.
  double in(const PerPrecision<double>& figures, Precision precision) const;
  /// The fused kernel of that kind; none if nobody says how fast it is here.
  const FusedAttention* fused(AttentionKind kind) const {
    const auto& found = attention[kind == AttentionKind::Flash ? usual_attention : kind];
    return found && found->share > 0 ? &*found : nullptr;
  }
  bool operator==(const GpuSpec&) const = default;
};

}  // namespace danlu
