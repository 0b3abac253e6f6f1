// The timeline seen from each class of ranks: what it computed and communicated when, with fused
// runs expanded into their segments.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <vector>

#include "sim/report/intervals.hpp"
#include "sim/tasks/plan_step.hpp"
#include "sim/tasks/taken.hpp"

namespace danlu {

/// A stretch of compute or one communication of a class of ranks.
struct Activity {
  Interval interval;
  std::string_view name;
  std::string_view pass;                           // "forward" or "backward" inside a run, else ""
  std::optional<Action> action;                    // Task::action, or of a pair the one it is of
  const ComputeTime* compute = nullptr;            // of compute
  std::optional<CommunicationId> communication{};  // of communication
  bool is_first = true;                            // of communication: the first of its parts
  Seconds contention{};                            // of compute: longer for what ran beside it
};

/// Expands tasks into activities; keeps the inner times of slices that it has seen.
class ActivityReader {
 public:
  ActivityReader(const TaskGraph& graph, const Timeline& timeline)
      : graph_(graph), timeline_(timeline), taken_(taken_over_time(graph, timeline)) {}

  /// Calls `visit` for the task's activities, in order of start within each stream.
  void expand(TaskId task, const std::function<void(const Activity&)>& visit);
  /// What the host launches for a task, segment by segment of a run, where it is played.
  void expand_host(TaskId task, const std::function<void(const Activity&)>& visit);
  /// A task of compute by purpose, what it took longer than on a healthy GPU included.
  const ComputeTime& compute_of(TaskId task);
  /// What it took longer than that, for communications beside it.
  Seconds contention_of(TaskId task);
  /// How a lane came to a slice: when, of a joint run; how far its host was ahead, where that
  /// matters; and what was taken from its compute meanwhile.
  struct PlayedLane {
    Seconds entry{};
    std::optional<Seconds> lead;
    std::vector<TakenFrom> beside{};
    auto operator<=>(const PlayedLane&) const = default;  // NOLINT(modernize-use-nullptr)
  };
  /// A run's slice, and how it was played: by itself, or on a lane of those that are played
  /// together.
  struct PlayedSlice {
    ProgramSlice slice;
    std::vector<PlayedLane> lanes;
    std::optional<LaneSlicesId> joint{};
    std::size_t lane = 0;
    auto operator<=>(const PlayedSlice&) const = default;  // NOLINT(modernize-use-nullptr)
  };
  PlayedSlice slice_of(TaskId run);
  /// Its inner times, relative to its origin.
  const SegmentTimes& times_of(const PlayedSlice& played);
  /// When the slice of a run began: with its lane, or, of a joint run of which nothing begins
  /// before all lanes have come, with the last of them; the lane has waited so long.
  Seconds origin_of(TaskId run) const;

 private:
  std::vector<TakenFrom> beside_of(TaskId task) const;
  PlayedLane lane_of(TaskId run, Seconds last_came);
  Seconds last_of(const JointRun& joint) const;
  std::optional<Seconds> lead_of(TaskId run);

  const TaskGraph& graph_;
  const Timeline& timeline_;
  IdVector<RankClassId, std::vector<TakenFrom>> taken_;
  std::map<PlayedSlice, SegmentTimes> slices_;
  std::map<ProgramSlice, Seconds> enough_;  // by so much a host must be ahead never to be late
  std::map<TaskId, ComputeTime> uneven_;    // tasks that took longer or shorter than planned
};

}  // namespace danlu
