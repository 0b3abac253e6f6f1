// Inside sim/plan: a step while it is planned. Three parts are added one after the other, each by
// its own file:
//
//   add_passes      what every cell computes, in schedule order    plan_passes.cpp
//   add_transfers   activations and gradients between stages       plan_transfers.cpp
//   add_step_end    reductions, optimizer, gathers                 plan_step_end.cpp
#pragma once

#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/plan/plan_step.hpp"
#include "sim/workload/kernels.hpp"
#include "sim/workload/schedule.hpp"

namespace danlu {

using Tasks = std::vector<TaskId>;

/// A planned pass. A pass begins when the whole tensor group has its input, so arrivals go before
/// all entries; it is left track by track.
struct Pass {
  Action action;
  Tasks entries;
  std::vector<Tasks> exits;                     // by track
  std::vector<std::vector<Tasks>> layer_exits;  // by layer and track, where it was cut at layers
};

/// The classes of ranks that share tensor-parallel groups and so run passes together. Each of them
/// is a track of its own, or all are one where passes are fused.
struct Cell {
  int stage = 0;
  std::vector<int> units;
  int tensor_group = -1;  // of Fold::groups, -1 without tensor parallelism
  bool fused = false;
  std::vector<Pass> passes;  // in schedule order
  std::vector<Tasks> ends;   // by track: what the end of the step waits for

  std::size_t tracks() const { return fused ? 1 : units.size(); }
  std::size_t track_of(int unit) const;
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
  const ModelBlocks& model() const { return model_; }
  const KernelTimer& timer(int kind) const { return timers_[static_cast<std::size_t>(kind)]; }
  TaskGraph& graph() { return plan_.graph; }
  const Fold& folded() const { return plan_.fold; }
  const GroupClass& group(int id) const { return plan_.fold.groups[static_cast<std::size_t>(id)]; }
  const RankClass& unit(int id) const { return plan_.fold.units[static_cast<std::size_t>(id)]; }
  /// The ids of all classes of groups of a sort.
  std::vector<int> groups_of(GroupSort sort) const;

  std::vector<Cell>& cells() { return cells_; }
  Cell& cell_of(int unit) {
    return cells_[static_cast<std::size_t>(cell_of_unit_[static_cast<std::size_t>(unit)])];
  }
  const Pass& pass_of(int unit, const Action& action);

  /// Whether communications take a time known in advance instead of sharing bandwidth.
  bool durations_known() const {
    return w_.collectives == CollectiveMode::Formula || w_.fold == FoldMode::Bound;
  }
  /// The index of a communication's description in TaskGraph::communications.
  int communication(int group, CommunicationKind kind, CollectiveOp op, std::string_view name,
                    Bytes bytes);
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
  void add_cells();
  bool can_fuse(const Cell& cell) const;
  void add_changes();

  const Workload& w_;
  const Cluster& cluster_;
  ModelBlocks model_;
  std::vector<KernelTimer> timers_;  // by kind of node
  StepPlan plan_;
  std::vector<Cell> cells_;
  std::vector<int> cell_of_unit_;
  std::vector<std::vector<std::size_t>> positions_;    // by stage: of a pass in schedule order
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

void add_passes(StepDraft& draft);
void add_transfers(StepDraft& draft);
void add_step_end(StepDraft& draft);

}  // namespace danlu
