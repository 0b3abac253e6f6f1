// Memory against capacity, and what would make a plan fit that does not.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "sim/report/report.hpp"

namespace danlu {
namespace {

struct Remedy {
  std::string text;
  std::function<void(Workload&)> apply;
};

/// Changes of one setting, cheapest first.
std::vector<Remedy> remedies(const Workload& w) {
  const ParallelismSpec& p = w.parallelism;
  std::vector<Remedy> list;
  if (p.zero == 0 && p.data > 1) {
    list.push_back({"parallelism.zero=1", [](Workload& x) { x.parallelism.zero = 1; }});
  }
  if (!p.sequence && p.tensor > 1) {
    list.push_back(
        {"parallelism.sequence=true", [](Workload& x) { x.parallelism.sequence = true; }});
  }
  if (w.training.recompute == Recompute::None && w.training.attention == AttentionKind::Unfused) {
    list.push_back({"training.recompute=selective",
                    [](Workload& x) { x.training.recompute = Recompute::Selective; }});
  }
  if (w.training.recompute != Recompute::Full) {
    list.push_back(
        {"training.recompute=full", [](Workload& x) { x.training.recompute = Recompute::Full; }});
  }
  if (w.training.micro_batch > 1) {
    list.push_back({"training.micro_batch=1", [](Workload& x) { x.training.micro_batch = 1; }});
  }
  for (const int factor : {2, 4, 8}) {
    if (p.data % factor == 0) {
      list.push_back({fmt::format("parallelism.tensor={} and parallelism.data={}",
                                  p.tensor * factor, p.data / factor),
                      [factor](Workload& x) {
                        x.parallelism.tensor *= factor;
                        x.parallelism.data /= factor;
                      }});
      list.push_back({fmt::format("parallelism.pipeline={} and parallelism.data={}",
                                  p.pipeline * factor, p.data / factor),
                      [factor](Workload& x) {
                        x.parallelism.pipeline *= factor;
                        x.parallelism.data /= factor;
                      }});
    }
  }
  return list;
}

}  // namespace

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

std::vector<std::string> memory_advice(const Workload& workload, const ClusterSpec& cluster) {
  constexpr std::size_t kMost = 4;
  std::vector<std::string> advice;
  for (const Remedy& remedy : remedies(workload)) {
    Workload changed = workload;
    remedy.apply(changed);
    if (advice.size() < kMost && problems(changed, cluster.gpus, cluster.gpu).empty() &&
        measure_memory(changed, cluster).fits()) {
      advice.push_back(
          fmt::format("{} needs {}", remedy.text, to_text(memory_use(changed).peak())));
    }
  }
  if (advice.empty()) {
    advice.push_back(
        "no single change of the plan fits; use more GPUs, or combine ZeRO-1, "
        "recomputation and more stages");
  }
  return advice;
}

}  // namespace danlu
