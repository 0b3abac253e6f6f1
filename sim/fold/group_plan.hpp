// How groups of ranks carry out what they ask for: an algorithm and a protocol for every operation
// and size, chosen before the step is planned and alone on the machine, as NCCL does. Groups that
// sit alike choose alike, so that 16,384 tensor groups choose once.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "sim/base/id_vector.hpp"
#include "sim/collective/tuning.hpp"
#include "sim/program/step_program.hpp"
#include "sim/workload/mesh.hpp"

namespace danlu {

/// A demand and what carries it out.
struct PlannedDemand {
  Demand demand;
  CollectiveChoice choice;
};
/// All demands of a group.
using GroupPlan = std::vector<PlannedDemand>;

/// What may carry out `op` of a group of that sort: what the user asks for where that can be done,
/// else what would be chosen without; sums made by switches have no messages to be played step by
/// step.
std::vector<Candidate> candidates_for(const Workload& workload, const Cluster& cluster,
                                      const Group& group, GroupSort sort, CollectiveOp op);

/// The choice for a demand of the plan.
CollectiveChoice choice_of(const GroupPlan& plan, const Demand& demand);

/// Makes plans and keeps them by what they depend on.
class GroupPlanner {
 public:
  GroupPlanner(const Workload& workload, const StepProgram& step, const Cluster& cluster);

  /// The plan of a group of `sort`, not a transfer, with its rings.
  GroupPlanId plan(GroupSort sort, int stage, const Group& group, const Pattern& rings);
  /// All plans made so far.
  const IdVector<GroupPlanId, GroupPlan>& plans() const { return plans_; }

 private:
  const std::vector<Demand>& demands_of(GroupSort sort, int stage);
  GroupPlan make(GroupSort sort, int stage, const Group& group);
  GroupPlanId keep(GroupPlan plan);

  const Workload& w_;
  const StepProgram& step_;
  const Cluster& cluster_;
  std::map<std::pair<GroupSort, int>, std::vector<Demand>> demands_;
  std::map<std::uint64_t, GroupPlanId> known_;  // by a hash of what a plan depends on
  IdVector<GroupPlanId, GroupPlan> plans_;
};

/// A key of the scenario's `communication` section that can carry out nothing of what the step
/// needs, why, and what could.
struct ForcedChoiceProblem {
  std::string key;  // "communication.data.algorithm"
  std::string message;
  std::string hint;
};

/// What is wrong with the algorithms and protocols that the user asks for
/// (Workload::communication), or with where experts lie on the cluster; empty if they can be used.
std::vector<ForcedChoiceProblem> forced_choice_problems(const Workload& workload,
                                                        const Cluster& cluster);

}  // namespace danlu
