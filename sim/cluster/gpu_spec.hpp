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

enum class Precision { Fp32, Tf32, Fp16, Bf16, Fp8 };
template <>
inline constexpr auto kNames<Precision> =
    std::to_array<Named<Precision>>({{Precision::Fp32, "fp32"},
                                     {Precision::Tf32, "tf32"},
                                     {Precision::Fp16, "fp16"},
                                     {Precision::Bf16, "bf16"},
                                     {Precision::Fp8, "fp8"}});

/// One accelerator, as read from topologies/gpus/*.yaml.
struct GpuSpec {
  std::string name;
  /// Absent: the GPU lacks it.
  IdArray<Precision, std::optional<FlopsPerSecond>, kNames<Precision>.size()> peak_dense;
  Bytes memory_capacity;
  BytesPerSecond memory_bandwidth;
  double memory_efficiency = 1;   // share of the bandwidth that large streaming kernels reach
  int multiprocessors = 1;        // for wave quantisation of matrix products
  double compute_capability = 0;  // NVIDIA's name of the generation; 0: none
  double gemm_efficiency = 1;     // asymptotic share of the dense peak
  double gemm_half_k = 0;         // K at which the main loop reaches half of that
  double attention_forward_efficiency = 1;  // of fused attention, on the FLOPs it really does
  double attention_backward_efficiency = 1;
  Seconds kernel_launch;   // gap between two kernels of one stream
  double power_watts = 0;  // of the board
  double dollars_per_hour = 0;

  std::optional<FlopsPerSecond> peak(Precision precision) const { return peak_dense[precision]; }
  bool operator==(const GpuSpec&) const = default;
};

}  // namespace danlu
