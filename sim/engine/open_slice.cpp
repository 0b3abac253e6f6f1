#include "sim/engine/open_slice.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

OpenSlice::Part part_of(const TaskGraph& graph, const CommunicationPart& part) {
  OpenSlice::Part made{.latency = part.latency};
  if (part.pattern && part.stream > Bytes{}) {
    made.channel = make_id<ChannelId>(index(*part.pattern));
    made.bytes = std::ceil(part.stream.value);
    made.rate = std::numeric_limits<double>::infinity();
    for (const ChannelLoad& load : graph.channels[made.channel].loads) {
      made.rate = std::min(made.rate, graph.links[load.link].capacity.value / load.weight);
    }
    check(std::isfinite(made.rate), "a channel that carries bytes crosses a link");
  }
  return made;
}

}  // namespace

OpenSlice open_slice(const TaskGraph& graph, const ProgramSlice& slice) {
  const PlayedProgram& played = graph.programs[slice.program];
  OpenSlice made{.slice = slice, .alone = graph.run_times(slice, {}, {})};
  std::map<GroupSort, std::size_t> last_of_stream;
  for (std::size_t i = 0; i < slice.last - slice.first; ++i) {
    const Segment& segment = played.program.segments[slice.first + i];
    OpenSlice::Segment& own = made.segments.emplace_back();
    own.is_compute = segment.is_compute;
    own.duration = played.costs.durations[slice.first + i];
    own.bounds = played.costs.bounds[slice.first + i];
    own.taken = played.costs.taken[slice.first + i];
    if (const auto& communication = played.communications[slice.first + i]) {
      for (const CommunicationPart& part : graph.communications[*communication].parts) {
        own.parts.push_back(part_of(graph, part));
        if (part.pattern) {
          for (const ChannelLoad& load : graph.channels[own.parts.back().channel].loads) {
            made.links.push_back(load.link);
          }
        }
      }
    }
    const auto wait = [&](std::size_t before) {
      made.segments[before].next.push_back(static_cast<std::uint32_t>(i));
      ++own.waits_for;
    };
    for (const std::size_t before : segment.after) {
      if (before >= slice.first) {
        wait(before - slice.first);
      }
    }
    const auto [previous, is_first] = last_of_stream.try_emplace(segment.stream(), i);
    if (!is_first) {
      wait(std::exchange(previous->second, i));
    }
  }
  std::sort(made.links.begin(), made.links.end());
  made.links.erase(std::unique(made.links.begin(), made.links.end()), made.links.end());
  return made;
}

bool has_open_runs(const TaskGraph& graph) {
  return std::any_of(graph.tasks.begin(), graph.tasks.end(),
                     [](const Task& task) { return task.open; });
}

Seconds OpenSlice::left_of(std::size_t segment, Seconds at) const {
  Seconds left = segments[segment].duration;
  for (Seconds from = alone.start[segment]; from < at;) {
    Seconds to = at;
    GpuShare taken;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (segments[i].is_compute || segments[i].taken.nothing()) {
        continue;
      }
      if (alone.start[i] <= from && from < alone.finish[i]) {
        taken = taken + segments[i].taken;
        to = std::min(to, alone.finish[i]);
      } else if (from < alone.start[i]) {
        to = std::min(to, alone.start[i]);
      }
    }
    left -= (to - from) * pace(segments[segment].bounds, taken);
    from = to;
  }
  return std::max(left, Seconds{});
}

}  // namespace danlu
