// Inside sim/tasks: a step while it is planned. Three parts are added one after the other, each by
// its own file:
//
//   lower_passes    what every stage group computes, in schedule order    lower_passes.cpp
//   lower_sends     activations and gradients between stages       lower_sends.cpp
//   lower_ends      reductions, optimizer, gathers                 lower_ends.cpp
#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/program/step_program.hpp"
#include "sim/tasks/plan_step.hpp"
#include "sim/workload/kernels.hpp"

namespace danlu {

using Tasks = std::vector<TaskId>;

/// A planned pass. A pass begins when the whole stage group has its input, so arrivals go before
/// all entries; it is left lane by lane.
struct Pass {
  Action action;
  std::optional<Action> beside;  // the second of a pair
  Tasks entries;
  std::vector<Tasks> exits;                     // by lane
  std::vector<std::vector<Tasks>> layer_exits;  // by layer and lane, where it was cut at layers
};

/// The classes of ranks of one stage that are joined by exchanges within passes, as by those of
/// tensor groups, and so run passes together. Each of them is a lane of its own, or all are one
/// where passes are fused.
struct StageGroup {
  int stage = 0;
  std::vector<RankClassId> rank_classes;
  std::vector<GroupClassId> groups;  // those that exchange within passes
  bool fused = false;
  bool open = false;              // fused, and may be disturbed
  bool joint = false;             // not fused, but nobody can disturb its lanes' exchanges
  IdVector<PassId, Pass> passes;  // in schedule order
  std::vector<Tasks> ends;        // by class of ranks: what the end of the step waits for

  std::size_t lanes() const { return fused ? 1 : rank_classes.size(); }
  std::size_t lane_of(RankClassId ranks) const;
  /// What the end of the step waits for on one of its classes of ranks.
  Tasks& ends_of(RankClassId ranks);
};

/// A communication in the graph: what it begins with, and for each class of ranks of its group what
/// that ends with.
struct PlacedCommunication {
  TaskId first{};
  std::vector<Tasks> last;
};

class StepDraft {
 public:
  StepDraft(const Workload& workload, const Cluster& cluster,
            Disturbed disturbed = Disturbed::BySegment);

  const Workload& workload() const { return w_; }
  const Cluster& cluster() const { return cluster_; }
  const StepProgram& step() const { return step_; }
  const StageProgram& stage(int number) const { return step_.stage(number); }
  const KernelTimer& timer(int kind) const { return timers_[static_cast<std::size_t>(kind)]; }
  TaskGraph& graph() { return plan_.graph; }
  const Fold& folded() const { return plan_.fold; }
  const GroupClass& group(GroupClassId id) const { return plan_.fold.groups[id]; }
  const RankClass& ranks(RankClassId id) const { return plan_.fold.rank_classes[id]; }
  IdVector<StageGroupId, StageGroup>& stage_groups() { return stage_groups_; }
  /// That of a class of ranks.
  StageGroup& group_of(RankClassId ranks) { return stage_groups_[*group_of_class_[ranks]]; }

  /// Whether communications take a time known in advance instead of sharing bandwidth.
  bool durations_known() const {
    return w_.collectives == CollectiveMode::Formula || w_.fold == FoldMode::Bound;
  }
  /// For as many tasks, so that they need not be moved while they are made; there are none yet.
  void make_room(const StepSize& size);
  /// A communication among TaskGraph::communications.
  CommunicationId communication(GroupClassId group, const Demand& demand);
  /// Adds one communication: a task for each of its parts.
  PlacedCommunication add_communication(CommunicationId id, NameId name,
                                        std::optional<Action> action);
  PlacedCommunication add_communication(CommunicationId id, std::string_view name) {
    return add_communication(id, graph().named(name), {});
  }

  void wait_for(const Tasks& before, TaskId after);
  void let_go_on(TaskId before, const Tasks& after);

  /// Begins a strand, to which each pass or send is added before its tasks.
  void begin_strand(int stage) { plan_.strands.push_back({.stage = stage}); }
  void add_to_strand(PassId pass) {
    plan_.strands.back().passes.push_back(pass);
    plan_.strands.back().begins.push_back(graph().tasks.next_id());
  }
  /// One without tasks is none.
  void end_strand();

  StepPlan take() { return std::move(plan_); }

 private:
  void add_channels();
  void add_stage_groups();
  bool meets(const StageGroup& stage_group) const;
  bool goes_in_step(const StageGroup& stage_group) const;
  bool can_fuse(const StageGroup& stage_group) const;
  bool can_join(const StageGroup& stage_group) const;
  bool can_open(const StageGroup& stage_group) const;
  void add_changes();
  bool crosses_links(const CommunicationPart& part) const;

  const Workload& w_;
  const Cluster& cluster_;
  Disturbed disturbed_;
  StepProgram step_;
  std::vector<KernelTimer> timers_;  // by kind of node
  StepPlan plan_;
  IdVector<PatternClassId, ChannelId> channels_;
  IdVector<StageGroupId, StageGroup> stage_groups_;
  IdVector<RankClassId, std::optional<StageGroupId>> group_of_class_;
  std::map<std::tuple<GroupClassId, CollectiveOp, double>, CommunicationId> communications_;
};

/// What takes longest among GPUs of these speeds; `time` says how long on a healthy one of a kind.
template <typename Time>
ComputeTime slowest(const std::vector<GpuSpeed>& speeds, const Time& time) {
  ComputeTime longest = slowed(time(speeds.front().kind), speeds.front().slowdown);
  for (std::size_t i = 1; i < speeds.size(); ++i) {
    const ComputeTime other = slowed(time(speeds[i].kind), speeds[i].slowdown);
    longest = other.total() > longest.total() ? other : longest;
  }
  return longest;
}

/// About how large the step will be, whose classes are known and whose tasks are not yet made.
StepSize size_of(StepDraft& draft);

void lower_passes(StepDraft& draft);
void lower_sends(StepDraft& draft);
void lower_ends(StepDraft& draft);

}  // namespace danlu
