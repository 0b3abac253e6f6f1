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

void sort_once(std::vector<FoldedLinkId>& links) {
  std::sort(links.begin(), links.end());
  links.erase(std::unique(links.begin(), links.end()), links.end());
}

bool share_a_link(const OpenSlice::Segment& a, const OpenSlice::Segment& b) {
  return std::find_first_of(a.links.begin(), a.links.end(), b.links.begin(), b.links.end()) !=
         a.links.end();
}

/// Fills in how the host launches, and how much sooner it has to begin never to be late but where
/// it waits.
void add_host(const TaskGraph& graph, OpenSlice& made) {
  constexpr Seconds kLongBefore{1e6};
  const Launches& launches = graph.programs[made.slice.program].costs.launches;
  made.alone =
      graph.run_times(made.slice, launches.empty() ? std::nullopt : std::optional(kLongBefore), {});
  Seconds launched;
  bool has_waited = false;
  for (std::size_t i = 0; i < made.segments.size() && !launches.empty(); ++i) {
    const OpenSlice::Launch launch{launches.times[made.slice.first + i],
                                   launches.wait[made.slice.first + i]};
    if (launch.waits && !has_waited) {
      has_waited = true;
      made.least_lead = std::max(made.least_lead, launched + launch.time - made.alone.launched[i]);
    }
    launched += launch.time;
    if (!has_waited) {
      made.least_lead = std::max(made.least_lead, launched - made.alone.start[i]);
    }
    made.launches.push_back(launch);
  }
}

}  // namespace

OpenSlice open_slice(const TaskGraph& graph, const ProgramSlice& slice) {
  const PlayedProgram& played = graph.programs[slice.program];
  OpenSlice made{.slice = slice};
  std::map<GroupSort, std::size_t> last_of_stream;
  std::map<FoldedLinkId, GroupSort> sort_on;
  for (std::size_t i = 0; i < slice.last - slice.first; ++i) {
    const Segment& segment = played.program->segments[slice.first + i];
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
            own.links.push_back(load.link);
          }
        }
      }
      sort_once(own.links);
      for (const FoldedLinkId link : own.links) {
        made.may_meet |= sort_on.try_emplace(link, segment.sort()).first->second != segment.sort();
      }
      made.links.insert(made.links.end(), own.links.begin(), own.links.end());
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
  sort_once(made.links);
  add_host(graph, made);
  made.meets_alone = made.meets_itself(made.alone);
  return made;
}

bool has_open_runs(const TaskGraph& graph) {
  return std::any_of(graph.tasks.begin(), graph.tasks.end(),
                     [](const Task& task) { return task.open; });
}

Seconds OpenSlice::left_of(std::size_t segment, Seconds at, const SegmentTimes& times) const {
  Seconds left = segments[segment].duration;
  for (Seconds from = times.start[segment]; from < at;) {
    Seconds to = at;
    GpuShare taken;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (segments[i].is_compute || segments[i].taken.nothing()) {
        continue;
      }
      if (times.start[i] <= from && from < times.finish[i]) {
        taken = taken + segments[i].taken;
        to = std::min(to, times.finish[i]);
      } else if (from < times.start[i]) {
        to = std::min(to, times.start[i]);
      }
    }
    left -= (to - from) * pace(segments[segment].bounds, taken);
    from = to;
  }
  return std::max(left, Seconds{});
}

bool OpenSlice::meets_itself(const SegmentTimes& times) const {
  if (!may_meet) {
    return false;
  }
  std::vector<std::size_t> exchanges;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    if (!segments[i].links.empty()) {
      exchanges.push_back(i);
    }
  }
  std::sort(exchanges.begin(), exchanges.end(),
            [&](std::size_t a, std::size_t b) { return times.start[a] < times.start[b]; });
  std::vector<std::size_t> going;
  for (const std::size_t i : exchanges) {
    std::erase_if(going, [&](std::size_t one) { return times.finish[one] <= times.start[i]; });
    if (std::any_of(going.begin(), going.end(),
                    [&](std::size_t one) { return share_a_link(segments[one], segments[i]); })) {
      return true;
    }
    going.push_back(i);
  }
  return false;
}

}  // namespace danlu
