#include "sim/report/utilisation.hpp"

#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

/// The mean of a figure over GPUs of several kinds.
template <typename Figure>
auto mean_over_gpus(const ClusterSpec& cluster, const Figure& figure) {
  decltype(figure(cluster.gpu)) sum;
  for (const auto& [topology, gpu, gpus] : cluster.gpus_by_kind()) {
    sum += figure(gpu) * (static_cast<double>(gpus) / cluster.gpus);
  }
  return sum;
}

}  // namespace

FlopsPerSecond mean_peak(const ClusterSpec& cluster, Precision precision) {
  return mean_over_gpus(cluster, [&](const GpuSpec& gpu) { return *gpu.peak(precision); });
}
BytesPerSecond mean_memory_peak(const ClusterSpec& cluster) {
  return mean_over_gpus(cluster, [](const GpuSpec& gpu) { return gpu.memory_bandwidth; });
}

void add_utilisation(const Workload& workload, const ClusterSpec& cluster, const WorkDone& done,
                     StepReport& step) {
  const FlopsPerSecond peak = mean_peak(cluster, workload.training.precision);
  const auto used = [&](Flops flops) { return flops / step.time / peak; };
  step.model_flops_per_gpu_second = (done.model_flops / step.time).value;
  step.hardware_flops_per_gpu_second = (done.hardware_flops / step.time).value;
  step.flops_full = step_flops(workload, false) / cluster.gpus;
  step.flops_causal = step_flops(workload, true) / cluster.gpus;
  step.flops_executed = done.hardware_flops;
  step.mfu = used(done.model_flops);
  step.mfu_full = used(step.flops_full);
  step.mfu_causal = used(step.flops_causal);
  step.hfu = used(done.hardware_flops);
  step.memory_bandwidth = done.memory / step.time;
  step.mbu = step.memory_bandwidth / mean_memory_peak(cluster);
}

StageBalance balance_of(const std::vector<StageReport>& stages) {
  StageBalance balance;
  for (const StageReport& stage : stages) {
    balance.mean += stage.compute / static_cast<double>(stages.size());
    if (stage.compute > balance.compute) {
      balance.slowest = stage.stage;
      balance.compute = stage.compute;
    }
  }
  return balance;
}

}  // namespace danlu
