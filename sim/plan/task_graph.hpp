// One training step as data: tasks, and which waits for which. A compute task is a duration; a
// communication is a latency and then one flow over a channel; a run is a pass whose inside nobody
// can disturb, played as one duration and expanded again when the timeline is read.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"
#include "sim/cluster/throttle.hpp"
#include "sim/collective/tuning.hpp"
#include "sim/plan/program.hpp"

namespace danlu {

enum class TaskKind { Compute, Run, Communication };
/// A link as the engine sees it.
struct ChannelLink {
  BytesPerSecond capacity;
};
/// What a communication loads: links (of TaskGraph::links), each as often as the weight says.
struct ChannelLoad {
  int link = 0;
  int weight = 1;
};
struct Channel {
  std::vector<ChannelLoad> loads;
};

/// A program as one tensor group plays it, by segment.
struct PlayedProgram {
  Program program;
  std::vector<NameId> names;
  std::vector<ComputeTime> compute;  // nothing for exchanges
  std::vector<Seconds> durations;    // when nothing disturbs them
  std::vector<int> infos;            // of TaskGraph::communications; -1 for compute
};

/// A part of a communication: a latency, and then one flow of its pattern.
struct CommunicationPart {
  int pattern = -1;  // of Fold::patterns; -1: no flow
  Seconds latency;
  Bytes stream;
  Seconds alone;           // how long it takes when nothing else runs
  std::vector<int> after;  // earlier parts that it waits for
  std::vector<int> units;  // taking part; sender and receiver of a message
};

/// What communications of one sort have in common, and the parts that each is played as: one for
/// each phase of its algorithm, or for each message. The report adds them up by this.
struct CommunicationInfo {
  Axis axis = Axis::Tensor;  // what its time counts as
  CollectiveOp op = CollectiveOp::AllReduce;
  std::string_view group;  // "tensor group", "stage to stage", ...
  int group_class = -1;    // of Fold::groups
  int group_size = 1;
  CollectiveChoice choice;
  Bytes bytes_per_rank;                  // of the array (collective) or the message
  Seconds alone;                         // how long one takes when nothing else runs
  std::vector<CommunicationPart> parts;  // the first one waits for none
  std::vector<std::vector<int>> ends;    // by unit of the group: the parts that it ends with

  /// The pattern of the part that takes longest.
  int slowest_pattern() const;
};

/// A slice of a program: the segments [first, last).
struct ProgramSlice {
  int program = -1;
  int first = 0;
  int last = 0;
};

struct Task {
  TaskKind kind = TaskKind::Compute;
  Seconds duration;  // of Compute and Run; latency of Communication
  Bytes bytes;       // Communication: carried by the flow; 0 ends after the latency
  int channel = -1;  // Communication; -1 where it carries nothing
  int info = -1;     // Communication: index into TaskGraph::communications
  int part = 0;      // Communication: of the info's parts
  NameId name{};
  int microbatch = -1;  // -1 where there is none
  ProgramSlice slice;   // Run
  ComputeTime compute;  // Compute
  double stretch = 1;   // Compute: by jitter, so many times `duration`
};

/// From `time` on, a link of the graph has the given capacity (more than 0).
struct CapacityChange {
  Seconds time;
  int link = 0;
  BytesPerSecond capacity;
};

struct TaskGraph {
  std::vector<Task> tasks;
  std::vector<std::pair<TaskId, TaskId>> edges;  // before, after
  std::vector<std::vector<int>> participants;    // units, by task
  std::vector<Channel> channels;
  std::vector<ChannelLink> links;
  std::vector<CommunicationInfo> communications;
  std::vector<PlayedProgram> programs;
  std::vector<CapacityChange> changes;
  std::vector<std::optional<Throttle>> throttles;  // by unit; empty where none throttles
  int units = 0;
  std::vector<std::string> names{""};  // of tasks

  /// The number of a name, which is new or known.
  NameId named(std::string_view name);
  const std::string& name_of(const Task& task) const { return names[index(task.name)]; }
  TaskId add(const Task& task, std::vector<int> units_taking_part);
  void add_edge(TaskId before, TaskId after) { edges.emplace_back(before, after); }
  /// "forward 3 on unit 2": for messages.
  std::string describe(TaskId task) const;
  /// How long a task of compute takes that starts then, with jitter and throttling.
  Seconds compute_time(TaskId task, Seconds start) const;
};

/// Successors by task, in one array.
struct Adjacency {
  std::vector<std::int32_t> offsets;  // tasks + 1
  std::vector<TaskId> targets;

  std::span<const TaskId> of(TaskId task) const {
    const std::size_t begin = static_cast<std::size_t>(offsets[index(task)]);
    const std::size_t end = static_cast<std::size_t>(offsets[index(task) + 1]);
    return std::span(targets).subspan(begin, end - begin);
  }
};
Adjacency successors(const TaskGraph& graph);
Adjacency predecessors(const TaskGraph& graph);

/// The tasks in an order in which each comes after what it waits for (Boost's topological sort).
/// Throws InternalError naming a task when the graph has a cycle.
std::vector<TaskId> topological_order(const TaskGraph& graph);

/// When every task became ready (its latency runs from there) and when it finished.
struct Timeline {
  std::vector<Seconds> start, finish;  // by task
  Seconds end;
};

}  // namespace danlu
