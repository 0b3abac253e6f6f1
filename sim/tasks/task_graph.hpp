// One training step as data: tasks, and which waits for which. A compute task is a duration; a
// communication is a latency and then one flow over a channel; a run is a pass whose inside nobody
// can disturb, played as one duration and expanded again when the timeline is read. Ranks that are
// not equally fast run a pass on a lane each, and their runs are one joint run.
#pragma once

#include <compare>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/base/id_vector.hpp"
#include "sim/base/lists.hpp"
#include "sim/base/units.hpp"
#include "sim/cluster/jitter.hpp"
#include "sim/cluster/throttle.hpp"
#include "sim/collective/tuning.hpp"
#include "sim/program/play.hpp"
#include "sim/tasks/counted_rounds.hpp"

namespace danlu {

/// Host: it launches what the GPU is to do.
enum class TaskKind : std::uint8_t { Compute, Run, Communication, Host };
/// A link as the engine sees it.
struct ChannelLink {
  BytesPerSecond capacity;
};
/// What a communication loads: links, each as often as the weight says.
struct ChannelLoad {
  FoldedLinkId link{};
  int weight = 1;
};
struct Channel {
  std::vector<ChannelLoad> loads;
};

enum class ComputeTimeId : std::int32_t {};

/// A program as one tensor group plays it, by segment.
struct PlayedProgram {
  std::shared_ptr<const Program> program;  // which groups of other speeds play, too
  std::vector<NameId> names;
  std::vector<ComputeTimeId> compute;  // nothing for exchanges
  SegmentCosts costs;
  std::vector<std::optional<CommunicationId>> communications;  // none for compute
};

/// A part of a communication: a latency, and then one flow of its pattern.
struct CommunicationPart {
  std::optional<PatternClassId> pattern;  // none: no flow
  Seconds latency;
  Bytes stream;
  Seconds alone;                          // how long it takes when nothing else runs
  Seconds lone;                           // and not even the groups that are alike
  std::vector<PartId> after;              // earlier ones that it waits for
  std::vector<RankClassId> rank_classes;  // taking part; sender and receiver of a message
};

/// What communications of one sort have in common, and the parts that each is played as: one for
/// each phase of its algorithm, or for each message. The report adds them up by this.
struct Communication {
  Axis axis = Axis::Tensor;  // what its time counts as
  CollectiveOp op = CollectiveOp::AllReduce;
  std::string_view group;  // "tensor group", "stage to stage", ...
  GroupClassId group_class{};
  int group_size = 1;
  CollectiveChoice choice;
  Bytes bytes_per_rank;                       // of the array (collective) or the message
  Seconds alone;                              // how long one takes when nothing else runs
  GpuShare taken;                             // from compute of its ranks, while it runs
  IdVector<PartId, CommunicationPart> parts;  // the first one waits for none
  std::vector<std::vector<PartId>> ends;      // by class of ranks of the group: those it ends with

  /// The pattern of the part that takes longest; one always has one.
  PatternClassId slowest_pattern() const;
};

/// A slice of a program: the segments [first, last).
struct ProgramSlice {
  PlayedProgramId program{};
  std::size_t first = 0;
  std::size_t last = 0;

  auto operator<=>(const ProgramSlice&) const = default;  // NOLINT(modernize-use-nullptr)
};

enum class LaneSlicesId : std::int32_t {};
enum class JointRunId : std::int32_t {};

/// One slice of a program, as lanes of ranks play it that make its exchanges together.
struct LaneSlices {
  std::vector<ProgramSlice> slices;  // by lane
  bool begins_together = false;      // nothing of it begins before all lanes have come

