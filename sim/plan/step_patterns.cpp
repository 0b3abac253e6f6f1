#include "sim/plan/step_patterns.hpp"

#include "sim/base/error.hpp"
#include "sim/plan/hash.hpp"

namespace danlu {
namespace {

/// `node_kind`: of all its ranks, -1 for several.
std::uint64_t shape_of(PatternKind kind, const Pattern& pattern, int node_kind) {
  constexpr Bytes kMany{1e15};  // so many that rounding to whole bytes does not hide a difference
  const CollectiveOp op = is_transfer(kind) ? CollectiveOp::SendReceive : CollectiveOp::AllReduce;
  const std::uint64_t latency =
      mix(mix(mix(static_cast<std::uint64_t>(kind), node_kind), pattern.local_latency.value),
          pattern.network_latency.value);
  return mix(mix(latency, pattern.ranks.size()), stream_bytes(op, pattern, kMany).value);
}

/// Appends patterns; links get numbers in order of first use.
class Collector {
 public:
  Collector(const Cluster& cluster, const RankLayout& layout)
      : cluster_(cluster), layout_(layout), numbers_(cluster.topology.links().size(), -1) {}

  void add(const PatternKey& key) {
    const Pattern pattern = make_pattern(key, cluster_, layout_);
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
    step_.shapes.push_back(shape_of(key.kind, pattern, cluster_.kind_of(pattern.ranks)));
    step_.ranks.add(pattern.ranks);
    step_.loads.add(loads_);
  }

  StepPatterns take() { return std::move(step_); }

 private:
  const Cluster& cluster_;
  const RankLayout& layout_;
  std::vector<int> numbers_;  // by link of the cluster
  std::vector<Load> loads_;
  StepPatterns step_;
};

}  // namespace

Pattern make_pattern(const PatternKey& key, const Cluster& cluster, const RankLayout& layout) {
  switch (key.kind) {
    case PatternKind::Tensor:
      return ring_pattern(cluster, layout.tensor_group(key.first, key.second));
    case PatternKind::Data:
      return ring_pattern(cluster, layout.data_group(key.first, key.second));
    case PatternKind::Embedding:
      return ring_pattern(cluster, layout.embedding_group(key.first, key.second));
    case PatternKind::SendForward:
    case PatternKind::SendBackward:
      return transfer_pattern(cluster, key.first, key.second);
  }
  throw InternalError("a pattern of no kind");
}

StepPatterns step_patterns(const Workload& workload, const Cluster& cluster,
                           const RankLayout& layout) {
  Collector collector(cluster, layout);
  const ParallelismSpec& p = workload.parallelism;
  for (int stage = 0; stage < p.pipeline; ++stage) {
    for (int d = 0; d < p.data && p.tensor > 1; ++d) {
      collector.add({PatternKind::Tensor, d, stage});
    }
    for (int t = 0; t < p.tensor && p.data > 1; ++t) {
      collector.add({PatternKind::Data, t, stage});
    }
  }
  if (p.pipeline == 1) {
    return collector.take();
  }
  const bool wraps = workload.training.chunks > 1;  // last stage to the first one's next chunk
  for (int t = 0; t < p.tensor; ++t) {
    for (int d = 0; d < p.data; ++d) {
      if (workload.model.tied_embeddings) {
        collector.add({PatternKind::Embedding, t, d});
      }
      for (int stage = 0; stage < p.pipeline - (wraps ? 0 : 1); ++stage) {
        const int here = layout.rank({t, d, stage});
        const int next = layout.rank({t, d, (stage + 1) % p.pipeline});
        collector.add({PatternKind::SendForward, here, next});
        collector.add({PatternKind::SendBackward, next, here});
      }
    }
  }
  return collector.take();
}

StepPatterns without_links(const StepPatterns& step, const std::vector<bool>& dropped) {
  StepPatterns rest{step.keys, step.shapes, step.ranks, {}, {}};
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
