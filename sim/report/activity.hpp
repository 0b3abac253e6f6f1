// The timeline seen from each class of ranks: what it computed and communicated when, with fused
// runs expanded into their segments.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
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
  const ComputeTime* compute = nullptr;            // of compute; of a run as planned
  std::optional<CommunicationId> communication{};  // of communication
  bool is_first = true;                            // of communication: the first of its parts
  Seconds contention{};                            // of compute: longer for what ran beside it
  double stretch = 1;  // of compute in a run: so many times as long, by jitter
};

/// What segment `at` of a slice computes, by purpose, in a run that took such times; but for what
/// it took longer for what ran beside it.
ComputeTime compute_in_run(const TaskGraph& graph, const ProgramSlice& slice, std::size_t at,
                           const SegmentTimes& times);

enum class PlayedSliceId : std::int32_t {};

/// Expands tasks into activities; keeps the inner times of slices that it has seen, but of runs
/// that jitter, of which there are many and none is like another, only some of the newest.
class ActivityReader {
 public:
  ActivityReader(const TaskGraph& graph, const Timeline& timeline);

  /// Calls `visit` for the task's activities, in order of start within each stream.
  void expand(TaskId task, const std::function<void(const Activity&)>& visit);
  /// What the host launches for a task, segment by segment of a run, where it is played.
  void expand_host(TaskId task, const std::function<void(const Activity&)>& visit);
  /// A task of compute by purpose, what it took longer than on a healthy GPU included.
  const ComputeTime& compute_of(TaskId task);
  /// What it took longer than that, for communications beside it.
  Seconds contention_of(TaskId task);
  /// Runs that were played alike have one; none: its kernels jitter, so that no other is like it.
  std::optional<PlayedSliceId> slice_of(TaskId run);
  /// Inner times of a run, relative to its origin.
  std::shared_ptr<const SegmentTimes> times_of(TaskId run);
  /// Plays a run that jitters, and those that are played with it, and hands on the inner times of
  /// each, which are not kept.
  void visit_drawn(TaskId run, const std::function<void(TaskId, const SegmentTimes&)>& visit);
  /// When the slice of a run began: with its lane, or, of a joint run of which nothing begins
  /// before all lanes have come, with the last of them; the lane has waited so long.
  Seconds origin_of(TaskId run) const;

 private:
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
  using LaneTimes = std::vector<std::shared_ptr<const SegmentTimes>>;

  bool has_beside(TaskId task) const;
  std::vector<TakenFrom> beside_of(TaskId task) const;
  PlayedLane lane_of(TaskId run, Seconds last_came);
  std::optional<Seconds> lead_of(TaskId run);
  std::vector<PlayedSliceId> slices_of(const JointRun& joint, Seconds last_came);
  PlayedSliceId known(PlayedSlice slice);
  std::shared_ptr<const SegmentTimes> times_of_slice(PlayedSliceId id);
  bool jitters(TaskId run) const;
  const LaneTimes& drawn_lanes(TaskId run);
  LaneTimes play_drawn(TaskId run);

  const TaskGraph& graph_;
  const Timeline& timeline_;
  IdVector<RankClassId, std::vector<TakenFrom>> taken_;
  IdVector<JointRunId, Seconds> last_came_;  // of its lanes
  std::map<PlayedSlice, PlayedSliceId> ids_;
  IdVector<PlayedSliceId, const PlayedSlice*> slices_;
  IdVector<PlayedSliceId, std::shared_ptr<const SegmentTimes>> times_;  // null: not yet known
  // Beside which nothing was taken: short cuts to `ids_`.
  std::map<std::pair<ProgramSlice, std::optional<Seconds>>, PlayedSliceId> alone_;  // by lead
  IdVector<LaneSlicesId, std::vector<PlayedSliceId>> together_;                     // by lane
  IdVector<JointRunId, std::vector<PlayedSliceId>> joint_;  // by lane; empty: not yet known
  std::map<ProgramSlice, Seconds> enough_;  // by so much a host must be ahead never to be late
  std::map<TaskId, ComputeTime> uneven_;    // tasks that took longer or shorter than planned
  std::map<TaskId, LaneTimes> drawn_;       // the newest of runs that jitter, by their first lane
  std::deque<TaskId> newest_drawn_;         // of these the last one last
  std::size_t drawn_segments_ = 0;          // that these have
  LanePlayer player_;
  std::vector<LaneStart> starts_;  // of lanes that are played: room
};

}  // namespace danlu
