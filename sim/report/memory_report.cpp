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
  return {smallest.value(), memory_use(workload), workload.training.memory_reserve};
}

}  // namespace danlu