  auto operator<=>(const LaneSlices&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// Runs that are played together, one for each lane, whose hosts are never late. A lane that has
/// come waits for the others where it meets them. Since every lane is in an exchange, none ends
/// before all have come: then all their ends are known.
struct JointRun {
  LaneSlicesId slices{};
  std::vector<TaskId> lanes;
};

/// How a run waits for its host: not at all; for a host that begins when it does; or for one that
/// is a task of its own and may have begun before.
enum class LaunchedBy : std::uint8_t { Ahead, Together, Task };

struct Task {
  TaskKind kind = TaskKind::Compute;
  Seconds duration;                  // of Compute, Run, Host; latency of Communication
  Bytes bytes;                       // Communication: carried by the flow; 0 ends after the latency
  std::optional<ChannelId> channel;  // Communication; none where it carries nothing
  std::optional<CommunicationId> communication;  // Communication, where it is of a sort
  PartId part{};                                 // Communication
  NameId name{};
  std::optional<Action> action;  // of a pass, or that made what is sent; none at the step's end
  std::optional<Action> beside;  // Run: the second action of a pair
  ProgramSlice slice;            // Run
  std::optional<JointRunId> joint{};        // Run: that it is a lane of
  LaunchedBy launched = LaunchedBy::Ahead;  // Run
  std::optional<TaskId> host{};             // Run: that launches it, where it is played
  Seconds with_host;                        // Run: duration where both start together
  bool open = false;                        // Run: others may load its links while it goes
  bool is_of_run = false;                   // Host
  ComputeTimeId compute{};                  // Compute
  std::uint32_t draw = 0;  // Compute, Run: which of its rank's random factors is its first
  bool on_host = false;    // Compute: by the CPUs, which neither throttle nor jitter
};

/// From `time` on, a link of the graph has the given capacity (more than 0).
struct CapacityChange {
  Seconds time;
  FoldedLinkId link{};
  BytesPerSecond capacity;
};

/// A task that does not begin before.
struct LateBegin {
  TaskId task{};
  Seconds time;
};

struct TaskGraph {
  IdVector<TaskId, Task> tasks;
  std::vector<std::pair<TaskId, TaskId>> edges;  // before, after
  Lists<TaskId, RankClassId> participants;
  IdVector<ChannelId, Channel> channels;  // of a planned step by class of patterns
  IdVector<FoldedLinkId, ChannelLink> links;
  IdVector<CommunicationId, Communication> communications;
  IdVector<ComputeTimeId, ComputeTime> compute_times;
  IdVector<PlayedProgramId, PlayedProgram> programs;
  IdVector<LaneSlicesId, LaneSlices> lane_slices;
  IdVector<JointRunId, JointRun> joint_runs;
  std::vector<CapacityChange> changes;
  std::vector<LateBegin> late;                                 // of each task one at most
  IdVector<RankClassId, std::optional<Throttle>> throttles;    // empty where none throttles
  IdVector<RankClassId, std::optional<JitterFactors>> jitter;  // empty where none jitters
  IdVector<NameId, std::string> names{""};                     // of tasks

  /// The id of a name, which is new or known.
  NameId named(std::string_view name);
  const std::string& name_of(const Task& task) const { return names[task.name]; }
  TaskId add(const Task& task, std::span<const RankClassId> taking_part);
  TaskId add(const Task& task, std::initializer_list<RankClassId> taking_part);
  void add_edge(TaskId before, TaskId after) { edges.emplace_back(before, after); }
  /// "task 7 (forward, 0F3, rank class 2)": for messages.
  std::string describe(TaskId task) const;
  /// How long a task of compute takes that starts then, with jitter and throttling.
  Seconds compute_time(TaskId task, Seconds start) const;
  /// What throttles it; null: nothing does.
  const Throttle* throttle_of(TaskId task) const;
  /// What its kernels jitter by; null: nothing.
  const JitterFactors* jitter_of(TaskId task) const;
  /// So many times its duration a task of compute takes for that.
  double stretch_of(TaskId task) const;
  /// The same of a run, by segment of its slice; empty: it does not jitter. `room` is used again.
  std::vector<double> stretches_of(TaskId run, std::vector<double> room = {}) const;
  /// How long a run takes that starts so long after its host, while others take that.
  Seconds run_time(TaskId task, Seconds lead, const std::vector<TakenFrom>& beside = {}) const;
  /// Inner times of a slice then.
  SegmentTimes run_times(const ProgramSlice& slice, std::optional<Seconds> lead,
                         const std::vector<TakenFrom>& beside,
                         std::vector<double> stretch = {}) const;
  /// The same of lanes that come as they do; LaneStart::costs are filled in.
  std::vector<SegmentTimes>& joint_times(LaneSlicesId slices, std::vector<LaneStart>& lanes,
                                         LanePlayer& player) const;
};

/// The successors of every task, or its predecessors.
using Adjacency = Lists<TaskId, TaskId>;
Adjacency successors(const TaskGraph& graph);
Adjacency predecessors(const TaskGraph& graph);

/// The tasks in an order in which each comes after what it waits for (Boost's topological sort).
/// Throws InternalError naming a task when the graph has a cycle.
std::vector<TaskId> topological_order(const TaskGraph& graph);

/// When every task became ready (its latency runs from there) and when it finished.
struct Timeline {
  IdVector<TaskId, Seconds> start, finish;
  Seconds end;             // of the whole step
  CountedRounds rounds{};  // that were not played

  /// The end of what was played.
  Seconds played() const { return rounds.more > 0 ? rounds.end : end; }
};

}  // namespace danlu
