#include "sim/workload/model_blocks.hpp"

#include <map>

#include "sim/workload/layers.hpp"

namespace danlu {

ModelBlocks build_model(const Workload& w) {
  const RankShape shape(w);
  ModelBlocks model{.embedding = embedding(shape), .head = head(shape)};
  std::map<LayerSort, LayerKindId> known;
  const bool loads_differ = shape.experts.size() > 1;
  int mixtures = 0;
  for (int i = 0; i < w.model.layers + w.model.prediction_layers; ++i) {
    LayerSort sort = w.model.layer_sort(i);
    if (sort.experts && loads_differ) {
      sort.load = mixtures++;
    }
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
  for (Block& layer : model.kinds) {
    unfuse(shape, layer);
  }
  unfuse(shape, model.embedding);
  unfuse(shape, model.head);
  freeze_weights(w, model);
  lower_precision(w, model);
  add_adapters(shape, model);
  keep_narrow(w, model);
  stop_gradients(w, model);
  for (Block& layer : model.kinds) {
    layer.for_weights =
        needed_by_weights(layer, element_bytes(w.training.precision),
                          is_narrow(w.training.precision) ? quantisation_of(w.training).bytes : 0);
  }
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

double trained_parameters(const Workload& w) {
  double parameters = 0;
  for_blocks_of_one_rank(w,
                         [&](const Block& block) { parameters += trained_weight_of(block).whole; });
  return parameters;
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
  const int more = w.placement().is_last(at) ? w.model.prediction_layers : 0;
  return {begin, begin + w.layers_at(at) + more};
}

bool takes_gradient(const Workload& w, const ModelBlocks& model, PlacedChunk at) {
  const Placement placement = w.placement();
  if (placement.is_last(at)) {
    return model.head.takes_gradient;
  }
  for (int part = placement.part(at); part >= 0; --part) {
    const std::vector<LayerKindId> layers = layers_of(w, model, placement.holder(part));
    if (!layers.empty()) {
      return model.kinds[layers.back()].takes_gradient;
    }
  }
  return model.embedding.takes_gradient;
}

}  // namespace danlu
