#include "sim/report/activity.hpp"

#include <algorithm>
#include <cmath>

namespace danlu {

ActivityReader::PlayedSlice ActivityReader::slice_of(TaskId run) {
  return {graph_.tasks[run].slice, lead_of(run), beside_of(run)};
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
  constexpr double kGrid = 1e-12;  // s: leads that differ by rounding are one
  const Seconds lead = timeline_.start[run] - timeline_.start[*task.host];
  return lead >= known->second ? std::nullopt
                               : std::optional(Seconds{std::round(lead.value / kGrid) * kGrid});
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
  const auto [known, is_new] = slices_.try_emplace(played);
  if (is_new) {
    known->second = graph_.run_times(played.slice, played.lead, played.beside);
  }
  return known->second;
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
  for (std::size_t i = task.slice.first; i < task.slice.last; ++i) {
    const Segment& segment = played.program.segments[i];
    const std::size_t at = i - task.slice.first;
    const std::optional<Action>& action = segment.beside ? task.beside : task.action;
    visit({{whole.start + times.start[at], whole.start + times.finish[at]},
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
