#include "sim/plan/step_patterns.hpp"

#include <algorithm>
#include <map>

#include "sim/base/error.hpp"
#include "sim/collective/group.hpp"
#include "sim/collective/transfers.hpp"
#include "sim/plan/hash.hpp"

namespace danlu {
namespace {

constexpr Bytes kMany{1e15};  // so many that rounding to whole bytes does not hide a difference

/// `node_kind`: of all its ranks, -1 for several.
std::uint64_t shape_of(const GroupKey& group, const PatternKey& key, const Pattern& pattern,
                       int node_kind) {
  std::uint64_t shape =
      mix(mix(static_cast<std::uint64_t>(group.sort.number()), group.plan), key.phase);
  shape = mix(shape, node_kind);
  shape = mix(mix(shape, static_cast<int>(key.algorithm)), static_cast<int>(key.op));
  shape = mix(mix(shape, pattern.local_latency.value), pattern.network_latency.value);
  return mix(mix(shape, pattern.ranks.size()), stream_bytes(key.op, pattern, kMany).value);
}

/// Appends groups and their patterns; links get numbers in order of first use.
class Collector {
 public:
  Collector(const Workload& workload, const StepProgram& program, const Cluster& cluster,
            const Mesh& mesh)
      : cluster_(cluster),
        mesh_(mesh),
        planner_(workload, program, cluster),
        numbers_(cluster.topology.links().size(), -1) {
    step_.by_message = workload.collectives == CollectiveMode::Stepwise;
  }

  /// The group of that sort that `rank` belongs to, or what it sends.
  void add_group(GroupSort sort, int rank) {
    GroupKey key{sort, rank};
    const std::vector<int> ranks = ranks_of(key, mesh_);
    if (sort.is_transfer()) {
      step_.groups.push_back(key);
      add({.group = newest_group()}, transfer_pattern(cluster_, ranks[0], ranks[1]));
      return;
    }
    const Group group = make_group(cluster_, ranks);
    const Pattern ring = ring_pattern(cluster_, group);
    key.plan = planner_.plan(sort, mesh_.coordinate(rank, Axis::Pipeline), group, ring);
    step_.groups.push_back(key);
    const GroupPlan& plan = planner_.plans()[static_cast<std::size_t>(key.plan)];
    if (step_.by_message) {
      add_messages(group, plan);
    } else {
      add_phases(group, plan, ring);
    }
  }

  StepPatterns take() {
    step_.plans = planner_.plans();
    return std::move(step_);
  }

 private:
  int newest_group() const { return static_cast<int>(step_.groups.size()) - 1; }

  /// Every phase of each of the plan's algorithms, once.
  void add_phases(const Group& group, const GroupPlan& plan, const Pattern& ring) {
    std::vector<std::pair<Algorithm, CollectiveOp>> seen;
    for (const PlannedDemand& planned : plan) {
      const Algorithm algorithm = planned.choice.algorithm;
      const std::pair wanted(algorithm, pattern_op(algorithm, planned.demand.op));
      if (std::find(seen.begin(), seen.end(), wanted) != seen.end()) {
        continue;
      }
      seen.push_back(wanted);
      const std::vector<Pattern> phases =
          algorithm == Algorithm::Ring
              ? std::vector{ring}
              : steady_patterns(cluster_, group, algorithm, planned.demand.op);
      for (std::size_t phase = 0; phase < phases.size(); ++phase) {
        add({newest_group(), algorithm, wanted.second, static_cast<int>(phase)}, phases[phase]);
      }
    }
  }

  /// The ways between the group's ranks that messages of the plan take. Two are alike only if the
  /// same messages take them in the same rounds.
  void add_messages(const Group& group, const GroupPlan& plan) {
    std::map<std::pair<int, int>, std::uint64_t> ways;
    for (std::size_t i = 0; i < plan.size(); ++i) {
      const auto& [demand, choice] = plan[i];
      for (const Transfer& transfer :
           playable_transfers(demand.op, group, choice.algorithm, demand.bytes).transfers) {
        std::uint64_t& messages = ways[{transfer.from, transfer.to}];
        messages += mix(mix(mix(1, i), transfer.round), transfer.chunks.size());
      }
    }
    for (const auto& [way, messages] : ways) {
      const auto gpu = [&](int at) { return group.ranks[static_cast<std::size_t>(at)]; };
      add({.group = newest_group()}, transfer_pattern(cluster_, gpu(way.first), gpu(way.second)));
      step_.shapes.back() = mix(step_.shapes.back(), messages);
    }
  }

