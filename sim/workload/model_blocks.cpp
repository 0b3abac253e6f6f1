#include "sim/workload/model_blocks.hpp"

#include "sim/workload/layers.hpp"

namespace danlu {

ModelBlocks build_model(const Workload& w) {
  const RankShape shape(w);
  const bool tied_to_itself = w.model.tied_embeddings && w.parallelism.pipeline == 1;
  ModelBlocks model{.embedding = embedding(shape),
                    .kinds = {dense_layer(shape)},
                    .kind_of_layer = std::vector<int>(static_cast<std::size_t>(w.model.layers)),
                    .head = head(shape, !tied_to_itself)};
  for (Block& layer : model.kinds) {
    recompute(w.training.recompute, layer);
    split_over_tensor_ranks(shape, layer);
  }
  split_over_tensor_ranks(shape, model.embedding);
  split_over_tensor_ranks(shape, model.head);
  return model;
}

std::vector<int> layers_of(const Workload& w, const ModelBlocks& model, PlacedChunk at) {
  const Placement placement = w.placement();
  int first = 0;
  for (int part = 0; part < placement.part(at); ++part) {
    first += w.layers_per_chunk(placement.holder(part).stage);
  }
  const auto begin = model.kind_of_layer.begin() + first;
  return {begin, begin + w.layers_per_chunk(at.stage)};
}

}  // namespace danlu
