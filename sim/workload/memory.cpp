#include "sim/workload/memory.hpp"

#include <algorithm>

#include "sim/workload/kernels.hpp"
#include "sim/workload/model_blocks.hpp"
#include "sim/workload/schedule.hpp"

namespace danlu {
namespace {

/// What backward makes again of one layer while it runs, beside what is kept, and the logits.
Bytes working_set(const Workload& w, const ModelBlocks& kept, const ModelBlocks& whole, int stage) {
  Bytes bytes;
  for (std::size_t kind = 0; kind < kept.kinds.size(); ++kind) {
    bytes = std::max(bytes, kept_by(whole.kinds[kind]) - kept_by(kept.kinds[kind]));
  }
  if (stage == w.placement().last_stage()) {  // logits in fp32 and in 16 bits
    const RankShape shape(w);
    bytes += Bytes{shape.tokens * shape.vocab * 6};
  }
  return bytes;
}

}  // namespace

Bytes layer_activation_bytes(const Workload& w) {
  return kept_by(build_model(w).kinds.front());
}

double rank_parameters(const Workload& w, const ModelBlocks& model, int stage) {
  double parameters = 0;
  for (int chunk = 0; chunk < w.training.chunks; ++chunk) {
    const PlacedChunk at{stage, chunk};
    for (const int kind : layers_of(w, model, at)) {
      parameters += weight_of(model.kinds[static_cast<std::size_t>(kind)]).held;
    }
    parameters += w.placement().is_first(at) ? weight_of(model.embedding).held : 0;
    parameters += w.placement().is_last(at) ? weight_of(model.head).held : 0;
  }
  return parameters;
}

double rank_parameters(const Workload& w, int stage) {
  return rank_parameters(w, build_model(w), stage);
}

AdamBytes adam_bytes(const TrainingSpec& training) {
  const bool narrow = element_bytes(training.precision) == 2;
  if (!narrow) {
    return {.weight = 4, .gradient = 4, .state = 8};
  }
  const double gradient = training.gradient_bytes;
  const bool copies_gradients = training.precision == Precision::Fp16 && gradient == 2;
  return {.weight = 2, .gradient = gradient, .state = copies_gradients ? 16.0 : 12.0};
}

MemoryUse memory_use(const Workload& w) {
  const ModelBlocks model = build_model(w);
  Workload kept_whole = w;
  kept_whole.training.recompute = Recompute::None;
  const ModelBlocks whole = build_model(kept_whole);
  MemoryUse worst;
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    const double parameters = rank_parameters(w, model, stage);
    const AdamBytes adam = adam_bytes(w.training);
    const double shards = w.parallelism.zero > 0 ? w.parallelism.data : 1;
    const double layers_in_flight =
        peak_chunks_in_flight(w.actions(stage)) * w.layers_per_chunk(stage);
    const MemoryUse use{
        .parameters = {parameters * adam.weight},
        .gradients = {parameters * adam.gradient},
        .optimizer = {parameters * adam.state / shards},
        .activations = layers_in_flight * kept_by(model.kinds.front()),
        .other = working_set(w, model, whole, stage),
        .stage = stage,
    };
    if (use.peak() > worst.peak()) {
      worst = use;
    }
  }
  return worst;
}

Bytes zero_memory(double parameters, double ranks, int stage, double gradient_bytes) {
  const double weights = 2 / (stage >= 3 ? ranks : 1);
  const double gradients = gradient_bytes / (stage >= 2 ? ranks : 1);
  const double optimizer = 12 / (stage >= 1 ? ranks : 1);
  return {parameters * (weights + gradients + optimizer)};
}

}  // namespace danlu
