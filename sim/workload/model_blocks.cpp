#include "sim/workload/model_blocks.hpp"

#include <map>
#include <optional>
#include <utility>

#include "sim/workload/layers.hpp"
#include "sim/workload/memory.hpp"
#include "sim/workload/optimizer.hpp"

namespace danlu {

namespace {

/// The blocks of the two halves of a model, or of its one, as ranks share them.
class Halves {
 public:
  explicit Halves(const Workload& w) : first_(w), together_(w.decoder_stage() == 0) {
    if (w.model.kind == ModelKind::EncoderDecoder) {
      decoder_.emplace(w, ModelHalf::Decoder);
    }
  }

  const RankShape& first() const { return first_; }
  Block make_embedding() const {
    const bool both = decoder_ && together_;
    return shared(first_,
                  embedding(first_, both ? 2 : 1, first_.tokens + (both ? decoder_->tokens : 0)));
  }
  Block make_decoder_embedding() const {
    return decoder_ && !together_ ? shared(*decoder_, embedding(*decoder_, 1, decoder_->tokens))
                                  : Block{};
  }
  Block make_layer(const LayerSort& sort) const {
    const RankShape& z = sort.crosses ? *decoder_ : first_;
    Block block = layer(z, sort);
    split_over_sequence_ranks(z, block);
    return shared(z, std::move(block));
  }
  Block make_head() const {
    const RankShape& z = decoder_ ? *decoder_ : first_;
    return shared(z, head(z));
  }

 private:
  static Block shared(const RankShape& z, Block block) {
    split_over_tensor_ranks(z, block);
    unfuse(z, block);
    return block;
  }

  RankShape first_;
  std::optional<RankShape> decoder_;
  bool together_;
};

}  // namespace

ModelBlocks build_model(const Workload& w) {
  const Halves halves(w);
  const RankShape& shape = halves.first();
  ModelBlocks model{.embedding = halves.make_embedding(),
                    .decoder_embedding = halves.make_decoder_embedding(),
                    .head = halves.make_head()};
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
      model.kinds.push_back(halves.make_layer(sort));
    }
    model.kind_of_layer.push_back(kind->second);
  }
  freeze_weights(w, model);
  keep_activations_narrow(w, model);
  lower_precision(w, shape, model);
  copy_gathered(w, model);
  add_adapters(shape, model);
  keep_attention_narrow(w, model);
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

/// Calls `visit` with every block of the model as one rank alone would hold it, and whether it is a
/// layer.
template <typename Visit>
void for_blocks_of_one_rank(Workload w, const Visit& visit) {
  w.parallelism = {};
  w.training.recompute = Recompute::None;
  const ModelBlocks model = build_model(w);
  visit(model.embedding, false);
  for (const LayerKindId kind : model.kind_of_layer) {
    visit(model.kinds[kind], true);
  }
  visit(model.head, false);
}

}  // namespace

double total_parameters(const ModelSpec& model) {
  double parameters = 0;
  for_blocks_of_one_rank({.model = model},
                         [&](const Block& block, bool) { parameters += weight_of(block).whole; });
  return parameters;
}

IdArray<ModelPart, PartParameters, kNames<ModelPart>.size()> parameters_by_part(
    const ModelSpec& model) {
  IdArray<ModelPart, PartParameters, kNames<ModelPart>.size()> parts{};
  for_blocks_of_one_rank({.model = model}, [&](const Block& block, bool) {
    for (const Operator* op : operators_of(block)) {
      parts[op->part].all += op->weight.whole;
      parts[op->part].active += op->weight.whole * op->weight.active;
    }
  });
  return parts;
}

double trained_parameters(const Workload& w) {
  double parameters = 0;
  for_blocks_of_one_rank(
      w, [&](const Block& block, bool) { parameters += trained_weight_of(block).whole; });
  return parameters;
}

Bytes checkpoint_size(const Workload& w) {
  const TrainingSpec& training = w.training;
  const bool is_master = casts_on_gather(w.parallelism) && has_master(training);
  const double master = has_master(training) && !is_master ? 4 : 0;
  Bytes size;
  for_blocks_of_one_rank(w, [&](const Block& block, bool in_layer) {
    for (const Operator* op : operators_of(block)) {
      const Updated updated = updated_by(training, *op, in_layer, w.model.hidden);
      const double weight = is_master && op->weight.trained ? 4 : updated_bytes(w, op->weight);
      const double saved = training.lora.is_there() ? updated.parameters : op->weight.held;
      size += Bytes{saved * weight + updated.parameters * master +
                    updated.moments * moment_bytes(training)};
    }
  });
  return size;
}

Flops step_flops(const Workload& w, bool causal) {
  Workload counted = w;
  counted.training.causal_flops = causal;
  counted.training.micro_batch = w.training.global_batch;
  Flops flops;
  for_blocks_of_one_rank(counted, [&](const Block& block, bool) {
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
  std::vector<LayerKindId> layers(begin, begin + w.layers_at(at));
  if (w.predicts(at)) {
    layers.insert(layers.end(), model.kind_of_layer.begin() + w.model.layers,
                  model.kind_of_layer.end());
  }
  return layers;
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
