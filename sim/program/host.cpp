#include "sim/program/host.hpp"

#include <set>

namespace danlu {
namespace {

/// Over ranks that hold the same weights or parts of them.
bool is_of_unit(const Segment& segment) {
  for (const Axis axis : {Axis::Shard, Axis::Replicate, Axis::ExpertShard, Axis::ExpertReplicate}) {
    if (segment.axes.contains(axis)) {
      return true;
    }
  }
  return false;
}

Seconds launch_time(const Segment& segment, const HostSpec& host) {
  if (segment.is_compute) {
    const Seconds launch = segment.again ? host.launch_again.value_or(host.launch) : host.launch;
    Seconds time;
    for (const Kernel& kernel : segment.kernels) {
      time += kernel.launches * launch;
    }
    return time;
  }
  return is_of_unit(segment) ? host.unit : host.exchange;
}

}  // namespace

Launches launches_of(const Program& program, const HostSpec& host) {
  Launches launches;
  if (!host.is_there()) {
    return launches;
  }
  std::set<std::size_t> begins;  // of graphs
  if (host.graphs != CudaGraphs::None) {
    begins.insert(0);
  }
  if (host.graphs == CudaGraphs::Layers) {
    begins.insert(program.layer_ends.begin(), program.layer_ends.end());
  }
  bool in_graph = false;
  for (std::size_t i = 0; i < program.segments.size(); ++i) {
    const Segment& segment = program.segments[i];
    const bool begins_graph = begins.contains(i);
    const bool is_routed = segment.axes.contains(Axis::Expert);
    in_graph = begins_graph || (in_graph && (host.graphs == CudaGraphs::Full || !is_routed));
    launches.times.push_back(!in_graph      ? launch_time(segment, host)
                             : begins_graph ? host.launch
                                            : Seconds{});
    launches.wait.push_back(host.reads_counts && segment.needs_counts && !in_graph);
  }
  return launches;
}

bool keeps_up(const Program& program, const Launches& launches,
              const std::vector<Seconds>& compute) {
  if (launches.empty() || program.segments.empty()) {
    return true;
  }
  if (launches.waits_within()) {
    return false;
  }
  const std::size_t count = program.segments.size();
  const SegmentTimes free = play_alone(program, 0, count, {.durations = compute});
  Seconds clock = -1 * launches.times.front();
  for (std::size_t i = 0; i < count; ++i) {
    clock += launches.times[i];
    if (clock > free.start[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace danlu
