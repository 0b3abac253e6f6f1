// Memory against capacity.
#include <algorithm>

#include "sim/report/report.hpp"

namespace danlu {
MemoryReport measure_memory(const Workload& workload, const ClusterSpec& cluster) {
  std::optional<Bytes> smallest;
  for (const auto& [topology, gpu, gpus] : cluster.gpus_by_kind()) {
    if (gpus > 0) {
      smallest = std::min(smallest.value_or(gpu.memory_capacity), gpu.memory_capacity);
    }
  }
  MemoryReport report{.capacity = smallest.value(),
                      .stages = memory_by_stage(workload),
                      .reserve = workload.training.memory_reserve};
  report.use = fullest(report.stages);
  const int sharing = std::min(cluster.gpus, cluster.topology.gpus_per_node);
  for (const MemoryUse& use : report.stages) {
    report.host = std::max(report.host, sharing * use.host);
  }
  if (report.host > Bytes{} && cluster.topology.host_memory > Bytes{}) {
    report.host_capacity = cluster.topology.host_memory;
  }
  return report;
}

}  // namespace danlu
