#include "sim/report/activity.hpp"

namespace danlu {

const SegmentTimes& ActivityReader::times_of(const ProgramSlice& slice) {
  const auto key = std::tuple(slice.program, slice.first, slice.last);
  auto known = slices_.find(key);
  if (known == slices_.end()) {
    const PlayedProgram& played = graph_.programs[static_cast<std::size_t>(slice.program)];
    known =
        slices_.emplace(key, play_alone(played.program, slice.first, slice.last, played.durations))
            .first;
  }
  return known->second;
}

const ComputeTime& ActivityReader::compute_of(TaskId id) {
  const Task& task = graph_.tasks[index(id)];
  const bool throttles =
      !graph_.throttles.empty() &&
      graph_.throttles[static_cast<std::size_t>(graph_.participants[index(id)].front())];
  if ((task.stretch == 1 && !throttles) || task.duration == Seconds{}) {
    return task.compute;
  }
  auto known = uneven_.find(id);
  if (known == uneven_.end()) {
    const Seconds actual = timeline_.finish[index(id)] - timeline_.start[index(id)];
    known = uneven_.emplace(id, slowed(task.compute, actual / task.duration)).first;
  }
  return known->second;
}

void ActivityReader::expand(TaskId id, const std::function<void(const Activity&)>& visit) {
  const Task& task = graph_.tasks[index(id)];
  const Interval whole{timeline_.start[index(id)], timeline_.finish[index(id)]};
  switch (task.kind) {
    case TaskKind::Compute:
      visit({whole, graph_.name_of(task), "", task.microbatch, &compute_of(id), -1});
      return;
    case TaskKind::Communication:
      visit({whole, graph_.name_of(task), "", task.microbatch, nullptr, task.info, task.part == 0});
      return;
    case TaskKind::Run:
      break;
  }
  const PlayedProgram& played = graph_.programs[static_cast<std::size_t>(task.slice.program)];
  const SegmentTimes& times = times_of(task.slice);
  for (int i = task.slice.first; i < task.slice.last; ++i) {
    const Segment& segment = played.program.segments[static_cast<std::size_t>(i)];
    const auto at = static_cast<std::size_t>(i - task.slice.first);
    visit({{whole.start + times.start[at], whole.start + times.finish[at]},
           segment.name,
           graph_.name_of(task),
           task.microbatch,
           segment.is_compute ? &played.compute[static_cast<std::size_t>(i)] : nullptr,
           played.infos[static_cast<std::size_t>(i)]});
  }
}

}  // namespace danlu
