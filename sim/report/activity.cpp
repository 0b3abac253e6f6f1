#include "sim/report/activity.hpp"

#include <algorithm>
#include <cmath>

namespace danlu {

namespace {

SegmentTimes times_in(const PlayedProgram& played, const ProgramSlice& slice,
                      std::optional<Seconds> lead) {
  return play_alone(played.program, slice.first, slice.last, played.durations,
                    lead ? played.launches : Launches{}, lead.value_or(Seconds{}));
}

}  // namespace

ActivityReader::PlayedSlice ActivityReader::slice_of(TaskId run) {
  const Task& task = graph_.tasks[run];
  switch (task.launched) {
    case LaunchedBy::Ahead:
      return {task.slice, {}};
    case LaunchedBy::Together:
      return {task.slice, Seconds{}};
    case LaunchedBy::Task:
      break;
  }
  const auto [known, is_new] = enough_.try_emplace(task.slice);
  if (is_new) {
    const PlayedProgram& played = graph_.programs[task.slice.program];
    const SegmentTimes free = times_in(played, task.slice, {});
    Seconds clock;
    for (std::size_t i = task.slice.first; i < task.slice.last; ++i) {
      clock += played.launches.times[i];
      known->second = std::max(known->second, clock - free.start[i - task.slice.first]);
    }
  }
  constexpr double kGrid = 1e-12;  // s: leads that differ by rounding are one
  const Seconds lead = timeline_.start[run] - timeline_.start[*task.host];
  if (lead >= known->second) {
    return {task.slice, {}};
  }
  return {task.slice, Seconds{std::round(lead.value / kGrid) * kGrid}};
}

const SegmentTimes& ActivityReader::times_of(const PlayedSlice& played) {
  const auto [known, is_new] = slices_.try_emplace(played);
  if (is_new) {
    const auto& [slice, lead] = played;
    known->second = times_in(graph_.programs[slice.program], slice, lead);
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
    const Seconds actual = timeline_.finish[id] - timeline_.start[id];
    known = uneven_.emplace(id, slowed(task.compute, actual / task.duration)).first;
  }
  return known->second;
}

void ActivityReader::expand(TaskId id, const std::function<void(const Activity&)>& visit) {
  const Task& task = graph_.tasks[id];
  const Interval whole{timeline_.start[id], timeline_.finish[id]};
  switch (task.kind) {
    case TaskKind::Compute:
      visit({whole, graph_.name_of(task), "", task.action, &compute_of(id)});
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
           played.communications[i]});
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
  const SegmentTimes times = times_in(played, task.slice, lead);
  for (std::size_t i = task.slice.first; i < task.slice.last; ++i) {
    const Seconds end = start + times.launched[i - task.slice.first];
    visit({.interval = {end - played.launches.times[i], end},
           .name = played.program.segments[i].name,
           .action = task.action});
  }
}

}  // namespace danlu
