#include "sim/program/host.hpp"

#include <algorithm>

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

/// Two passes side by side are launched in parts, each by itself: what lies between exchanges of
/// experts, and these (ScheduleNode of Megatron-core's combined 1F1B). So each of them, with what
/// lies before it, is two.
Seconds parts_time(const Segment& segment, const HostSpec& host, bool is_pair) {
  constexpr double kParts = 2;
  return is_pair && segment.axes.contains(Axis::Expert) ? kParts * host.node : Seconds{};
}

Seconds launch_time(const Segment& segment, const HostSpec& host) {
  if (segment.is_compute) {
    const Seconds launch = segment.again ? host.launch_again.value_or(host.launch) : host.launch;
    Seconds time;
    for (const Kernel& kernel : segment.kernels) {
      const Seconds further = kernel.kind == KernelKind::Gemm ? host.expert : host.cast;
      time += kernel.launches * launch + (kernel.products - 1) * further;
    }
    return time;
  }
  return is_of_unit(segment) ? host.unit : host.exchange;
}

/// Whether a graph holds each segment, and whether a graph begins with it.
struct Graphs {
  std::vector<bool> holds, begins;
};

/// Segments [begin, end) from `first` to `last` are launched one by one, the others as a graph or
/// two.
void add_around(std::size_t begin, std::size_t end, std::size_t first, std::size_t last,
                Graphs& graphs) {
  for (std::size_t i = begin; i < end; ++i) {
    graphs.holds[i] = i < first || i > last;
    graphs.begins[i] = (i == begin && begin < first) || i == last + 1;
  }
}

/// Of every layer what does not lie between the tokens' way to their experts and their way back.
void add_layers(const Program& program, Graphs& graphs) {
  std::vector<std::size_t> ends = program.layer_ends;
  ends.push_back(program.segments.size());
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    std::size_t first = end;
    std::size_t last = end;
    for (std::size_t i = begin; i < end; ++i) {
      if (program.segments[i].axes.contains(Axis::Expert)) {
        first = std::min(first, i);
        last = i;
      }
    }
    add_around(begin, end, first, last, graphs);
    begin = end;
  }
}

Graphs graphs_of(const Program& program, CudaGraphs kind) {
  const std::size_t count = program.segments.size();
  Graphs graphs{std::vector<bool>(count), std::vector<bool>(count)};
  switch (kind) {
    case CudaGraphs::None:
      break;
    case CudaGraphs::Layers:
      add_layers(program, graphs);
      break;
    case CudaGraphs::Full:
      add_around(0, count, count, count, graphs);
      break;
    case CudaGraphs::Routers:
      for (std::size_t i = 0; i < count; ++i) {
        graphs.holds[i] = program.segments[i].routes;
        graphs.begins[i] = graphs.holds[i] && (i == 0 || !graphs.holds[i - 1]);
      }
      break;
  }
  return graphs;
}

}  // namespace

Launches launches_of(const Program& program, const HostSpec& host) {
  Launches launches;
  if (!host.is_there()) {
    return launches;
  }
  const Graphs graphs = graphs_of(program, host.graphs);
  const bool is_pair = std::any_of(program.segments.begin(), program.segments.end(),
                                   [](const Segment& segment) { return segment.beside; });
  bool received = false;  // tokens that were sent once to each node and rank, and not yet used
  for (std::size_t i = 0; i < program.segments.size(); ++i) {
    const Segment& segment = program.segments[i];
    launches.times.push_back(!graphs.holds[i]
                                 ? launch_time(segment, host) + parts_time(segment, host, is_pair)
                             : graphs.begins[i] ? host.launch
                                                : Seconds{});
    const bool waits = segment.needs_counts || (received && segment.is_compute);
    launches.wait.push_back(host.reads_counts && waits && !graphs.holds[i]);
    received = segment.is_compute ? false
                                  : received || (segment.needs_counts &&
                                                 segment.demand.op == CollectiveOp::Dispatch);
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
