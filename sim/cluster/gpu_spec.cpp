#include "sim/cluster/gpu_spec.hpp"

namespace danlu {
namespace {

double figure_in(const PerPrecision<double>& narrow, double wide, Precision precision) {
  if (!is_narrow(precision)) {
    return wide;
  }
  return narrow[precision].value_or(narrow[Precision::Fp8].value_or(wide));
}

}  // namespace

double GpuSpec::gemm_efficiency_in(Precision precision) const {
  return figure_in(narrow_efficiency, gemm_efficiency, precision);
}

double GpuSpec::gemm_half_k_in(Precision precision) const {
  return figure_in(narrow_half_k, gemm_half_k, precision);
}

}  // namespace danlu
