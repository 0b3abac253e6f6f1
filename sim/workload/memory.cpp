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
    bytes += kept_layer_bytes(w, w.training.attention == AttentionKind::Unfused);
  } else if (w.training.recompute == Recompute::Selective) {
    bytes += kept_layer_bytes(w, true) - kept_layer_bytes(w, false);
  }
  if (stage == w.parallelism.pipeline - 1) {  // logits in fp32 and in 16 bits
    const double tokens = static_cast<double>(w.training.micro_batch) * w.training.sequence_length;
    bytes += Bytes{tokens * w.model.vocab / w.parallelism.tensor * 6};
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
  const double layers = w.stage_layers(stage);
  double parameters = layer_parameters(w.model) * layers;
  if (stage == 0) {
    parameters += embedding_parameters(w.model);
  }
  if (stage == last && (last > 0 || !w.model.tied_embeddings)) {
    parameters += static_cast<double>(w.model.vocab) * w.model.hidden;
  }
  const double t = w.parallelism.tensor;
  const double copied = 2 * w.model.hidden * (w.model.rank_kv_width(t) - w.model.kv_width() / t);
  return parameters / t + copied * layers;
}

MemoryUse memory_use(const Workload& w) {
  MemoryUse worst;
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    const double parameters = rank_parameters(w, stage);
    const bool narrow = element_bytes(w.training.precision) == 2;
    const double shards = w.parallelism.zero == 0 ? 1 : w.parallelism.data;
    const auto ops = schedule_ops(w.training.schedule, stage, w.parallelism.pipeline,
                                  w.training.chunks, w.microbatches());
    const double layers_in_flight = peak_chunks_in_flight(ops) * w.layers_per_chunk(stage);
    const MemoryUse use{
        .parameters = {parameters * (narrow ? 2 : 4)},
        .gradients = {parameters * (narrow ? w.training.gradient_bytes : 4)},
        .optimizer = {parameters * (narrow ? 12 : 8) / shards},
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
