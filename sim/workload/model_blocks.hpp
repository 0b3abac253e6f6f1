// The whole model as blocks, for one rank: what it begins with, its layers, what it ends with.
#pragma once

#include <map>
#include <type_traits>
#include <utility>
#include <vector>

#include "sim/workload/block.hpp"
#include "sim/workload/rank_shape.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

struct ModelBlocks {
  Block embedding;
  Block decoder_embedding;  // of an encoder-decoder whose halves begin on two stages; else nothing
  IdVector<LayerKindId, Block> kinds;      // of layers
  std::vector<LayerKindId> kind_of_layer;  // in the model's order, those that predict more last
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
/// Whether the chunk that lies there takes up gradients of its output: it or one before it trains.
bool takes_gradient(const Workload& workload, const ModelBlocks& model, PlacedChunk at);

/// Parameters of the whole model, without adapters; ...
double total_parameters(const ModelSpec& model);
/// ... by what they are of: all, and those that one token passes through.
struct PartParameters {
  double all = 0;
  double active = 0;
};
IdArray<ModelPart, PartParameters, kNames<ModelPart>.size()> parameters_by_part(
    const ModelSpec& model);
/// Parameters that are trained, those of adapters too.
double trained_parameters(const Workload& workload);
/// What a checkpoint holds: all weights, in fp32 or 16 bits, or with LoRA those of the adapters
/// alone; and of those that are trained the optimizer's state. 14 bytes of a parameter with Adam in
/// mixed precision.
Bytes checkpoint_size(const Workload& workload);
/// Model FLOPs of a step, forward and backward, without any recomputation. They count the full
/// attention square, or if `causal` the half that a mask leaves.
Flops step_flops(const Workload& workload, bool causal);

/// Lets each layer become what `make` makes of its block, by what `variant_of` says of its number;
/// layers that were alike and of one variant stay so.
template <typename VariantOf, typename Make>
void vary_layers(ModelBlocks& model, const VariantOf& variant_of, const Make& make) {
  using Variant = std::invoke_result_t<VariantOf, std::size_t>;
  const IdVector<LayerKindId, Block> before = std::exchange(model.kinds, {});
  std::map<std::pair<LayerKindId, Variant>, LayerKindId> known;
  for (std::size_t i = 0; i < model.kind_of_layer.size(); ++i) {
    LayerKindId& kind = model.kind_of_layer[i];
    const Variant variant = variant_of(i);
    const auto [entry, is_new] = known.try_emplace({kind, variant}, model.kinds.next_id());
    if (is_new) {
      Block block = before[kind];
      make(variant, block);
      model.kinds.push_back(std::move(block));
    }
    kind = entry->second;
  }
}

// ---- passes over a block, a file each

/// Puts in what tensor and sequence parallelism exchange.
void split_over_tensor_ranks(const RankShape& shape, Block& block);
/// Puts in what ranks that share a sequence exchange around attention.
void split_over_sequence_ranks(const RankShape& shape, Block& block);
/// Puts in what a framework does in passes of its own.
void unfuse(const RankShape& shape, Block& block);
/// Takes from what is not trained its weights' gradients.
void freeze_weights(const Workload& workload, ModelBlocks& model);
/// Products below 16 bits. Comes after the passes that put in exchanges: some of them travel
/// narrow.
void lower_precision(const Workload& workload, const RankShape& shape, ModelBlocks& model);
/// Puts in the copies around what tensor ranks gather and scatter along the sequence, where a
/// framework makes them. Comes after that pass: what travels narrow is copied narrow.
void copy_gathered(const Workload& workload, ModelBlocks& model);
/// Keeps activations narrower than they are computed in: what activation functions begin with, to
/// be called before that pass, and what attention makes, after it.
void keep_activations_narrow(const Workload& workload, ModelBlocks& model);
void keep_attention_narrow(const Workload& workload, ModelBlocks& model);
/// Thin products beside frozen ones. Comes after those two: a frozen product has no weight's
/// gradient, and adapters stay wide.
void add_adapters(const RankShape& shape, ModelBlocks& model);
/// Whether some will read a product's input by themselves, in 16 bits.
bool needs_wide_input(const RankShape& shape, const Operator& product);
/// Ends backward at the lowest weight that is trained.
void stop_gradients(const Workload& workload, ModelBlocks& model);
/// Says of each layer what backward computes again, which then is not kept. Comes after the passes
/// that put in exchanges: those among what is computed again are made again.
void recompute(const Workload& workload, ModelBlocks& model);

}  // namespace danlu
