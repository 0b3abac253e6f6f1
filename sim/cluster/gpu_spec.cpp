#include "sim/cluster/gpu_spec.hpp"

namespace danlu {

double GpuSpec::in(const PerPrecision<double>& figures, Precision precision) const {
  const double wide = figures[Precision::Bf16].value_or(1);
  if (!is_narrow(precision)) {
    return wide;
  }
  return figures[precision].value_or(figures[Precision::Fp8].value_or(wide));
}

}  // namespace danlu
