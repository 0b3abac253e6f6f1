// Memory against capacity.
#include <algorithm>

#include "sim/report/report.hpp"

namespace danlu {
MemoryReport measure_memory(const Workload& workload, const ClusterSpec& cluster) {
  Bytes smallest = cluster.gpu.memory_capacity;
  const std::vector<int> counts = cluster.gpus_by_kind();
  for (int kind = 0; kind < cluster.kinds(); ++kind) {
    const Bytes capacity = cluster.gpu_of(kind).memory_capacity;
    const bool first = counts[0] == 0 && kind == 1;
    if (counts[static_cast<std::size_t>(kind)] > 0) {
      smallest = first ? capacity : std::min(smallest, capacity);
    }
  }
  return {smallest, memory_use(workload), workload.training.memory_reserve};
}

}  // namespace danlu
