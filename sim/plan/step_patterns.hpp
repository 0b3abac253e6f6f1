// Every communication pattern of a step, in flat arrays: at 131,072 GPUs there are 250,000 patterns
// over 2,500,000 link loads.
//
//   group      ranks that communicate: of a tensor, data or embedding group; sender and receiver
//   plan       by which algorithms a group carries out what it asks for (group_plan.hpp)
//   pattern    what one flow of the group loads: a phase of one of its algorithms, or, where
//              messages are played one by one, the way from one of its ranks to another
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/base/lists.hpp"
#include "sim/collective/pattern.hpp"
#include "sim/plan/group_plan.hpp"

namespace danlu {

/// A group: enough to name its ranks again.
struct GroupKey {
  GroupSort sort;
  int rank = 0;   // one of it; of transfers the sender
  int plan = -1;  // of StepPatterns::plans; -1 for transfers
};

/// What a pattern is to its group.
struct PatternKey {
  int group = 0;  // of StepPatterns::groups
  Algorithm algorithm = Algorithm::Direct;
  CollectiveOp op = CollectiveOp::SendReceive;  // AllReduce for all of a ring or torus
  int phase = 0;
};

struct Load {
  int link = 0;  // of StepPatterns::links
  int weight = 1;
};

struct StepPatterns {
  bool by_message = false;  // patterns of collectives are from one rank to another
  std::vector<GroupPlan> plans;
  std::vector<GroupKey> groups;
  std::vector<PatternKey> keys;       // those of a group follow one another
  std::vector<std::uint64_t> shapes;  // equal where latency and bytes in a stream are
  Lists<int> ranks;                   // by pattern; sender then receiver
  Lists<Load> loads;                  // by pattern
  std::vector<LinkId> links;          // those that carry anything

  std::size_t size() const { return keys.size(); }
  GroupSort sort(std::size_t pattern) const {
    return groups[static_cast<std::size_t>(keys[pattern].group)].sort;
  }
  /// Whether the first of a pattern's ranks sends to the second; else they are all alike.
  bool is_directed(std::size_t pattern) const { return by_message || sort(pattern).is_transfer(); }
};

/// The operation by which a pattern of an algorithm is known: all of a ring's or torus's load the
/// same links.
inline CollectiveOp pattern_op(Algorithm algorithm, CollectiveOp op) {
  return algorithm == Algorithm::Ring || algorithm == Algorithm::Torus ? CollectiveOp::AllReduce
                                                                       : op;
}

/// The same without the links that `dropped` marks.
StepPatterns without_links(const StepPatterns& step, const std::vector<bool>& dropped);

/// The ranks of a group; sender then receiver.
inline std::vector<int> ranks_of(const GroupKey& group, const Mesh& mesh) {
  return mesh.group(group.rank, group.sort);
}
/// The pattern with this number.
Pattern make_pattern(const StepPatterns& step, std::size_t number, const Cluster& cluster,
                     const Mesh& mesh);

StepPatterns step_patterns(const Workload& workload, const Cluster& cluster, const Mesh& mesh);

}  // namespace danlu
