#include "sim/plan/group_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/base/error.hpp"
#include "sim/collective/algorithms.hpp"
#include "sim/collective/group.hpp"
#include "sim/plan/hash.hpp"

namespace danlu {
namespace {

const CollectiveWish& wish_for(const Workload& w, GroupKind kind) {
  return kind == GroupKind::Tensor ? w.communication.tensor : w.communication.data;
}

/// What may carry out `op`. What the user asks for where that can be done, else what would be
/// chosen without; sums made by switches have no messages to be played step by step.
std::vector<Candidate> candidates_for(const Workload& w, const Cluster& cluster, const Group& group,
                                      CollectiveOp op, const CollectiveWish& wish) {
  const auto playable = [&](const CollectiveWish& wanted) {
    std::vector<Candidate> found = candidates(cluster, group, op, wanted);
    if (w.collectives == CollectiveMode::Stepwise) {
      std::erase_if(found, [](const Candidate& c) { return reduces_in_switches(c.algorithm); });
    }
    return found;
  };
  std::vector<Candidate> found = playable(wish);
  return found.empty() ? playable({}) : found;
}

}  // namespace

CollectiveChoice choice_of(const GroupPlan& plan, const Demand& demand) {
  const auto found = std::find_if(plan.begin(), plan.end(), [&](const PlannedDemand& planned) {
    return planned.demand == demand;
  });
  check(found != plan.end(), "a collective that the step was not known to need");
  return found->choice;
}

GroupPlanner::GroupPlanner(const Workload& workload, const Cluster& cluster)
    : w_(workload), cluster_(cluster), timer_(cluster.spec.gpu, workload.training.precision) {}

const std::vector<Demand>& GroupPlanner::demands_of(GroupKind kind, int stage) {
  auto known = demands_.find({kind, stage});
  if (known == demands_.end()) {
    known = demands_.emplace(std::pair(kind, stage), demands(w_, timer_, kind, stage)).first;
  }
  return known->second;
}

int GroupPlanner::plan(GroupKind kind, int stage, const Group& group, const Pattern& rings) {
  std::uint64_t hash = mix(mix(static_cast<std::uint64_t>(kind), stage), rings.parts);
  hash = mix(mix(mix(hash, group.size()), group.node_count()), group.per_node());
  hash = mix(mix(hash, rings.local_latency.value), rings.network_latency.value);
  hash = mix(mix(hash, alone_rate(cluster_, rings).value), cluster_.kind_of(group.ranks));
  auto known = known_.find(hash);
  if (known == known_.end()) {
    known = known_.emplace(hash, number_of(make(kind, stage, group))).first;
  }
  return known->second;
}

GroupPlan GroupPlanner::make(GroupKind kind, int stage, const Group& group) {
  std::map<CollectiveOp, std::vector<Candidate>> by_op;
  GroupPlan plan;
  for (const Demand& demand : demands_of(kind, stage)) {
    auto found = by_op.find(demand.op);
    if (found == by_op.end()) {
      found = by_op
                  .emplace(demand.op,
                           candidates_for(w_, cluster_, group, demand.op, wish_for(w_, kind)))
                  .first;
    }
    plan.push_back(
        {demand, fastest(cluster_, group, demand.op, demand.bytes, found->second).choice});
  }
  return plan;
}

/// Equal plans have one number, so that groups which only differ in what the choice was made of
/// can still be of one class.
int GroupPlanner::number_of(GroupPlan plan) {
  const auto same = [&](const GroupPlan& other) {
    return std::equal(plan.begin(), plan.end(), other.begin(), other.end(),
                      [](const PlannedDemand& a, const PlannedDemand& b) {
                        return a.demand == b.demand && a.choice == b.choice;
                      });
  };
  const auto known = std::find_if(plans_.begin(), plans_.end(), same);
  const int number = static_cast<int>(known - plans_.begin());
  if (known == plans_.end()) {
    plans_.push_back(std::move(plan));
  }
  return number;
}

std::string wish_problem(const Workload& w, const Cluster& cluster) {
  const RankLayout layout(w.parallelism);
  const KernelTimer timer(cluster.spec.gpu, w.training.precision);
  const auto problem = [&](GroupKind kind, std::string_view section, const auto& ranks_on) {
    const CollectiveWish& wish = wish_for(w, kind);
    std::string obstacle;
    for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
      const std::vector<int> ranks = ranks_on(stage);
      if (ranks.size() < 2 || (!wish.algorithm && !wish.protocol)) {
        return std::string();
      }
      const Group group = make_group(cluster, ranks);
      for (const Demand& demand : demands(w, timer, kind, stage)) {
        if (!candidates(cluster, group, demand.op, wish).empty()) {
          return std::string();
        }
        const Algorithm algorithm = wish.algorithm.value_or(Algorithm::Ring);
        obstacle =
            row_of(algorithm).obstacle(demand.op, group, cluster.topology_among(group.ranks));
        if (obstacle.empty()) {
          obstacle = fmt::format("{} does not use {} here", row_of(algorithm).name,
                                 kProtocolNames[static_cast<std::size_t>(*wish.protocol)]);
        }
      }
    }
    return fmt::format("communication.{} can carry out none of the step's collectives: {}", section,
                       obstacle);
  };
  const std::string of_tensor = problem(GroupKind::Tensor, "tensor",
                                        [&](int stage) { return layout.tensor_group(0, stage); });
  return !of_tensor.empty() ? of_tensor : problem(GroupKind::Data, "data", [&](int stage) {
    return layout.data_group(0, stage);
  });
}

}  // namespace danlu
