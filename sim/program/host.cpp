#include "sim/program/host.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

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
  if (!segment.is_compute) {
    return is_of_unit(segment) ? host.unit : host.exchange;
  }
  if (host.launch == Seconds{}) {
    return {};  // never late with kernels, whatever kind they are of
  }
  const Seconds one = host.operators.value_or(host.launch);
  const double longer = segment.again ? host.launch_again.value_or(host.launch) / host.launch : 1;
  Seconds time;
  for (const Kernel& kernel : segment.kernels) {
    const Seconds further = kernel.kind == KernelKind::Gemm ? host.expert : host.cast;
    time += longer * (host.launch + (kernel.launches - 1) * one) + (kernel.products - 1) * further;
  }
  return time;
}

/// Whether a graph holds each segment, and whether a graph begins with it.
struct Graphs {
  std::vector<bool> holds, begins;
};

/// One layer of an action, its segments in order of launching; those of a pair's other action may
/// lie between them.
using LayerSegments = std::vector<std::size_t>;

std::vector<LayerSegments> layers_of(const Program& program) {
  std::map<std::pair<bool, std::size_t>, LayerSegments> layers;
  const std::vector<std::size_t>& ends = program.layer_ends;
  for (std::size_t i = 0; i < program.segments.size(); ++i) {
    const Segment& segment = program.segments[i];
    const auto passed = std::upper_bound(ends.begin(), ends.end(), i) - ends.begin();
    const auto layer = static_cast<std::size_t>(passed + segment.layer);
    layers[{segment.beside, layer}].push_back(i);
  }
  std::vector<LayerSegments> all;
  for (auto& [key, segments] : layers) {
    all.push_back(std::move(segments));
  }
  return all;
}

/// Of every layer what does not lie between the tokens' way to their experts and their way back: a
/// graph before it, and one behind it.
void add_layers(const Program& program, Graphs& graphs) {
  for (const LayerSegments& layer : layers_of(program)) {
    const auto travels = [&](std::size_t i) {
      return program.segments[i].axes.contains(Axis::Expert);
    };
    const auto first = std::find_if(layer.begin(), layer.end(), travels);
    const auto behind = std::find_if(layer.rbegin(), layer.rend(), travels).base();
    const std::array graphs_of_layer{std::pair(layer.begin(), first),
                                     std::pair(first == layer.end() ? first : behind, layer.end())};
    for (const auto& [from, to] : graphs_of_layer) {
      for (auto at = from; at != to; ++at) {
        graphs.holds[*at] = true;
        graphs.begins[*at] = at == from;
      }
    }
  }
}

Graphs graphs_of(const Program& program, CudaGraphs kind) {
  const std::size_t count = program.segments.size();
  if (count == 0) {
    return {};
  }
  Graphs graphs{std::vector<bool>(count), std::vector<bool>(count)};
  switch (kind) {
    case CudaGraphs::None:
      break;
    case CudaGraphs::Layers:
      add_layers(program, graphs);
      break;
    case CudaGraphs::Full:
      graphs.holds.assign(count, true);
      graphs.begins[0] = true;
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

Launches launches_of(const Program& program, const HostSpec& spec) {
  const HostSpec host = spec.on_its_cpu();
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
