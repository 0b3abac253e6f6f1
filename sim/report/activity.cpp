#include "sim/report/activity.hpp"

namespace danlu {

const SegmentTimes& ActivityReader::times_of(const ProgramSlice& slice) {
  auto known = slices_.find(slice);
  if (known == slices_.end()) {
    const PlayedProgram& played = graph_.programs[slice.program];
    known =
        slices_
            .emplace(slice, play_alone(played.program, slice.first, slice.last, played.durations))
            .first;
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
    case TaskKind::Run:
      break;
  }
  const PlayedProgram& played = graph_.programs[task.slice.program];
  const SegmentTimes& times = times_of(task.slice);
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

}  // namespace danlu
