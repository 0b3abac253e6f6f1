// Memory against capacity.
#include <algorithm>

#include "sim/report/report.hpp"

namespace danlu {
namespace {

/// Of each stage the GPU of its ranks that has least memory.
std::vector<const GpuSpec*> smallest_by_stage(const Workload& workload, const ClusterSpec& cluster,
                                              std::size_t stages) {
  if (cluster.kinds() == 1) {
    return std::vector(stages, &cluster.gpu);
  }
  std::vector<const GpuSpec*> smallest(stages);
  const Mesh mesh = workload.mesh();
  for (int rank = 0; rank < mesh.world_size(); ++rank) {
    const auto gpu = static_cast<int>(index(mesh.gpu(rank)));
    const GpuSpec& own = cluster.gpu_of(cluster.kind_of(gpu / cluster.topology.gpus_per_node));
    const auto stage = static_cast<std::size_t>(mesh.coordinate(rank, Axis::Pipeline));
    const GpuSpec*& least = smallest.at(stage);
    least = least == nullptr || own.memory_capacity < least->memory_capacity ? &own : least;
  }
  return smallest;
}

}  // namespace

MemoryReport measure_memory(const Workload& workload, const ClusterSpec& cluster) {
  MemoryReport report{.stages = memory_by_stage(workload),
                      .reserve = workload.training.memory_reserve};
  const auto smallest = smallest_by_stage(workload, cluster, report.stages.size());
  const auto left = [&](std::size_t stage) {
    return smallest[stage]->memory_capacity - report.stages[stage].peak();
  };
  std::size_t fullest = 0;
  for (std::size_t stage = 1; stage < report.stages.size(); ++stage) {
    fullest = left(stage) < left(fullest) ? stage : fullest;
  }
  report.use = report.stages[fullest];
  report.gpu = smallest[fullest]->name;
  report.capacity = smallest[fullest]->memory_capacity;
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
