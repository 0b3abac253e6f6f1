#include "sim/workload/model_blocks.hpp"

#include <map>

#include "sim/workload/layers.hpp"

namespace danlu {

ModelBlocks build_model(const Workload& w) {
  const RankShape shape(w);
  const bool tied_to_itself =
      w.model.tied_embeddings && w.placement().holds_last(w.placement().first_stage());
  ModelBlocks model{.embedding = embedding(shape), .head = head(shape, !tied_to_itself)};
  std::map<LayerSort, LayerKindId> known;
  for (int i = 0; i < w.model.layers; ++i) {
    const LayerSort sort = w.model.layer_sort(i);
    const auto [kind, is_new] = known.try_emplace(sort, model.kinds.next_id());
    if (is_new) {
      model.kinds.push_back(layer(shape, sort));
    }
    model.kind_of_layer.push_back(kind->second);
  }
  for (Block& layer : model.kinds) {
    split_over_sequence_ranks(shape, layer);
    split_over_tensor_ranks(shape, layer);
  }
  split_over_tensor_ranks(shape, model.embedding);
  split_over_tensor_ranks(shape, model.head);
  recompute(w, model);
  return model;
}

namespace {

/// Calls `visit` with every block of the model as one rank alone would hold it.
template <typename Visit>
void for_blocks_of_one_rank(Workload w, const Visit& visit) {
  w.parallelism = {};
  w.training.recompute = Recompute::None;
  w.training.routing = {};
  const ModelBlocks model = build_model(w);
  visit(model.embedding);
  for (const LayerKindId kind : model.kind_of_layer) {
    visit(model.kinds[kind]);
  }
  visit(model.head);
}

}  // namespace

double total_parameters(const ModelSpec& model) {
  double parameters = 0;
  for_blocks_of_one_rank({.model = model},
                         [&](const Block& block) { parameters += weight_of(block).whole; });
  return parameters;
}

IdArray<ModelPart, PartParameters, kNames<ModelPart>.size()> parameters_by_part(
    const ModelSpec& model) {
  IdArray<ModelPart, PartParameters, kNames<ModelPart>.size()> parts{};
  for_blocks_of_one_rank({.model = model}, [&](const Block& block) {
    for (const Operator* op : operators_of(block)) {
      parts[op->part].all += op->weight.whole;
      parts[op->part].active += op->weight.whole * op->weight.active;
    }
  });
  return parts;
}

Flops step_flops(const Workload& w, bool causal) {
  Workload counted = w;
  counted.training.causal_flops = causal;
  counted.training.micro_batch = w.training.global_batch;
  Flops flops;
  for_blocks_of_one_rank(counted, [&](const Block& block) {
    for (const Operator* op : operators_of(block)) {
      for (const Kernels* kernels : {&op->forward, &op->input_gradient, &op->weight_gradient}) {
        for (const Kernel& kernel : *kernels) {
          flops += kernel.model_flops;
        }
      }
    }
  });
  return flops;
}

int first_layer(const Workload& w, PlacedChunk at) {
  const Placement placement = w.placement();
  int first = 0;
  for (int part = 0; part < placement.part(at); ++part) {
    first += w.layers_at(placement.holder(part));
  }
  return first;
}

std::vector<LayerKindId> layers_of(const Workload& w, const ModelBlocks& model, PlacedChunk at) {
  const auto begin = model.kind_of_layer.begin() + first_layer(w, at);
  return {begin, begin + w.layers_at(at)};
}

}  // namespace danlu
