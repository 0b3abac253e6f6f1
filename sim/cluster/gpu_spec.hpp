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

template <typename Figure>
using PerPrecision = IdArray<Precision, std::optional<Figure>, kNames<Precision>.size()>;

/// One accelerator, as read from topologies/gpus/*.yaml.
struct GpuSpec {
  std::string name;
  /// Absent: the GPU lacks it.
  PerPrecision<FlopsPerSecond> peak_dense;
  Bytes memory_capacity;
  BytesPerSecond memory_bandwidth;
  double memory_efficiency = 1;   // share of the bandwidth that large streaming kernels reach
  int multiprocessors = 1;        // for wave quantisation of matrix products
  double compute_capability = 0;  // NVIDIA's name of the generation; 0: none
  double gemm_efficiency = 1;     // asymptotic share of the dense peak, of 16 bits and above
  double gemm_half_k = 0;         // K at which the main loop reaches half of that
  /// The same of narrow precisions, where they were measured.
  PerPrecision<double> narrow_efficiency, narrow_half_k;
  double attention_forward_efficiency = 1;  // of fused attention, on the FLOPs it really does
  double attention_backward_efficiency = 1;
  Seconds kernel_launch;   // gap between two kernels of one stream
  double power_watts = 0;  // of the board
  double dollars_per_hour = 0;

  std::optional<FlopsPerSecond> peak(Precision precision) const { return peak_dense[precision]; }
  /// What holds of products in `precision`. Where nothing was measured, mxfp8 and fp4 borrow of
  /// fp8, and that of 16 bits.
  double gemm_efficiency_in(Precision precision) const;
  double gemm_half_k_in(Precision precision) const;
  bool operator==(const GpuSpec&) const = default;
};

}  // namespace danlu
