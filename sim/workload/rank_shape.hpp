// The sizes that one rank sees of a microbatch and of the model: what its kernels are made of.
#pragma once

#include "sim/workload/workload.hpp"

namespace danlu {

struct RankShape {
  explicit RankShape(const Workload& w)
      : model(w.model),
        training(w.training),
        tensor(w.parallelism.tensor),
        context(w.parallelism.mesh().size(Axis::Context)),
        splits_sequence(w.parallelism.sequence && tensor > 1),
        batch(w.training.micro_batch),
        sequence(w.training.sequence_length),
        queries(sequence / context),
        tokens(batch * queries),
        local_tokens(splits_sequence ? tokens / tensor : tokens),
        element(element_bytes(w.training.precision)),
        gradient(2.0 * w.training.gradient_bytes),
        hidden(w.model.hidden),
        query(w.model.query_width() / tensor),
        kv(w.model.rank_kv_width(tensor)),
        ffn(w.model.ffn / tensor),
        vocab(w.model.rank_vocab(w.parallelism.tensor)) {}

  const ModelSpec& model;
  const TrainingSpec& training;
  double tensor;         // ranks that share a layer
  double context;        // ranks that share a sequence
  bool splits_sequence;  // norms, dropouts and residuals are split over them too
  double batch, sequence;
  double queries;  // positions of a sequence that are this rank's; keys are those of all
  double tokens;
  double local_tokens;                   // of norms, dropouts and residuals
  double element;                        // bytes of an activation or weight
  double gradient;                       // bytes of a gradient read and written back
  double hidden, query, kv, ffn, vocab;  // widths on this rank; kv: of keys, and as much of values

  /// Bytes of the activations at a layer's boundary, whole: over all tensor ranks.
  Bytes boundary() const { return {element * batch * queries * hidden}; }
};

}  // namespace danlu
