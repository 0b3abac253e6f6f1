// Every communication pattern of a step, in flat arrays: at 131,072 GPUs there are 250,000 patterns
// over 2,500,000 link loads.
#pragma once

#include <cstdint>
#include <vector>

#include "sim/base/lists.hpp"
#include "sim/plan/fold.hpp"

namespace danlu {

/// Who communicates: enough to make the pattern again.
struct PatternKey {
  PatternKind kind = PatternKind::Tensor;
  int first = 0;   // Tensor: replica; Data, Embedding: tensor index; transfers: sender
  int second = 0;  // Tensor, Data: stage; Embedding: replica; transfers: receiver
};

struct Load {
  int link = 0;  // of StepPatterns::links
  int weight = 1;
};

struct StepPatterns {
  std::vector<PatternKey> keys;
  std::vector<std::uint64_t> shapes;  // equal where latency and bytes in a stream are
  Lists<int> ranks;                   // by pattern; sender then receiver
  Lists<Load> loads;                  // by pattern
  std::vector<LinkId> links;          // those that carry anything

  std::size_t size() const { return keys.size(); }
};

inline bool is_transfer(PatternKind kind) {
  return kind == PatternKind::SendForward || kind == PatternKind::SendBackward;
}

/// The same without the links that `dropped` marks.
StepPatterns without_links(const StepPatterns& step, const std::vector<bool>& dropped);

/// The pattern that `key` names.
Pattern make_pattern(const PatternKey& key, const Cluster& cluster, const RankLayout& layout);

StepPatterns step_patterns(const Workload& workload, const Cluster& cluster,
                           const RankLayout& layout);

}  // namespace danlu
