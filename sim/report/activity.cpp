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

/// Of steps sorted by time.
std::vector<TakenFrom>::const_iterator first_after(const std::vector<TakenFrom>& steps,
                                                   Seconds at) {
  return std::upper_bound(steps.begin(), steps.end(), at,
                          [](Seconds time, const TakenFrom& step) { return time < step.at; });
}

}  // namespace

ComputeTime compute_in_run(const TaskGraph& graph, const ProgramSlice& slice, std::size_t at,
                           const SegmentTimes& times) {
  const ComputeTime& planned =
      graph.compute_times[graph.programs[slice.program].compute[slice.first + at]];
  return times.stretch.empty() ? planned : slowed(planned, times.stretch[at]);
}

ActivityReader::ActivityReader(const TaskGraph& graph, const Timeline& timeline)
    : graph_(graph),
      timeline_(timeline),
      taken_(taken_over_time(graph, timeline)),
      together_(graph.lane_slices.size()),
      joint_(graph.joint_runs.size()) {
  for (const JointRun& joint : graph.joint_runs) {
    Seconds& last = last_came_[last_came_.push_back(timeline.start[joint.lanes.front()])];
    for (const TaskId lane : joint.lanes) {
      last = std::max(last, timeline.start[lane]);
    }
  }
}

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

bool ActivityReader::jitters(TaskId run) const {
  if (graph_.jitter.empty()) {
    return false;
  }
  const std::optional<JointRunId> joint = graph_.tasks[run].joint;
  const std::vector<TaskId> alone{run};
  const std::vector<TaskId>& lanes = joint ? graph_.joint_runs[*joint].lanes : alone;
  return std::any_of(lanes.begin(), lanes.end(),
                     [&](TaskId lane) { return graph_.jitter_of(lane) != nullptr; });
}

std::shared_ptr<const SegmentTimes> ActivityReader::times_of(TaskId run) {
  if (const std::optional<PlayedSliceId> slice = slice_of(run)) {
    return times_of_slice(*slice);
  }
  const std::optional<JointRunId> joint = graph_.tasks[run].joint;
  if (!joint) {
    return play_drawn(run).front();
  }
  const std::vector<TaskId>& lanes = graph_.joint_runs[*joint].lanes;
  const auto lane = std::find(lanes.begin(), lanes.end(), run) - lanes.begin();
  return drawn_lanes(run)[static_cast<std::size_t>(lane)];
}

/// Whoever reads the report's ranks one after the other comes back to a joint run once for each of
/// its lanes, and meanwhile to all others of these lanes: so many are kept.
const ActivityReader::LaneTimes& ActivityReader::drawn_lanes(TaskId run) {
  constexpr std::size_t kMostSegments = 2'000'000;  // of 32 bytes
  const std::vector<TaskId>& lanes = graph_.joint_runs[*graph_.tasks[run].joint].lanes;
  const auto segments_of = [&](TaskId lane) {
    const ProgramSlice& slice = graph_.tasks[lane].slice;
    return (slice.last - slice.first) * graph_.joint_runs[*graph_.tasks[lane].joint].lanes.size();
  };
  const auto [known, is_new] = drawn_.try_emplace(lanes.front());
  if (is_new) {
    known->second = play_drawn(run);
    newest_drawn_.push_back(lanes.front());
    drawn_segments_ += segments_of(lanes.front());
    while (drawn_segments_ > kMostSegments && newest_drawn_.size() > 1) {
      drawn_segments_ -= segments_of(newest_drawn_.front());
      drawn_.erase(newest_drawn_.front());
      newest_drawn_.pop_front();
    }
  }
  return known->second;
}

ActivityReader::LaneTimes ActivityReader::play_drawn(TaskId run) {
  LaneTimes times;
  visit_drawn(run, [&](TaskId, const SegmentTimes& played) {
    times.push_back(std::make_shared<const SegmentTimes>(played));
  });
  return times;
}

