#include "sim/fold/step_patterns.hpp"

#include <algorithm>
#include <map>

#include "sim/base/error.hpp"
#include "sim/collective/group.hpp"
#include "sim/collective/transfers.hpp"
#include "sim/fold/hash.hpp"

namespace danlu {
namespace {

constexpr Bytes kMany{1e15};  // so many that rounding to whole bytes does not hide a difference

/// `node_kind`: of all its ranks, -1 for several.
std::uint64_t shape_of(const GroupKey& group, const PatternKey& key, const Pattern& pattern,
                       int node_kind) {
  std::uint64_t shape = mix(
      mix(static_cast<std::uint64_t>(group.sort.number()), group.plan ? index(*group.plan) + 1 : 0),
      key.phase);
  shape = mix(shape, node_kind);
  shape = mix(mix(shape, key.algorithm), key.op);
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
        loaded_(cluster.topology.links().size()) {
    step_.by_message = workload.collectives == CollectiveMode::Stepwise;
  }

  /// The group of that sort that `rank` belongs to, or what it sends.
  void add_group(GroupSort sort, int rank) {
    GroupKey key{.sort = sort, .rank = rank};
    const std::vector<int> ranks = ranks_of(key, mesh_);
    if (sort.is_copy()) {
      add({.group = step_.groups.push_back(key)}, host_pattern(cluster_, rank, sort == kToHost));
      return;
    }
    if (sort.is_brief()) {
      add({.group = step_.groups.push_back(key)}, {.ranks = ranks});
      return;
    }
    if (sort.is_transfer()) {
      add({.group = step_.groups.push_back(key)}, transfer_pattern(cluster_, ranks[0], ranks[1]));
      return;
    }
    const Group group = make_group(cluster_, ranks);
    const Pattern ring = ring_pattern(cluster_, group);
    key.plan = planner_.plan(sort, mesh_.coordinate(rank, Axis::Pipeline), group, ring);
    const GroupId id = step_.groups.push_back(key);
    if (step_.by_message) {
      add_messages(id, group, planner_.plans()[*key.plan]);
    } else {
      add_phases(id, group, planner_.plans()[*key.plan], ring);
    }
  }

  StepPatterns take() {
    step_.plans = planner_.plans();
    return std::move(step_);
  }

 private:
  /// Every phase of each of the plan's algorithms, once.
  void add_phases(GroupId id, const Group& group, const GroupPlan& plan, const Pattern& ring) {
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
        add({id, algorithm, wanted.second, phase}, phases[phase]);
      }
    }
  }

  /// The ways between the group's ranks that messages of the plan take. Two are alike only if the
  /// same messages take them in the same rounds.
  void add_messages(GroupId id, const Group& group, const GroupPlan& plan) {
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
      add({.group = id}, transfer_pattern(cluster_, group.rank(way.first), group.rank(way.second)));
      step_.shapes.back() = mix(step_.shapes.back(), messages);
    }
  }

  void add(const PatternKey& key, const Pattern& pattern) {
    step_.keys.push_back(key);
    step_.shapes.push_back(
        shape_of(step_.groups.back(), key, pattern, cluster_.kind_of(pattern.ranks)));
    ranks_.clear();
    for (const int rank : pattern.ranks) {
      ranks_.push_back(RankId{rank});
    }
    step_.ranks.add(ranks_);
    loaded_.add(pattern, step_);
  }

  const Cluster& cluster_;
  const Mesh& mesh_;
  GroupPlanner planner_;
  LoadedLinks loaded_;
  std::vector<RankId> ranks_;  // of one pattern
  StepPatterns step_;
};

}  // namespace

void LoadedLinks::add(const Pattern& pattern, StepPatterns& step) {
  loads_.clear();
  for (const LinkLoad& load : pattern.loads) {
    std::optional<LoadedLinkId>& id = ids_[load.link];
    if (!id) {
      id = step.links.push_back(load.link);
    }
    loads_.push_back({*id, load.weight});
  }
  step.loads.add(loads_);
}

