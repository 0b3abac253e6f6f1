#include "sim/workload/memory.hpp"

#include <algorithm>

#include "sim/schedule/schedule.hpp"
#include "sim/workload/kernels.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

/// What backward makes again of one layer while it runs, beside what is kept, and the logits.
Bytes working_set(const Workload& w, const ModelBlocks& kept, const ModelBlocks& whole, int stage) {
  Bytes bytes;
  for (const LayerKindId kind : kept.kinds.ids()) {
    bytes = std::max(bytes, kept_by(whole.kinds[kind]) - kept_by(kept.kinds[kind]));
  }
  if (stage == w.placement().last_stage()) {  // logits in fp32 and in 16 bits
    const RankShape shape(w);
    bytes += Bytes{shape.tokens * shape.vocab * 6};
  }
  return bytes;
}

}  // namespace

std::map<AxisSet, double> stage_weights(const Workload& w, const ModelBlocks& model, int stage) {
  std::map<AxisSet, double> held;
  const auto add = [&](const Block& block) {
    for (const auto& [split, parameters] : weights_by_split(block)) {
      held[split] += parameters;
    }
  };
  for (int chunk = 0; chunk < w.training.chunks; ++chunk) {
    const PlacedChunk at{stage, chunk};
    for (const LayerKindId kind : layers_of(w, model, at)) {
      add(model.kinds[kind]);
    }
    if (w.placement().is_first(at)) {
      add(model.embedding);
    }
    if (w.placement().is_last(at)) {
      add(model.head);
    }
  }
  return held;
}

double rank_parameters(const Workload& w, int stage) {
  double parameters = 0;
  for (const auto& [split, held] : stage_weights(w, build_model(w), stage)) {
    parameters += held;
  }
  return parameters;
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

std::vector<Bytes> activations_over_time(const Workload& w, const ModelBlocks& model, int stage) {
  std::vector<Bytes> kept;  // of one microbatch, by chunk
  for (int chunk = 0; chunk < w.training.chunks; ++chunk) {
    Bytes& bytes = kept.emplace_back();
    for (const LayerKindId kind : layers_of(w, model, {stage, chunk})) {
      bytes += kept_by(model.kinds[kind]);
    }
  }
  std::vector<Bytes> held;
  Bytes now;
  for (const Action& action : w.actions(stage)) {
    const Bytes own = kept[static_cast<std::size_t>(action.chunk)];
    now += action.is_forward() ? own : Bytes{};
    held.push_back(now);
    now -= action.frees() ? own : Bytes{};
  }
  return held;
}

MemoryUse memory_use(const Workload& w) {
  const ModelBlocks model = build_model(w);
  Workload kept_whole = w;
  kept_whole.training.recompute = Recompute::None;
  const ModelBlocks whole = build_model(kept_whole);
  const Mesh mesh = w.parallelism.mesh();
  const AdamBytes adam = adam_bytes(w.training);
  MemoryUse worst;
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    const std::vector<Bytes> activations = activations_over_time(w, model, stage);
    MemoryUse use{.activations = *std::max_element(activations.begin(), activations.end()),
                  .other = working_set(w, model, whole, stage),
                  .stage = stage};
    for (const auto& [split, parameters] : stage_weights(w, model, stage)) {
      const double shards = w.parallelism.zero > 0 ? mesh.size(kDataAxes.without(split)) : 1;
      use.parameters += Bytes{parameters * adam.weight};
      use.gradients += Bytes{parameters * adam.gradient};
      use.optimizer += Bytes{parameters * adam.state / shards};
    }
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