void ActivityReader::visit_drawn(TaskId run,
                                 const std::function<void(TaskId, const SegmentTimes&)>& visit) {
  const std::optional<JointRunId> joint = graph_.tasks[run].joint;
  const std::vector<TaskId> alone{run};
  const std::vector<TaskId>& lanes = joint ? graph_.joint_runs[*joint].lanes : alone;
  const ProgramSlice& slice = graph_.tasks[lanes.front()].slice;
  starts_.resize(lanes.size());
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    PlayedLane lane = lane_of(lanes[i], joint ? last_came_[*joint] : timeline_.start[run]);
    LaneStart& start = starts_[i];
    start.costs = &graph_.programs[graph_.tasks[lanes[i]].slice.program].costs;
    start.entry = lane.entry;
    start.lead = lane.lead;
    start.beside = std::move(lane.beside);
    start.stretch = graph_.stretches_of(lanes[i], std::move(start.stretch));
  }
  std::vector<SegmentTimes>& times =
      player_.play(*graph_.programs[slice.program].program, slice.first, slice.last, starts_);
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    shift(times[i], -1 * starts_[i].entry);
    visit(lanes[i], times[i]);
  }
}

std::optional<PlayedSliceId> ActivityReader::slice_of(TaskId run) {
  const Task& task = graph_.tasks[run];
  if (jitters(run)) {
    return {};
  }
  if (task.joint) {
    const JointRun& joint = graph_.joint_runs[*task.joint];
    std::vector<PlayedSliceId>& by_lane = joint_[*task.joint];
    if (by_lane.empty()) {
      by_lane = slices_of(joint, last_came_[*task.joint]);
    }
    const auto lane = std::find(joint.lanes.begin(), joint.lanes.end(), run);
    return by_lane[static_cast<std::size_t>(lane - joint.lanes.begin())];
  }
  const std::optional<Seconds> lead = lead_of(run);
  if (has_beside(run)) {
    return known({.slice = task.slice, .lanes = {{{}, lead, beside_of(run)}}});
  }
  const auto [found, is_new] = alone_.try_emplace({task.slice, lead});
  if (is_new) {
    found->second = known({.slice = task.slice, .lanes = {{{}, lead, {}}}});
  }
  return found->second;
}

/// By lane. Where nothing was taken, lanes that begin together always do the same.
std::vector<PlayedSliceId> ActivityReader::slices_of(const JointRun& joint, Seconds last_came) {
  const LaneSlices& lanes = graph_.lane_slices[joint.slices];
  const bool is_plain =
      lanes.begins_together && std::none_of(joint.lanes.begin(), joint.lanes.end(),
                                            [&](TaskId lane) { return has_beside(lane); });
  std::vector<PlayedSliceId>& plain = together_[joint.slices];
  if (is_plain && !plain.empty()) {
    return plain;
  }
  PlayedSlice played{.slice = {}, .lanes = {}, .joint = joint.slices};
  for (const TaskId lane : joint.lanes) {
    played.lanes.push_back(lane_of(lane, last_came));
  }
  std::vector<PlayedSliceId> by_lane;
  for (; played.lane < lanes.slices.size(); ++played.lane) {
    played.slice = lanes.slices[played.lane];
    by_lane.push_back(known(played));
  }
  if (is_plain) {
    plain = by_lane;
  }
  return by_lane;
}

PlayedSliceId ActivityReader::known(PlayedSlice slice) {
  const auto [found, is_new] = ids_.try_emplace(std::move(slice), slices_.next_id());
  if (is_new) {
    slices_.push_back(&found->first);
    times_.push_back(nullptr);
  }
  return found->second;
}