  void add(const PatternKey& key, const Pattern& pattern) {
    loads_.clear();
    for (const LinkLoad& load : pattern.loads) {
      int& number = numbers_[index(load.link)];
      if (number < 0) {
        number = static_cast<int>(step_.links.size());
        step_.links.push_back(load.link);
      }
      loads_.push_back({number, load.weight});
    }
    step_.keys.push_back(key);
    step_.shapes.push_back(
        shape_of(step_.groups.back(), key, pattern, cluster_.kind_of(pattern.ranks)));
    step_.ranks.add(pattern.ranks);
    step_.loads.add(loads_);
  }

  const Cluster& cluster_;
  const Mesh& mesh_;
  GroupPlanner planner_;
  std::vector<int> numbers_;  // by link of the cluster
  std::vector<Load> loads_;
  StepPatterns step_;
};

}  // namespace

Pattern make_pattern(const StepPatterns& step, std::size_t number, const Cluster& cluster,
                     const Mesh& mesh) {
  const PatternKey& key = step.keys[number];
  if (step.is_directed(number)) {
    return transfer_pattern(cluster, step.ranks.of(number)[0], step.ranks.of(number)[1]);
  }
  const Group group =
      make_group(cluster, ranks_of(step.groups[static_cast<std::size_t>(key.group)], mesh));
  return steady_patterns(cluster, group, key.algorithm,
                         key.op)[static_cast<std::size_t>(key.phase)];
}

StepPatterns step_patterns(const Workload& workload, const StepProgram& program,
                           const Cluster& cluster, const Mesh& mesh) {
  Collector collector(workload, program, cluster, mesh);
  const int stages = mesh.size(Axis::Pipeline);
  const int on_stage = mesh.world_size() / stages;
  for (int stage = 0; stage < stages; ++stage) {
    for (const GroupSort sort : sorts_of(program, stage)) {
      for (int i = 0; i < on_stage && sort.span == Span::All; ++i) {
        const int rank = mesh.moved(i, Axis::Pipeline, stage);
        if (mesh.is_first(rank, sort.axes)) {
          collector.add_group(sort, rank);
        }
      }
    }
  }
  const auto sends = [&](int stage, bool next) {
    const std::vector<Send>& all = program.stages[static_cast<std::size_t>(stage)].sends;
    return std::any_of(all.begin(), all.end(), [&](const Send& send) { return send.next == next; });
  };
  const auto add_between_stages = [&](int rank) {  // on stage 0
    for (const GroupSort sort : sorts_of(program, 0)) {
      if (sort.span == Span::Ends) {
        collector.add_group(sort, rank);
      }
    }
    for (int stage = 0; stage < stages; ++stage) {
      const int next = (stage + 1) % stages;
      if (sends(stage, true)) {
        collector.add_group(kSendsOn, mesh.moved(rank, Axis::Pipeline, stage));
      }
      if (sends(next, false)) {
        collector.add_group(kSendsBack, mesh.moved(rank, Axis::Pipeline, next));
      }
    }
  };
  for (int t = 0; t < mesh.size(Axis::Tensor) && stages > 1; ++t) {
    for (int rank = mesh.moved(0, Axis::Tensor, t); rank < on_stage;
         rank += mesh.size(Axis::Tensor)) {
      add_between_stages(rank);
    }
  }
  return collector.take();
}

StepPatterns without_links(const StepPatterns& step, const std::vector<bool>& dropped) {
  StepPatterns rest{step.by_message, step.plans, step.groups, step.keys,
                    step.shapes,     step.ranks, {},          {}};
  std::vector<int> numbers(step.links.size(), -1);
  for (std::size_t l = 0; l < step.links.size(); ++l) {
    if (!dropped[l]) {
      numbers[l] = static_cast<int>(rest.links.size());
      rest.links.push_back(step.links[l]);
    }
  }
  std::vector<Load> loads;
  for (std::size_t i = 0; i < step.size(); ++i) {
    loads.clear();
    for (const Load& load : step.loads.of(i)) {
      const int number = numbers[static_cast<std::size_t>(load.link)];
      if (number >= 0) {
        loads.push_back({number, load.weight});
      }
    }
    rest.loads.add(loads);
  }
  return rest;
}

}  // namespace danlu
