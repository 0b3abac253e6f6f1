#include "sim/fold/group_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/collective/algorithms.hpp"
#include "sim/collective/group.hpp"
#include "sim/fold/hash.hpp"

namespace danlu {
namespace {

/// What the user may ask for of a sort of groups: a part of the section `communication`. Nothing of
/// what ranks that share a sequence exchange.
struct Asked {
  std::string_view key;
  ForcedChoice CommunicationSpec::*choice = nullptr;
};
constexpr std::array kAsked{Asked{"communication.tensor", &CommunicationSpec::tensor},
                            Asked{"communication.data", &CommunicationSpec::data},
                            Asked{"communication.expert", &CommunicationSpec::expert}};

const Asked* asked_for(GroupSort sort) {
  switch (sort.axis()) {
    case Axis::Context:
    case Axis::Ulysses:
      return nullptr;
    case Axis::Tensor:
    case Axis::ExpertTensor:
      return &kAsked[0];
    case Axis::Expert:
      return &kAsked[2];
    default:
      return &kAsked[1];
  }
}
ForcedChoice forced_for(const Workload& w, GroupSort sort) {
  const Asked* asked = asked_for(sort);
  return asked == nullptr ? ForcedChoice{} : w.communication.*asked->choice;
}

/// A group of the step and an operation that it needs.
struct Need {
  Group group;
  CollectiveOp op;
};

/// The same plan with one layer in each chunk and few microbatches: it makes the same operations,
/// and is small whatever the scenario asks for.
Workload smallest(Workload w) {
  ParallelismSpec& p = w.parallelism;
  p.first_stage_layers.reset();
  p.last_stage_layers.reset();
  p.stage_layers.clear();
  p.count_embedding_and_head = false;
  p.prediction_before_head = false;
  w.model.layers = w.placement().parts();
  if (w.training.grid.empty()) {  // which is of a number of microbatches
    w.training.global_batch = w.training.micro_batch * p.data * 2 * p.pipeline;
  }
  return w;
}

/// What the first groups of each stage need that `asked` is of.
std::vector<Need> needs_of(const Workload& w, const Cluster& cluster, const Mesh& mesh,
                           const Asked& asked) {
  const StepProgram step = make_step_program(smallest(w));
  std::vector<Need> needs;
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    for (const GroupSort sort : sorts_of(step, stage)) {
      if (sort.span != Span::All || asked_for(sort) != &asked) {
        continue;
      }
      const std::vector<int> ranks = mesh.group(mesh.rank({{Axis::Pipeline, stage}}), sort);
      for (const Demand& demand : demands(step, sort, stage)) {
        needs.push_back({make_group(cluster, ranks), demand.op});
      }
    }
  }
  return needs;
}

bool can_any(const Cluster& cluster, const std::vector<Need>& needs, const ForcedChoice& forced) {
  return std::any_of(needs.begin(), needs.end(), [&](const Need& need) {
    return !candidates(cluster, need.group, need.op, forced).empty();
  });
}

/// Which of the two, algorithm or protocol, cannot be forced, and what could be instead.
ForcedChoiceProblem explain(const Cluster& cluster, const std::vector<Need>& needs,
                            const ForcedChoice& forced, const std::string& section) {
  std::vector<std::string_view> fitting{"auto"};
  if (forced.algorithm && !can_any(cluster, needs, {forced.algorithm, {}})) {
    for (const AlgorithmRow& row : algorithms()) {
      if (can_any(cluster, needs, {row.algorithm, {}})) {
        fitting.push_back(row.name());
      }
    }
    const Need& need = needs.back();
    const AlgorithmRow& row = row_of(*forced.algorithm);
    return {
        section + ".algorithm",
        fmt::format("'{}.algorithm' can carry out none of the step's collectives: {}", section,
                    row.obstacle(need.op, need.group, cluster.topology_among(need.group.ranks))),
        fmt::format("here can be used: {}", join(fitting, ", "))};
  }
  for (const auto& [protocol, name] : kNames<Protocol>) {
    if (can_any(cluster, needs, {forced.algorithm, protocol})) {
      fitting.push_back(name);
    }
  }
  return {
      section + ".protocol",
      fmt::format("'{}.protocol' can carry out none of the step's collectives: {} {} here", section,
                  forced.algorithm ? fmt::format("{} does not use", name_of(*forced.algorithm))
                                   : "no algorithm uses",
                  name_of(*forced.protocol)),
      fmt::format("here can be used: {}", join(fitting, ", "))};
}

std::vector<ForcedChoiceProblem> dispatch_problems(const Workload& w, const Cluster& cluster,
                                                   const Mesh& mesh) {
  const ParallelismSpec& p = w.parallelism;
  if (w.model.experts.count == 0 || p.expert == 1 || p.expert_exchange != TokenExchange::DeepEp) {
    return {};
  }
  for (int rank = 0; rank < mesh.world_size(); ++rank) {
    if (!mesh.is_first(rank, Axis::Expert)) {
      continue;
    }
    std::map<int, int> ranks;  // by node
    for (const int other : mesh.group(rank, {Axis::Expert, Span::All})) {
      ++ranks[cluster.node_of(other)];
    }
    const int nodes = static_cast<int>(ranks.size());
    if (std::any_of(ranks.begin(), ranks.end(),
                    [&](const auto& on_node) { return on_node.second != ranks.begin()->second; })) {
      return {{"parallelism.expert_exchange",
               fmt::format("DeepEP needs equally many ranks of an expert group on each of its "
                           "nodes, found one of {} ranks on {} nodes",
                           p.expert, nodes),
               "set parallelism.expert to a multiple or a divisor of a node's GPUs"}};
    }
    const int most = w.training.routing.most_nodes;
    const double open = 1.0 * most * w.model.experts.count / nodes;
    if (most > 0 && most < nodes && open < w.model.experts.per_token) {
      return {{"training.experts.most_nodes",
               fmt::format("{} nodes hold {:.0f} experts, a token visits {}", most, open,
                           w.model.experts.per_token),
               ""}};
    }
  }
  return {};
}

}  // namespace