Seconds ActivityReader::origin_of(TaskId run) const {
  const std::optional<JointRunId> id = graph_.tasks[run].joint;
  return id && graph_.lane_slices[graph_.joint_runs[*id].slices].begins_together
             ? last_came_[*id]
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

/// Whether anything was taken from its compute while it went on.
bool ActivityReader::has_beside(TaskId task) const {
  if (taken_.empty() || graph_.tasks[task].on_host) {
    return false;
  }
  const std::span<const RankClassId> taking_part = graph_.participants.of(task);
  return std::any_of(taking_part.begin(), taking_part.end(), [&](RankClassId ranks) {
    const std::vector<TakenFrom>& steps = taken_[ranks];
    const auto next = first_after(steps, timeline_.start[task]);
    return (next != steps.begin() && !std::prev(next)->taken.nothing()) ||
           (next != steps.end() && next->at < timeline_.finish[task]);
  });
}

/// Relative to its start; empty where nothing was taken.
std::vector<TakenFrom> ActivityReader::beside_of(TaskId task) const {
  if (!has_beside(task)) {
    return {};
  }
  const Interval whole{timeline_.start[task], timeline_.finish[task]};
  std::vector<Seconds> times{whole.start};
  for (const RankClassId ranks : graph_.participants.of(task)) {
    const std::vector<TakenFrom>& steps = taken_[ranks];
    for (auto step = first_after(steps, whole.start);
         step != steps.end() && step->at < whole.finish; ++step) {
      times.push_back(step->at);
    }
  }
  std::sort(times.begin(), times.end());
  std::vector<TakenFrom> beside;
  for (const Seconds at : times) {
    GpuShare taken;
    for (const RankClassId ranks : graph_.participants.of(task)) {
      const auto next = first_after(taken_[ranks], at);
      taken = next == taken_[ranks].begin() ? taken : most_of(taken, std::prev(next)->taken);
    }
    if (taken != (beside.empty() ? GpuShare{} : beside.back().taken)) {
      beside.push_back({at - whole.start, taken});
    }
  }
  return beside;
}

std::shared_ptr<const SegmentTimes> ActivityReader::times_of_slice(PlayedSliceId id) {
  if (times_[id]) {
    return times_[id];
  }
  const PlayedSlice& played = *slices_[id];
  if (!played.joint) {
    const PlayedLane& alone = played.lanes.front();
    times_[id] = std::make_shared<const SegmentTimes>(
        graph_.run_times(played.slice, alone.lead, alone.beside));
    return times_[id];
  }
  std::vector<LaneStart> lanes;
  for (const PlayedLane& lane : played.lanes) {
    lanes.push_back({.entry = lane.entry, .lead = lane.lead, .beside = lane.beside});
  }
  std::vector<SegmentTimes>& times = graph_.joint_times(*played.joint, lanes, player_);
  PlayedSlice own = played;
  for (own.lane = 0; own.lane < times.size(); ++own.lane) {
    own.slice = graph_.lane_slices[*played.joint].slices[own.lane];
    shift(times[own.lane], -1 * own.lanes[own.lane].entry);
    times_[known(own)] = std::make_shared<const SegmentTimes>(std::move(times[own.lane]));
  }
  return times_[id];
}

const ComputeTime& ActivityReader::compute_of(TaskId id) {
  const Task& task = graph_.tasks[id];
  const bool throttles = !task.on_host && !graph_.throttles.empty() &&
                         graph_.throttles[graph_.participants.of(id).front()];
  if ((graph_.jitter_of(id) == nullptr && !throttles) || task.duration == Seconds{}) {
    return graph_.compute_times[task.compute];
  }
  auto known = uneven_.find(id);
  if (known == uneven_.end()) {
    const Seconds actual = graph_.compute_time(id, timeline_.start[id]);
    const ComputeTime& planned = graph_.compute_times[task.compute];
    known = uneven_.emplace(id, slowed(planned, actual / task.duration)).first;
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
             graph_.communications[*task.communication].parts[task.part].after.empty()});
      return;
    case TaskKind::Host:
      return;
    case TaskKind::Run:
      break;
  }
  const PlayedProgram& played = graph_.programs[task.slice.program];
  const std::shared_ptr<const SegmentTimes> played_times = times_of(id);
  const SegmentTimes& times = *played_times;
  const Seconds origin = origin_of(id);
  for (std::size_t i = task.slice.first; i < task.slice.last; ++i) {
    const Segment& segment = played.program->segments[i];
    const std::size_t at = i - task.slice.first;
    const std::optional<Action>& action = segment.beside ? task.beside : task.action;
    visit({{origin + times.start[at], origin + times.finish[at]},
           segment.name,
           name_of(action->kind),
           action,
           segment.is_compute ? &graph_.compute_times[played.compute[i]] : nullptr,
           played.communications[i],
           true,
           times.longer[at],
           times.stretch.empty() ? 1 : times.stretch[at]});
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
  const SegmentTimes times =
      graph_.run_times(task.slice, lead, beside_of(id), graph_.stretches_of(id));
  for (std::size_t i = task.slice.first; i < task.slice.last; ++i) {
    const Seconds end = start + times.launched[i - task.slice.first];
    visit({.interval = {end - played.costs.launches.times[i], end},
           .name = played.program->segments[i].name,
           .action = task.action});
  }
}

}  // namespace danlu
