// Which GPUs or NICs are alike to the healthy step, so that one of each sort, played slow, tells
// what any of them costs:
//
//   stage 0: GPU 0 1 2 3    stage 1: GPU 4 5 6 7    two sorts, two plays for eight GPUs
//
// Alike are those whose ranks and links are of one class of the fold. Where these are many, those
// of the same stages in nodes of one kind count as alike.
#pragma once

#include <vector>

#include "sim/campaign/faults_plan.hpp"
#include "sim/cluster/cluster.hpp"
#include "sim/fold/fold.hpp"
#include "sim/workload/mesh.hpp"

namespace danlu {

/// Parts that count as alike, by their numbers over the whole cluster.
struct AlikeParts {
  std::vector<int> parts;
  int played = 0;  // the one that stands for them
  int sorts = 1;   // that the fold tells apart among them
};

/// At most so many sorts of a cause are told apart but by stage and kind of node.
inline constexpr std::size_t kMostSorts = 16;

/// The sorts of the parts that may be slow in a state, in the order of their first members; `fold`
/// is that of the healthy step.
std::vector<AlikeParts> alike_parts(const SlowState& state, const Cluster& cluster,
                                    const Mesh& mesh, const Fold& fold);

/// The cluster's damage with what is slow in the state when `part` is.
DegradedSpec with_slow_part(const SlowState& state, const Cluster& cluster, int part);

}  // namespace danlu
