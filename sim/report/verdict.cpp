#include "sim/report/verdict.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/report/page.hpp"

namespace danlu {

std::vector<StepLimit> limits_of(const StepReport& step) {
  const TimePartition& parts = step.breakdown;
  const KernelInefficiency& lost = step.kernel_inefficiency;
  const auto share = [&](Seconds time) { return time / step.time; };
  std::vector<StepLimit> limits{
      {"matrix_products", "matrix products",
       share(parts[TimePart::Useful] + lost.gemm + lost.attention)},
      {"memory_bound", "memory-bound kernels", share(lost.memory)},
      {"recomputation", "recomputation", share(parts[TimePart::Recomputation])},
      {"contention", "compute slowed by collectives beside it", share(parts[TimePart::Contention])},
      {"exposed_tensor", "exposed tensor communication", share(parts[TimePart::ExposedTensor])},
      {"exposed_pipeline", "exposed pipeline communication",
       share(parts[TimePart::ExposedPipeline])},
      {"exposed_data", "exposed data communication", share(parts[TimePart::ExposedData])},
      {"exposed_expert", "exposed expert communication", share(parts[TimePart::ExposedExpert])},
      {"exposed_context", "exposed context communication", share(parts[TimePart::ExposedContext])},
      {"exposed_offload", "exposed copies to and from the host",
       share(parts[TimePart::ExposedOffload])},
      {"bubble", "pipeline bubble", share(parts[TimePart::Bubble])},
      {"straggler_wait", "waiting for slower peers", share(parts[TimePart::StragglerWait])},
      {"optimizer", "optimizer", share(parts[TimePart::Optimizer])},
      {"host", "kernel launches", share(parts[TimePart::Host])}};
  constexpr double kRounding = 1e-12;
  std::erase_if(limits, [](const StepLimit& limit) { return limit.share < kRounding; });
  std::stable_sort(limits.begin(), limits.end(),
                   [](const StepLimit& a, const StepLimit& b) { return a.share > b.share; });
  return limits;
}

std::string fits_text(const MemoryReport& memory) {
  const Bytes peak = memory.use.peak();
  if (!memory.fits_host()) {
    return fmt::format("does not fit in the memory of its nodes: {} of {}", to_text(memory.host),
                       to_text(*memory.host_capacity));
  }
  return fmt::format("{}: {} of {} ({}) on the fullest GPU{}",
                     memory.fits() ? "fits in memory" : "does not fit in memory", to_text(peak),
                     to_text(memory.capacity), percent(peak / memory.capacity),
                     memory.tight()
                         ? fmt::format(", tight: {} left of the {} that a plan should "
                                       "leave free (training.memory_reserve)",
                                       to_text(memory.capacity - peak), to_text(memory.reserve))
                         : "");
}

std::string limit_text(const StepReport& step) {
  constexpr double kWorthNaming = 0.005;
  const std::vector<StepLimit> limits = limits_of(step);
  if (limits.empty()) {
    return "";
  }
  std::string text = fmt::format("{} {}", limits[0].name, percent(limits[0].share));
  if (limits.size() > 1 && limits[1].share >= kWorthNaming) {
    text += fmt::format(", then {} {}", limits[1].name, percent(limits[1].share));
  }
  return text;
}

}  // namespace danlu
