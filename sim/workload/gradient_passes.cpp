#include "sim/workload/gradient_passes.hpp"

#include <algorithm>

#include "sim/workload/workload.hpp"

namespace danlu {

Bytes gradient_pass_bytes(const TrainingSpec& training, const ParallelismSpec& parallelism,
                          AxisSet copies, double parameters) {
  const Shards shards = shards_of(parallelism, copies);
  const double summed = gradient_bytes(training);
  const bool is_scaled = training.precision == Precision::Fp16;
  const double handed = is_scaled ? std::max(summed, 4.0) : summed;  // to the optimizer
  const double held = parameters / shards.gradients;
  const double updated = parameters / shards.optimizer;
  constexpr double kWide = 4;  // written and read again
  const auto bytes_of = [&](GradientPass pass) {
    switch (pass) {
      case GradientPass::Zero:
      case GradientPass::Check:
        return summed * held;
      case GradientPass::Average:
        return parallelism.mesh().size(kDataAxes) > 1 ? 2 * summed * held : 0;
      case GradientPass::Unscale:
        return is_scaled ? 2 * handed * updated : 0;
      case GradientPass::Norm:
        return handed * updated;
      case GradientPass::Clip:
        return 2 * handed * updated;
      case GradientPass::NormAll:
        return handed * held;
      case GradientPass::ClipAll:
        return 2 * handed * held;
      case GradientPass::Buckets:
        return parallelism.mesh().size(kDataAxes) > 1 ? 4 * summed * held : 0;
      case GradientPass::CheckCopied:
      case GradientPass::NormCopied:
        return (summed < kWide ? summed + 2 * kWide : summed) * held;  // or no copy
    }
    return 0.0;
  };
  double bytes = 0;
  for (const GradientPass pass : training.gradient_passes) {
    bytes += bytes_of(pass);
  }
  return {bytes};
}

}  // namespace danlu