std::vector<Candidate> candidates_for(const Workload& w, const Cluster& cluster, const Group& group,
                                      GroupSort sort, CollectiveOp op) {
  const auto playable = [&](const ForcedChoice& wanted) {
    std::vector<Candidate> found = candidates(cluster, group, op, wanted);
    if (w.collectives == CollectiveMode::Stepwise) {
      std::erase_if(found, [](const Candidate& c) { return reduces_in_switches(c.algorithm); });
    }
    return found;
  };
  std::vector<Candidate> found = playable(forced_for(w, sort));
  return found.empty() ? playable({}) : found;
}

CollectiveChoice choice_of(const GroupPlan& plan, const Demand& demand) {
  const auto found = std::find_if(plan.begin(), plan.end(), [&](const PlannedDemand& planned) {
    return planned.demand == demand;
  });
  check(found != plan.end(), "a collective that the step was not known to need");
  return found->choice;
}

GroupPlanner::GroupPlanner(const Workload& workload, const StepProgram& step,
                           const Cluster& cluster)
    : w_(workload), step_(step), cluster_(cluster) {}

const std::vector<Demand>& GroupPlanner::demands_of(GroupSort sort, int stage) {
  auto known = demands_.find({sort, stage});
  if (known == demands_.end()) {
    known = demands_.emplace(std::pair(sort, stage), demands(step_, sort, stage)).first;
  }
  return known->second;
}

GroupPlanId GroupPlanner::plan(GroupSort sort, int stage, const Group& group,
                               const Pattern& rings) {
  std::uint64_t hash = mix(mix(static_cast<std::uint64_t>(sort.number()), stage), rings.parts);
  hash = mix(mix(mix(hash, group.size()), group.node_count()), group.per_node());
  hash = mix(mix(hash, rings.local_latency.value), rings.network_latency.value);
  hash = mix(mix(hash, alone_rate(cluster_, rings).value), cluster_.kind_of(group.ranks));
  auto known = known_.find(hash);
  if (known == known_.end()) {
    known = known_.emplace(hash, keep(make(sort, stage, group))).first;
  }
  return known->second;
}

GroupPlan GroupPlanner::make(GroupSort sort, int stage, const Group& group) {
  std::map<CollectiveOp, std::vector<Candidate>> by_op;
  GroupPlan plan;
  for (const Demand& demand : demands_of(sort, stage)) {
    auto found = by_op.find(demand.op);
    if (found == by_op.end()) {
      found = by_op.emplace(demand.op, candidates_for(w_, cluster_, group, sort, demand.op)).first;
    }
    plan.push_back(
        {demand, fastest(cluster_, group, demand.op, demand.bytes, found->second).choice});
  }
  return plan;
}

/// Equal plans have one id, so that groups which only differ in what the choice was made of
/// can still be of one class.
GroupPlanId GroupPlanner::keep(GroupPlan plan) {
  const auto same = [&](const GroupPlan& other) {
    return std::equal(plan.begin(), plan.end(), other.begin(), other.end(),
                      [](const PlannedDemand& a, const PlannedDemand& b) {
                        return a.demand == b.demand && a.choice == b.choice;
                      });
  };
  const auto known = std::find_if(plans_.begin(), plans_.end(), same);
  return known == plans_.end() ? plans_.push_back(std::move(plan)) : plans_.id_at(known);
}

std::vector<ForcedChoiceProblem> forced_choice_problems(const Workload& w, const Cluster& cluster) {
  const Mesh mesh = w.mesh();
  std::vector<ForcedChoiceProblem> found = dispatch_problems(w, cluster, mesh);
  for (const Asked& asked : kAsked) {
    const ForcedChoice& forced = w.communication.*asked.choice;
    const std::vector<Need> needs = forced.algorithm || forced.protocol
                                        ? needs_of(w, cluster, mesh, asked)
                                        : std::vector<Need>{};
    if (!needs.empty() && !can_any(cluster, needs, forced)) {
      found.push_back(explain(cluster, needs, forced, std::string(asked.key)));
    }
  }
  return found;
}

}  // namespace danlu
