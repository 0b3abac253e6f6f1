// Inside sim/plan: a step while it is planned. Three parts are added one after the other, each by
// its own file:
//
//   lower_passes    what every stage group computes, in schedule order    lower_passes.cpp
//   lower_sends     activations and gradients between stages       lower_sends.cpp
//   lower_ends      reductions, optimizer, gathers                 lower_ends.cpp
#pragma once

#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/plan/plan_step.hpp"
#include "sim/plan/step_program.hpp"
#include "sim/workload/kernels.hpp"

namespace danlu {

using Tasks = std::vector<TaskId>;

/// A planned pass. A pass begins when the whole stage group has its input, so arrivals go before
/// all entries; it is left lane by lane.
struct Pass {
  Action action;
  Tasks entries;
  std::vector<Tasks> exits;                     // by lane
  std::vector<std::vector<Tasks>> layer_exits;  // by layer and lane, where it was cut at layers
};

/// The classes of ranks of one stage that are joined by exchanges within passes, as by those of
/// tensor groups, and so run passes together. Each of them is a lane of its own, or all are one
/// where passes are fused.
struct StageGroup {
  int stage = 0;
  std::vector<int> units;
  std::vector<int> groups;  // of Fold::groups: those that exchange within passes
  bool fused = false;
  std::vector<Pass> passes;  // in schedule order
  std::vector<Tasks> ends;   // by lane: what the end of the step waits for

  std::size_t lanes() const { return fused ? 1 : units.size(); }
  std::size_t lane_of(int unit) const;
};

/// A communication in the graph: what it begins with, and for each unit of its group what that
/// unit ends with.
struct PlacedCommunication {
  TaskId first{};
  std::vector<Tasks> last;
};

class StepDraft {
 public:
  StepDraft(const Workload& workload, const Cluster& cluster);

  const Workload& workload() const { return w_; }
  const StepProgram& step() const { return step_; }
  const StageProgram& stage(int number) const {
    return step_.stages[static_cast<std::size_t>(number)];
  }
  const KernelTimer& timer(int kind) const { return timers_[static_cast<std::size_t>(kind)]; }
  TaskGraph& graph() { return plan_.graph; }
  const Fold& folded() const { return plan_.fold; }
  const GroupClass& group(int id) const { return plan_.fold.groups[static_cast<std::size_t>(id)]; }
  const RankClass& unit(int id) const { return plan_.fold.units[static_cast<std::size_t>(id)]; }
  std::vector<StageGroup>& stage_groups() { return stage_groups_; }
  /// That of a class of ranks.
  StageGroup& group_of(int unit) {
    return stage_groups_[static_cast<std::size_t>(group_of_unit_[static_cast<std::size_t>(unit)])];
  }

  /// Whether communications take a time known in advance instead of sharing bandwidth.
  bool durations_known() const {
    return w_.collectives == CollectiveMode::Formula || w_.fold == FoldMode::Bound;
  }
  /// The index of a communication's description in TaskGraph::communications.
  int communication(int group, const Demand& demand);
  /// Adds one communication: a task for each of its parts.
  PlacedCommunication add_communication(int info, NameId name, int microbatch);
  PlacedCommunication add_communication(int info, std::string_view name) {
    return add_communication(info, graph().named(name), -1);
  }

  void wait_for(const Tasks& before, TaskId after);
  void let_go_on(TaskId before, const Tasks& after);

  StepPlan take() { return std::move(plan_); }

 private:
  void add_channels();
  void add_stage_groups();
  bool can_fuse(const StageGroup& stage_group) const;
  void add_changes();

  const Workload& w_;
  const Cluster& cluster_;
  StepProgram step_;
  std::vector<KernelTimer> timers_;  // by kind of node
  StepPlan plan_;
  std::vector<StageGroup> stage_groups_;
  std::vector<int> group_of_unit_;
  std::map<std::tuple<int, int, double>, int> infos_;  // by group, operation and bytes
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
