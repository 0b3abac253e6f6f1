#include "sim/workload/gradient_passes.hpp"

#include <algorithm>

#include "sim/workload/workload.hpp"

namespace danlu {

Bytes gradient_pass_bytes(const TrainingSpec& training, const ParallelismSpec& parallelism,
                          AxisSet copies, double parameters) {
  const Shards shards = shards_of(parallelism, copies);
  const double summed = gradient_bytes(training);
  const double scaled = training.precision == Precision::Fp16 ? std::max(summed, 4.0) : summed;
  const double held = parameters / shards.gradients;
  const double updated = parameters / shards.optimizer;
  double bytes = 0;
  for (const GradientPass pass : training.gradient_passes) {
    switch (pass) {
      case GradientPass::Zero:
      case GradientPass::Check:
        bytes += summed * held;
        break;
      case GradientPass::Average:
        bytes += parallelism.mesh().size(kDataAxes) > 1 ? 2 * summed * held : 0;
        break;
      case GradientPass::Unscale:
        bytes += training.precision == Precision::Fp16 ? 2 * scaled * updated : 0;
        break;
      case GradientPass::Norm:
        bytes += scaled * updated;
        break;
      case GradientPass::Clip:
        bytes += 2 * scaled * updated;
        break;
      case GradientPass::NormAll:
        bytes += scaled * held;
        break;
      case GradientPass::ClipAll:
        bytes += 2 * scaled * held;
        break;
    }
  }
  return {bytes};
}

}  // namespace danlu
