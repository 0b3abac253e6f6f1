#include "sim/workload/memory.hpp"

#include "sim/workload/kernels.hpp"
#include "sim/workload/layer.hpp"
#include "sim/workload/schedule.hpp"

namespace danlu {
namespace {

/// Activations of one layer and one microbatch when nothing but the scores is recomputed.
Bytes kept_layer_bytes(const Workload& w, bool keeps_scores) {
  const ModelSpec& model = w.model;
  const double t = w.parallelism.tensor;
  const double tokens = static_cast<double>(w.training.micro_batch) * w.training.sequence_length;
  const double masks = w.training.dropout ? 2 : 0;
  const double outer = (8 + masks) * model.hidden / (w.parallelism.sequence ? t : 1);
  const double attention = 4 * (model.query_width() + t * model.rank_kv_width(t));
  const double mlp = (model.gated_mlp ? 6.0 : 4.0) * model.ffn;
  const double score_bytes = w.training.dropout ? 5 : 2;
  const double scores = keeps_scores ? score_bytes * model.heads * w.training.sequence_length : 0;
  const double wide = element_bytes(w.training.precision) / 2;  // the table counts 16-bit elements
  return {wide * tokens * (outer + (attention + mlp + scores) / t)};
}

Bytes working_set(const Workload& w, int stage) {
  Bytes bytes;
  if (w.training.recompute == Recompute::Full) {
    // The layer that is being recomputed, but for its input, which is kept anyway.
    bytes += kept_layer_bytes(w, w.training.attention == AttentionKind::Unfused) -
             layer_activation_bytes(w);
  } else if (w.training.recompute == Recompute::Selective) {
    bytes += kept_layer_bytes(w, true) - kept_layer_bytes(w, false);
  }
  if (stage == w.parallelism.pipeline - 1) {  // logits in fp32 and in 16 bits
    const double tokens = static_cast<double>(w.training.micro_batch) * w.training.sequence_length;
    bytes += Bytes{tokens * w.model.rank_vocab(w.parallelism.tensor) * 6};
  }
  return bytes;
}

}  // namespace

Bytes layer_activation_bytes(const Workload& w) {
  if (w.training.recompute == Recompute::Full) {
    const double t = w.parallelism.sequence ? w.parallelism.tensor : 1;
    return boundary_bytes(w) / t;
  }
  return kept_layer_bytes(
      w, w.training.recompute == Recompute::None && w.training.attention == AttentionKind::Unfused);
}

double rank_parameters(const Workload& w, int stage) {
  const int last = w.parallelism.pipeline - 1;
  const ModelSpec& model = w.model;
  const double table = model.rank_vocab(w.parallelism.tensor) * model.hidden;
  double parameters = rank_layer_parameters(model, w.parallelism.tensor) * w.stage_layers(stage);
  if (stage == 0) {
    parameters += table + static_cast<double>(model.positions) * model.hidden;
  }
  if (stage == last) {
    parameters += model.norm_parameters() + (last > 0 || !model.tied_embeddings ? table : 0);
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

MemoryUse memory_use(const Workload& w) {
  MemoryUse worst;
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    const double parameters = rank_parameters(w, stage);
    const AdamBytes adam = adam_bytes(w.training);
    const double shards = w.parallelism.zero == 0 ? 1 : w.parallelism.data;
    const auto ops = schedule_ops(w.training.schedule, stage, w.parallelism.pipeline,
                                  w.training.chunks, w.microbatches());
    const double layers_in_flight = peak_chunks_in_flight(ops) * w.layers_per_chunk(stage);
    const MemoryUse use{
        .parameters = {parameters * adam.weight},
        .gradients = {parameters * adam.gradient},
        .optimizer = {parameters * adam.state / shards},
        .activations = layers_in_flight * layer_activation_bytes(w),
        .other = working_set(w, stage),
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
