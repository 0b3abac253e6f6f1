// What the groups of ranks ask of their collectives in one step: operations and sizes. Known before
// anything is planned, so that each group's algorithms can be chosen first.
#pragma once

#include <vector>

#include "sim/collective/collective.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {

/// A collective, as often as the step makes it: `bytes` are those of the whole array.
struct Demand {
  CollectiveOp op = CollectiveOp::AllReduce;
  Bytes bytes;
  bool operator==(const Demand&) const = default;
};

/// Each operation and size that a group of `sort`, not a transfer, makes on `stage`, once.
std::vector<Demand> demands(const Workload& workload, const ModelBlocks& model, GroupSort sort,
                            int stage);

/// Gradients that a rank of `stage` reduces over the replicas: all at once, or with
/// overlap_data a bucket for each layer, in the order in which the last backward passes finish
/// them. The head's gradients go with the first bucket, the embedding's, which come last, with the
/// last.
std::vector<Bytes> gradient_buckets(const Workload& workload, const ModelBlocks& model, int stage);
/// Weights that a rank of `stage` gathers from the replicas with ZeRO-1.
Bytes gathered_parameters(const Workload& workload, const ModelBlocks& model, int stage);
/// A rank's part of a tied embedding's gradients.
Bytes embedding_gradients(const Workload& workload);
/// All-reduce, or with ZeRO-1 reduce-scatter.
CollectiveOp gradient_op(const Workload& workload);

}  // namespace danlu