Pattern make_pattern(const StepPatterns& step, PatternId id, const Cluster& cluster,
                     const Mesh& mesh) {
  const PatternKey& key = step.keys[id];
  const GroupKey& group = step.groups[key.group];
  if (group.sort.is_copy()) {
    return host_pattern(cluster, group.rank, group.sort == kToHost);
  }
  if (group.sort.is_brief()) {
    return {.ranks = {group.rank}};
  }
  if (step.is_directed(id)) {
    const auto ranks = step.ranks.of(id);
    return transfer_pattern(cluster, static_cast<int>(ranks[0]), static_cast<int>(ranks[1]));
  }
  return steady_patterns(cluster, make_group(cluster, ranks_of(group, mesh)), key.algorithm,
                         key.op)[key.phase];
}

StepPatterns step_patterns(const Workload& workload, const StepProgram& program,
                           const Cluster& cluster, const Mesh& mesh) {
  Collector collector(workload, program, cluster, mesh);
  const int stages = mesh.size(Axis::Pipeline);
  const std::vector<int> first_stage = mesh.first_stage();
  for (int stage = 0; stage < stages; ++stage) {
    for (const GroupSort sort : sorts_of(program, stage)) {
      const bool alone = sort.is_copy() || sort.is_brief();
      const bool within = sort.span == Span::All || alone;
      for (const int on_first : within ? first_stage : std::vector<int>{}) {
        const int rank = mesh.moved(on_first, Axis::Pipeline, stage);
        if (alone || mesh.is_first(rank, sort.axes)) {
          collector.add_group(sort, rank);
        }
      }
    }
  }
  // What joins stages: copies of a stage, the model's ends, and sends, pair by pair.
  std::vector<std::pair<GroupSort, int>> between;  // with the stage of the sender or first rank
  const auto add_from = [&](GroupSort sort, int stage) {
    const std::vector<GroupSort> sorts = sorts_of(program, stage);
    if (std::find(sorts.begin(), sorts.end(), sort) != sorts.end()) {
      between.emplace_back(sort, stage);
    }
  };
  for (int stage = 0; stage < stages / 2; ++stage) {
    add_from(kCopyGroups, stage);
  }
  add_from(kEmbeddingGroups, 0);
  const auto sends = [&](int stage, bool next) {
    const std::vector<Send>& all = program.stage(stage).sends;
    return std::any_of(all.begin(), all.end(), [&](const Send& send) { return send.next == next; });
  };
  for (int stage = 0; stage < stages; ++stage) {
    const int next = (stage + 1) % stages;
    if (sends(stage, true)) {
      between.emplace_back(kSendsOn, stage);
    }
    if (sends(next, false)) {
      between.emplace_back(kSendsBack, next);
    }
  }
  for (int t = 0; t < mesh.size(Axis::Tensor) && stages > 1; ++t) {
    for (const int rank : first_stage) {
      if (mesh.coordinate(rank, Axis::Tensor) != t) {
        continue;
      }
      for (const auto& [sort, stage] : between) {
        collector.add_group(sort, mesh.moved(rank, Axis::Pipeline, stage));
      }
    }
  }
  return collector.take();
}

StepPatterns without_links(const StepPatterns& step, const IdVector<LoadedLinkId, bool>& dropped) {
  StepPatterns rest{step.by_message, step.plans, step.groups, step.keys,
                    step.shapes,     step.ranks, {},          {}};
  IdVector<LoadedLinkId, LoadedLinkId> kept(step.links.size());  // their new ids
  for (const LoadedLinkId link : step.links.ids()) {
    if (!dropped[link]) {
      kept[link] = rest.links.push_back(step.links[link]);
    }
  }
  std::vector<Load> loads;
  for (const PatternId i : step.patterns()) {
    loads.clear();
    for (const Load& load : step.loads.of(i)) {
      if (!dropped[load.link]) {
        loads.push_back({kept[load.link], load.weight});
      }
    }
    rest.loads.add(loads);
  }
  return rest;
}

}  // namespace danlu
