// Every communication pattern of a step, in flat arrays: at 131,072 GPUs there are 250,000 patterns
// over 2,500,000 link loads.
//
//   group      ranks that communicate: of a tensor, data or embedding group; sender and receiver
//   plan       by which algorithms a group carries out what it asks for (group_plan.hpp)
//   pattern    what one flow of the group loads: a phase of one of its algorithms, or, where
//              messages are played one by one, the way from one of its ranks to another
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sim/base/id_vector.hpp"
#include "sim/base/lists.hpp"
#include "sim/collective/pattern.hpp"
#include "sim/fold/group_plan.hpp"

namespace danlu {

/// A group: enough to name its ranks again.
struct GroupKey {
  GroupSort sort;
  int rank = 0;                       // one of it; of transfers the sender
  std::optional<GroupPlanId> plan{};  // none of transfers
};

/// What a pattern is to its group.
struct PatternKey {
  GroupId group{};
  Algorithm algorithm = Algorithm::Direct;
  CollectiveOp op = CollectiveOp::SendReceive;  // AllReduce for all of a ring or torus
  std::size_t phase = 0;
};

struct Load {
  LoadedLinkId link{};
  int weight = 1;
};

struct StepPatterns {
  bool by_message = false;  // patterns of collectives are from one rank to another
  IdVector<GroupPlanId, GroupPlan> plans;
  IdVector<GroupId, GroupKey> groups;
  IdVector<PatternId, PatternKey> keys;       // those of a group follow one another
  IdVector<PatternId, std::uint64_t> shapes;  // equal where latency and bytes in a stream are
  Lists<PatternId, RankId> ranks;             // sender then receiver
  Lists<PatternId, Load> loads;
  IdVector<LoadedLinkId, LinkId> links;

  IdRange<PatternId> patterns() const { return keys.ids(); }
  GroupSort sort(PatternId pattern) const { return groups[keys[pattern].group].sort; }
  /// Whether the first of a pattern's ranks sends to the second; else they are all alike.
  bool is_directed(PatternId pattern) const { return by_message || sort(pattern).is_transfer(); }
};

/// Gives links that patterns load their ids, in order of first use.
class LoadedLinks {
 public:
  explicit LoadedLinks(std::size_t links_of_cluster) : ids_(links_of_cluster) {}

  /// Appends what the pattern loads to the step.
  void add(const Pattern& pattern, StepPatterns& step);

 private:
  IdVector<LinkId, std::optional<LoadedLinkId>> ids_;
  std::vector<Load> loads_;  // of one pattern
};

/// The operation by which a pattern of an algorithm is known: all of a ring's or torus's load the
/// same links.
inline CollectiveOp pattern_op(Algorithm algorithm, CollectiveOp op) {
  return algorithm == Algorithm::Ring || algorithm == Algorithm::Torus ? CollectiveOp::AllReduce
                                                                       : op;
}

/// The same without the links that `dropped` marks.
StepPatterns without_links(const StepPatterns& step, const IdVector<LoadedLinkId, bool>& dropped);

/// The ranks of a group; sender then receiver.
inline std::vector<int> ranks_of(const GroupKey& group, const Mesh& mesh) {
  return mesh.group(group.rank, group.sort);
}
/// A pattern, made again.
Pattern make_pattern(const StepPatterns& step, PatternId id, const Cluster& cluster,
                     const Mesh& mesh);

StepPatterns step_patterns(const Workload& workload, const StepProgram& program,
                           const Cluster& cluster, const Mesh& mesh);

}  // namespace danlu
