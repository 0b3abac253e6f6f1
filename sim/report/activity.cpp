#include "sim/report/activity.hpp"

#include <algorithm>
#include <cmath>

namespace danlu {

namespace {

constexpr double kGrid = 1e-12;  // s: leads and entries that differ by rounding are one

Seconds on_grid(Seconds time) {
  return Seconds{std::round(time.value / kGrid) * kGrid};
}

void shift(SegmentTimes& times, Seconds by) {
  for (std::vector<Seconds>* const some : {&times.start, &times.finish}) {
    for (Seconds& time : *some) {
      time += by;
    }
  }
  times.total += by;
}

}  // namespace

ActivityReader::PlayedLane ActivityReader::lane_of(TaskId run, Seconds last_came) {
  const Seconds start = timeline_.start[run];
  const bool together = start != origin_of(run);
  PlayedLane lane{together ? Seconds{} : on_grid(start - last_came), lead_of(run), beside_of(run)};
  const Seconds until_origin = together ? last_came - start : Seconds{};
  for (TakenFrom& step : lane.beside) {
    step.at += lane.entry - until_origin;
  }
  return lane;
}

ActivityReader::PlayedSlice ActivityReader::slice_of(TaskId run) {
  const Task& task = graph_.tasks[run];
  PlayedSlice played{.slice = task.slice, .lanes = {}};
  if (!task.joint) {
    played.lanes.push_back({{}, lead_of(run), beside_of(run)});
    return played;
  }
  const JointRun& joint = graph_.joint_runs[*task.joint];
  const Seconds last_came = last_of(joint);
  played.joint = joint.slices;
  for (const TaskId lane : joint.lanes) {
    played.lane = lane == run ? played.lanes.size() : played.lane;
    played.lanes.push_back(lane_of(lane, last_came));
  }
  return played;
}

Seconds ActivityReader::last_of(const JointRun& joint) const {
  Seconds last = timeline_.start[joint.lanes.front()];
  for (const TaskId lane : joint.lanes) {
    last = std::max(last, timeline_.start[lane]);
  }
  return last;
}

Seconds ActivityReader::origin_of(TaskId run) const {
  const std::optional<JointRunId> id = graph_.tasks[run].joint;
  return id && graph_.lane_slices[graph_.joint_runs[*id].slices].begins_together
             ? last_of(graph_.joint_runs[*id])
             : timeline_.start[run];
}

/// None: its host was never late.
std::optional<Seconds> ActivityReader::lead_of(TaskId run) {
  const Task& task = graph_.tasks[run];
  switch (task.launched) {
    case LaunchedBy::Ahead:
      return {};
    case LaunchedBy::Together:
      return Seconds{};
    case LaunchedBy::Task:
      break;
  }
  const auto [known, is_new] = enough_.try_emplace(task.slice);
  if (is_new) {
    const PlayedProgram& played = graph_.programs[task.slice.program];
    const SegmentTimes free = graph_.run_times(task.slice, {}, {});
    Seconds clock;
    for (std::size_t i = task.slice.first; i < task.slice.last; ++i) {
      clock += played.costs.launches.times[i];
      known->second = std::max(known->second, clock - free.start[i - task.slice.first]);
    }
  }
  const Seconds lead = timeline_.start[run] - timeline_.start[*task.host];
  return lead >= known->second ? std::nullopt : std::optional(on_grid(lead));
}

/// Relative to its start; empty where nothing was taken.
std::vector<TakenFrom> ActivityReader::beside_of(TaskId task) const {
  if (taken_.empty() || graph_.tasks[task].on_host) {
    return {};
  }
  const Interval whole{timeline_.start[task], timeline_.finish[task]};
  const auto begin_of = [](const std::vector<TakenFrom>& steps, Seconds at) {
    return std::upper_bound(steps.begin(), steps.end(), at,
                            [](Seconds time, const TakenFrom& step) { return time < step.at; });
  };
  std::vector<Seconds> times{whole.start};
  for (const RankClassId ranks : graph_.participants[task]) {
    const std::vector<TakenFrom>& steps = taken_[ranks];
    for (auto step = begin_of(steps, whole.start); step != steps.end() && step->at < whole.finish;
         ++step) {
      times.push_back(step->at);
    }
  }
  std::sort(times.begin(), times.end());
  std::vector<TakenFrom> beside;
  for (const Seconds at : times) {
    GpuShare taken;
    for (const RankClassId ranks : graph_.participants[task]) {
      const auto next = begin_of(taken_[ranks], at);
      taken = next == taken_[ranks].begin() ? taken : most_of(taken, std::prev(next)->taken);
    }
    if (taken != (beside.empty() ? GpuShare{} : beside.back().taken)) {
      beside.push_back({at - whole.start, taken});
    }
  }
  return beside;
}

const SegmentTimes& ActivityReader::times_of(const PlayedSlice& played) {
  const auto known = slices_.find(played);
  if (known != slices_.end()) {
    return known->second;
  }
  if (!played.joint) {
    const PlayedLane& alone = played.lanes.front();
    return slices_.emplace(played, graph_.run_times(played.slice, alone.lead, alone.beside))
        .first->second;
  }
  std::vector<LaneStart> lanes;
  for (const PlayedLane& lane : played.lanes) {
    lanes.push_back({.entry = lane.entry, .lead = lane.lead, .beside = lane.beside});
  }
  std::vector<SegmentTimes> times = graph_.joint_times(*played.joint, std::move(lanes));
  PlayedSlice own = played;
  for (own.lane = 0; own.lane < times.size(); ++own.lane) {
    own.slice = graph_.lane_slices[*played.joint].slices[own.lane];
    shift(times[own.lane], -1 * own.lanes[own.lane].entry);
    slices_.emplace(own, std::move(times[own.lane]));
  }
  return slices_.at(played);
}

const ComputeTime& ActivityReader::compute_of(TaskId id) {
  const Task& task = graph_.tasks[id];
  const bool throttles = !task.on_host && !graph_.throttles.empty() &&
                         graph_.throttles[graph_.participants[id].front()];
  if ((task.stretch == 1 && !throttles) || task.duration == Seconds{}) {
    return task.compute;
  }
  auto known = uneven_.find(id);
  if (known == uneven_.end()) {
    const Seconds actual = graph_.compute_time(id, timeline_.start[id]);
    known = uneven_.emplace(id, slowed(task.compute, actual / task.duration)).first;
  }
  return known->second;
}

Seconds ActivityReader::contention_of(TaskId id) {
  return beside_of(id).empty() ? Seconds{}
                               : std::max(Seconds{}, timeline_.finish[id] - timeline_.start[id] -
                                                         compute_of(id).total());
}

void ActivityReader::expand(TaskId id, const std::function<void(const Activity&)>& visit) {
  const Task& task = graph_.tasks[id];
  const Interval whole{timeline_.start[id], timeline_.finish[id]};
  switch (task.kind) {
    case TaskKind::Compute:
      visit({.interval = whole,
             .name = graph_.name_of(task),
             .action = task.action,
             .compute = &compute_of(id),
             .contention = contention_of(id)});
      return;
    case TaskKind::Communication:
      visit({whole, graph_.name_of(task), "", task.action, nullptr, task.communication,
             task.part == PartId{0}});
      return;
    case TaskKind::Host:
      return;
    case TaskKind::Run:
      break;
  }
  const PlayedProgram& played = graph_.programs[task.slice.program];
  const SegmentTimes& times = times_of(slice_of(id));
  const Seconds origin = origin_of(id);
  for (std::size_t i = task.slice.first; i < task.slice.last; ++i) {
    const Segment& segment = played.program.segments[i];
    const std::size_t at = i - task.slice.first;
    const std::optional<Action>& action = segment.beside ? task.beside : task.action;
    visit({{origin + times.start[at], origin + times.finish[at]},
           segment.name,
           name_of(action->kind),
           action,
           segment.is_compute ? &played.compute[i] : nullptr,
           played.communications[i],
           true,
           times.longer[at]});
  }
}

void ActivityReader::expand_host(TaskId id, const std::function<void(const Activity&)>& visit) {
  const Task& task = graph_.tasks[id];
  if (task.kind == TaskKind::Host && !task.is_of_run) {
    visit({.interval = {timeline_.start[id], timeline_.finish[id]},
           .name = graph_.name_of(task),
           .action = task.action});
  }
  if (task.kind != TaskKind::Run || task.launched == LaunchedBy::Ahead) {
    return;
  }
  const PlayedProgram& played = graph_.programs[task.slice.program];
  const Seconds lead = task.host ? timeline_.start[id] - timeline_.start[*task.host] : Seconds{};
  const Seconds start = timeline_.start[id];
  const SegmentTimes times = graph_.run_times(task.slice, lead, beside_of(id));
  for (std::size_t i = task.slice.first; i < task.slice.last; ++i) {
    const Seconds end = start + times.launched[i - task.slice.first];
    visit({.interval = {end - played.costs.launches.times[i], end},
           .name = played.program.segments[i].name,
           .action = task.action});
  }
}

}  // namespace danlu
