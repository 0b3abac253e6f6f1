// Inside sim/engine: joint runs (TaskGraph::joint_runs), passes of ranks that are not equally fast,
// whose exchanges nobody else can disturb. A run of a lane starts when the lane comes; when the
// last one has come, all are played by hand (sim/program/play.hpp) and their ends are known:
//
//   lane 1      comes |------------------ ends
//   lane 2                 comes |------- ends
//                               played
//
// What others take from the GPUs of a lane meanwhile is kept, and the ends are found anew.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "sim/engine/open_runs.hpp"
#include "sim/tasks/taken.hpp"
#include "sim/tasks/task_graph.hpp"

namespace danlu {

/// The joint runs of a graph while they go. One class, since lanes that come, end and lose pace
/// change the same runs.
template <typename Network>
class JointRuns {
 public:
  JointRuns(const TaskGraph& graph, Network& network, const TakenByClass& taken)
      : graph_(graph),
        network_(network),
        taken_(taken),
        joints_(graph.joint_runs.size()),
        at_once_(graph.lane_slices.size()),
        joints_of_(taken.classes()) {}

  /// A lane comes.
  void start(TaskId id) {
    const JointRunId joint_id = *graph_.tasks[id].joint;
    const std::vector<TaskId>& lanes = graph_.joint_runs[joint_id].lanes;
    Joint& joint = joints_[joint_id];
    joint.lanes.resize(lanes.size());
    LaneStart& lane = joint.lanes[lane_of(joint_id, id)];
    lane.entry = now();
    if (taken_.any()) {
      const RankClassId ranks = graph_.participants.of(id).front();
      const GpuShare taken = taken_.from(ranks);
      if (!taken.nothing()) {
        lane.beside.push_back({now(), taken});
      }
      joints_of_[ranks].push_back(joint_id);
    }
    if (++joint.come == lanes.size()) {
      joint.last_came = now();
      find_ends(joint_id);
    }
  }

  void ring(Alarm alarm) {
    const auto id = make_id<JointRunId>(alarm.of);
    if (joints_[id].number == alarm.number) {
      end_lanes(id);
    }
  }

  /// What others take from these ranks has changed.
  void change_taken(std::span<const RankClassId> classes) {
    for (const RankClassId ranks : classes) {
      for (const JointRunId id : joints_of_[ranks]) {
        change_taken(id, ranks);
      }
    }
  }

  EndedRuns& ended() { return ended_; }

 private:
  struct Joint {
    std::vector<LaneStart> lanes{};
    std::size_t come = 0;
    Seconds last_came{};
    std::uint32_t number = 0;                          // of the newest alarm
    std::vector<std::pair<Seconds, TaskId>> to_end{};  // the first one last
  };

  Seconds now() const { return network_.now(); }

  std::size_t lane_of(JointRunId joint, TaskId id) const {
    const std::vector<TaskId>& lanes = graph_.joint_runs[joint].lanes;
    return static_cast<std::size_t>(std::find(lanes.begin(), lanes.end(), id) - lanes.begin());
  }

  void find_ends(JointRunId id) {
    Joint& joint = joints_[id];
    const std::vector<TaskId>& lanes = graph_.joint_runs[id].lanes;
    const std::vector<Seconds> ends = ends_of(id);
    if (joint.to_end.empty()) {
      for (const TaskId lane : lanes) {
        joint.to_end.emplace_back(Seconds{}, lane);
      }
    }
    for (auto& [end, lane] : joint.to_end) {
      end = joint.last_came + ends[lane_of(id, lane)];
    }
    std::sort(joint.to_end.rbegin(), joint.to_end.rend());
    set_alarm(id);
  }

  /// By lane, after the last one has come.
  std::vector<Seconds> ends_of(JointRunId id) {
    const Joint& joint = joints_[id];
    const LaneSlicesId slices = graph_.joint_runs[id].slices;
    const bool at_once =
        graph_.jitter.empty() &&
        std::all_of(joint.lanes.begin(), joint.lanes.end(), [&](const LaneStart& lane) {
          return lane.beside.empty() &&
                 (graph_.lane_slices[slices].begins_together || lane.entry == joint.last_came);
        });
    if (at_once && !at_once_[slices].empty()) {
      return at_once_[slices];
    }
    starts_.resize(joint.lanes.size());
    for (std::size_t i = 0; i < starts_.size(); ++i) {
      LaneStart& lane = starts_[i];
      lane.stretch = graph_.stretches_of(graph_.joint_runs[id].lanes[i], std::move(lane.stretch));
      lane.entry = at_once ? Seconds{} : joint.lanes[i].entry - joint.last_came;
      lane.beside = joint.lanes[i].beside;
      for (TakenFrom& step : lane.beside) {
        step.at -= joint.last_came;
      }
    }
    std::vector<Seconds> ends;
    for (const SegmentTimes& times : graph_.joint_times(slices, starts_, player_)) {
      ends.push_back(times.total);
    }
    if (at_once) {
      at_once_[slices] = ends;
    }
    return ends;
  }

  void set_alarm(JointRunId id) {
    Joint& joint = joints_[id];
    network_.at(std::max(now(), joint.to_end.back().first),
                {Alarm::What::Joint, static_cast<std::uint32_t>(index(id)), ++joint.number});
  }

  void end_lanes(JointRunId id) {
    Joint& joint = joints_[id];
    const Seconds end = joint.to_end.back().first;
    while (!joint.to_end.empty() && joint.to_end.back().first <= end) {
      const TaskId task = joint.to_end.back().second;
      joint.to_end.pop_back();
      ended_.add(task);
      if (taken_.any()) {
        std::erase(joints_of_[graph_.participants.of(task).front()], id);
      }
    }
    if (joint.to_end.empty()) {
      joint = {.number = joint.number};
    } else {
      set_alarm(id);
    }
  }

  void change_taken(JointRunId id, RankClassId ranks) {
    Joint& joint = joints_[id];
    const std::vector<TaskId>& lanes = graph_.joint_runs[id].lanes;
    const auto of_ranks = std::find_if(lanes.begin(), lanes.end(), [&](TaskId task) {
      return graph_.participants.of(task).front() == ranks;
    });
    std::vector<TakenFrom>& beside =
        joint.lanes[static_cast<std::size_t>(of_ranks - lanes.begin())].beside;
    const GpuShare taken = taken_.from(ranks);
    if (taken == (beside.empty() ? GpuShare{} : beside.back().taken)) {
      return;
    }
    if (beside.empty() || beside.back().at < now()) {
      beside.push_back({now(), taken});
    }
    beside.back().taken = taken;
    if (!joint.to_end.empty()) {
      find_ends(id);
    }
  }

  const TaskGraph& graph_;
  Network& network_;
  const TakenByClass& taken_;
  IdVector<JointRunId, Joint> joints_;
  IdVector<LaneSlicesId, std::vector<Seconds>> at_once_;      // ends of lanes that come together
  IdVector<RankClassId, std::vector<JointRunId>> joints_of_;  // those that go
  EndedRuns ended_;
  LanePlayer player_;
  std::vector<LaneStart> starts_;  // of lanes that are played: room
};

}  // namespace danlu
