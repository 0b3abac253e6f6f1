#include "sim/session/effort.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"

namespace danlu {
namespace {

// What one notices: of memory half of what others on the machine do, since estimates may be off by
// as much.
constexpr Seconds kQuick{1};
constexpr Bytes kSmall{0.5e9};
constexpr Bytes kSmallFile{100e6};  // what viewers of traces open at once

void allow(Effort effort, const EffortLimit& limit, const SessionOptions& options) {
  if (effort.count > limit.most) {
    effort.ways_out.push_back(limit.raised);
    throw CannotRun(fmt::format("{}; danlu plays {:.2g}", effort.text(), limit.most),
                    effort.hint());
  }
  announce(effort, options);
}

}  // namespace

std::string Effort::text() const {
  std::string text = fmt::format("{}, which take about {}", what, to_text(time));
  if (file > Bytes{}) {
    text += fmt::format(" and a file of {}", to_text(file));
  } else if (memory > Bytes{}) {
    text += fmt::format(" and {} of memory", to_text(memory));
  }
  return text;
}

std::string Effort::hint() const {
  return join(std::vector<std::string_view>(ways_out.begin(), ways_out.end()), "; ");
}

void announce(const Effort& effort, const SessionOptions& options) {
  if (options.announce &&
      (effort.time > kQuick || effort.memory > kSmall || effort.file > kSmallFile)) {
    options.announce(effort);
  }
}

void allow_tasks(const Effort& effort, const SessionOptions& options) {
  allow(effort, options.tasks, options);
}

void allow_events(const Effort& effort, const SessionOptions& options) {
  allow(effort, options.events, options);
}

void announce_layout(std::string what, const ClusterSpec& spec, Seconds of_gpu, Bytes of_gpu_memory,
                     const SessionOptions& options) {
  constexpr double kUsualLinks = 12;  // of a GPU, in and out
  const TopologySpec& topology = spec.topology;
  const bool mesh = topology.scale_up == ScaleUpKind::Mesh;
  const double links = mesh ? 2.0 * topology.gpus_per_node : kUsualLinks;
  const double weighed = spec.gpus * std::max(1.0, links / kUsualLinks);
  announce({.what = std::move(what),
            .time = of_gpu * weighed,
            .memory = of_gpu_memory * weighed,
            .ways_out = {mesh ? "fewer GPUs, or smaller nodes" : "fewer GPUs"}},
           options);
}

Effort effort_of(std::string what, double tasks, std::vector<std::string> ways_out) {
  return {.what = std::move(what),
          .count = tasks,
          .time = kTimeOfTask * tasks,
          .memory = kMemoryOfTask * tasks,
          .ways_out = std::move(ways_out)};
}

}  // namespace danlu
