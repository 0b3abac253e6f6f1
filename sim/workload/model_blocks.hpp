// The whole model as blocks, for one rank: what it begins with, its layers, what it ends with.
#pragma once

#include <vector>

#include "sim/workload/block.hpp"
#include "sim/workload/rank_shape.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

struct ModelBlocks {
  Block embedding;
  IdVector<LayerKindId, Block> kinds;      // of layers
  std::vector<LayerKindId> kind_of_layer;  // in the model's order
  Block head;

  const Block& layer(std::size_t number) const { return kinds[kind_of_layer[number]]; }
};

/// The number of the first layer that lies there.
int first_layer(const Workload& workload, PlacedChunk at);
/// The kinds of the layers that lie there, in the model's order.
std::vector<LayerKindId> layers_of(const Workload& workload, const ModelBlocks& model,
                                   PlacedChunk at);

/// The blocks as the workload splits and recomputes them.
ModelBlocks build_model(const Workload& workload);

/// Parameters of the whole model; ...
double total_parameters(const ModelSpec& model);
/// ... by what they are of: all, and those that one token passes through.
struct PartParameters {
  double all = 0;
  double active = 0;
};
IdArray<ModelPart, PartParameters, kNames<ModelPart>.size()> parameters_by_part(
    const ModelSpec& model);
/// Model FLOPs of a step, forward and backward, without any recomputation. They count the full
/// attention square, or if `causal` the half that a mask leaves.
Flops step_flops(const Workload& workload, bool causal);

// ---- passes over a block, a file each

/// Puts in what tensor and sequence parallelism exchange.
void split_over_tensor_ranks(const RankShape& shape, Block& block);
/// Puts in what ranks that share a sequence exchange around attention.
void split_over_sequence_ranks(const RankShape& shape, Block& block);
/// Says of each layer what backward computes again, which then is not kept. Comes after the passes
/// that put in exchanges: those among what is computed again are made again.
void recompute(const Workload& workload, ModelBlocks& model);

}  // namespace danlu
