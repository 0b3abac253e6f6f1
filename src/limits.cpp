#include "src/limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/base/text.hpp"

namespace danlu {
namespace {

// Half of what takes patience (20 s) or what others on the machine notice (1 GB), since estimates
// may be off by as much.
constexpr Seconds kQuick{10};
constexpr Bytes kSmall{0.5e9};

std::string describe(const Effort& effort) {
  return fmt::format("{}, which take about {} and {} of memory", effort.what, to_text(effort.time),
                     to_text(effort.memory));
}

std::string hint_of(const Effort& effort) {
  return join(std::vector<std::string_view>(effort.ways_out.begin(), effort.ways_out.end()), "; ");
}

void allow(Effort effort, double most, std::string_view raised) {
  if (effort.count > most) {
    effort.ways_out.emplace_back(raised);
    throw CannotRun(fmt::format("{}; danlu plays {:.2g}", describe(effort), most), hint_of(effort));
  }
  announce(effort);
}

}  // namespace

void announce(const Effort& effort) {
  if (effort.time > kQuick || effort.memory > kSmall) {
    complain(fmt::format("note: {}\n", describe(effort)));
    complain(effort.ways_out.empty() ? "" : fmt::format("hint: {}\n", hint_of(effort)));
  }
}

void announce_layout(std::string what, const ClusterSpec& spec, Seconds of_gpu,
                     Bytes of_gpu_memory) {
  constexpr double kUsualLinks = 12;  // of a GPU, in and out
  const TopologySpec& topology = spec.topology;
  const bool mesh = topology.scale_up == ScaleUpKind::Mesh;
  const double links = mesh ? 2.0 * topology.gpus_per_node : kUsualLinks;
  const double weighed = spec.gpus * std::max(1.0, links / kUsualLinks);
  announce({.what = std::move(what),
            .time = of_gpu * weighed,
            .memory = of_gpu_memory * weighed,
            .ways_out = {mesh ? "fewer GPUs, or smaller nodes" : "fewer GPUs"}});
}

void allow_tasks(const Effort& effort, const CommonOptions& common) {
  allow(effort, common.max_tasks, "--max-tasks plays more");
}

void allow_events(const Effort& effort, const CommonOptions& common) {
  allow(effort, common.max_events, "--max-events plays more");
}

}  // namespace danlu
