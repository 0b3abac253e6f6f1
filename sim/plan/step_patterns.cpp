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
  std::uint64_t shape = mix(mix(static_cast<std::uint64_t>(group.kind), group.plan), key.phase);
  shape = mix(shape, node_kind);
  shape = mix(mix(shape, static_cast<int>(key.algorithm)), static_cast<int>(key.op));
  shape = mix(mix(shape, pattern.local_latency.value), pattern.network_latency.value);
  return mix(mix(shape, pattern.ranks.size()), stream_bytes(key.op, pattern, kMany).value);
}

/// Appends groups and their patterns; links get numbers in order of first use.
class Collector {
 public:
  Collector(const Workload& workload, const Cluster& cluster, const RankLayout& layout)
      : cluster_(cluster),
        layout_(layout),
        planner_(workload, cluster),
        numbers_(cluster.topology.links().size(), -1) {
    step_.by_message = workload.collectives == CollectiveMode::Stepwise;
  }

  void add_transfer(GroupKind kind, int from, int to) {
    step_.groups.push_back({kind, from, to});
    add({.group = newest_group()}, transfer_pattern(cluster_, from, to));
  }

  void add_collectives(GroupKind kind, int first, int second, int stage) {
    GroupKey key{kind, first, second};
    const Group group = make_group(cluster_, ranks_of(key, layout_));
    const Pattern ring = ring_pattern(cluster_, group);
    key.plan = planner_.plan(kind, stage, group, ring);
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
  const RankLayout& layout_;
  GroupPlanner planner_;
  std::vector<int> numbers_;  // by link of the cluster
  std::vector<Load> loads_;
  StepPatterns step_;
};

}  // namespace

std::vector<int> ranks_of(const GroupKey& group, const RankLayout& layout) {
  switch (group.kind) {
    case GroupKind::Tensor:
      return layout.tensor_group(group.first, group.second);
    case GroupKind::Data:
      return layout.data_group(group.first, group.second);
    case GroupKind::Embedding:
      return layout.embedding_group(group.first, group.second);
    case GroupKind::SendForward:
    case GroupKind::SendBackward:
      return {group.first, group.second};
  }
  throw InternalError("a group of no kind");
}

Pattern make_pattern(const StepPatterns& step, std::size_t number, const Cluster& cluster,
                     const RankLayout& layout) {
  const PatternKey& key = step.keys[number];
  if (step.is_directed(number)) {
    return transfer_pattern(cluster, step.ranks.of(number)[0], step.ranks.of(number)[1]);
  }
  const Group group =
      make_group(cluster, ranks_of(step.groups[static_cast<std::size_t>(key.group)], layout));
  return steady_patterns(cluster, group, key.algorithm,
                         key.op)[static_cast<std::size_t>(key.phase)];
}

StepPatterns step_patterns(const Workload& workload, const Cluster& cluster,
                           const RankLayout& layout) {
  Collector collector(workload, cluster, layout);
  const ParallelismSpec& p = workload.parallelism;
  for (int stage = 0; stage < p.pipeline; ++stage) {
    for (int d = 0; d < p.data && p.tensor > 1; ++d) {
      collector.add_collectives(GroupKind::Tensor, d, stage, stage);
    }
    for (int t = 0; t < p.tensor && p.data > 1; ++t) {
      collector.add_collectives(GroupKind::Data, t, stage, stage);
    }
  }
  if (p.pipeline == 1) {
    return collector.take();
  }
  const bool wraps = workload.training.chunks > 1;  // last stage to the first one's next chunk
  for (int t = 0; t < p.tensor; ++t) {
    for (int d = 0; d < p.data; ++d) {
      if (workload.model.tied_embeddings) {
        collector.add_collectives(GroupKind::Embedding, t, d, 0);
      }
      for (int stage = 0; stage < p.pipeline - (wraps ? 0 : 1); ++stage) {
        const int here = layout.rank({t, d, stage});
        const int next = layout.rank({t, d, (stage + 1) % p.pipeline});
        collector.add_transfer(GroupKind::SendForward, here, next);
        collector.add_transfer(GroupKind::SendBackward, next, here);
      }
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
