// The sizes that one rank sees of a microbatch and of the model: what its kernels are made of.
#pragma once

#include "sim/workload/attention_mask.hpp"
#include "sim/workload/expert_balance.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

/// Of an encoder-decoder the two halves have a shape each, as their sequences may differ in length.
enum class ModelHalf { Encoder, Decoder };

struct RankShape {
  /// Of another model `half` does not matter.
  explicit RankShape(const Workload& w, ModelHalf half = ModelHalf::Encoder)
      : model(w.model),
        training(w.training),
        tensor(w.parallelism.tensor),
        ulysses(w.parallelism.ulysses),
        context(w.parallelism.context),
        rounds(w.parallelism.context_exchange == ContextExchange::Ring ? context : 1),
        joins_gradients(w.training.splits(UnfusedPart::Flat) && w.parallelism.zero > 1 &&
                        w.parallelism.sharding.reduce != Reduce::OncePerStep),
        merges(context > 1 && w.parallelism.context_exchange == ContextExchange::GatherRing),
        repeats_heads(w.parallelism.context_repeats),
        splits_sequence(w.parallelism.sequence && tensor > 1),
        tensor_inputs(w.parallelism.tensor_inputs),
        logits_ranks(w.parallelism.whole_logits ? tensor : 1),
        batch(w.training.micro_batch),
        sequence(half == ModelHalf::Decoder ? w.training.decoder_tokens()
                                            : w.training.sequence_length),
        encoded(w.training.sequence_length),
        queries(sequence / context),
        tokens(batch * queries / ulysses),
        local_tokens(splits_sequence ? tokens / tensor : tokens),
        element(element_bytes(w.training.precision)),
        gradient(2.0 * w.training.gradient_bytes),
        hidden(w.model.hidden),
        query(w.model.query_width() / tensor),
        key(w.model.rank_key_width(tensor)),
        value(w.model.rank_value_width(tensor)),
        output(w.model.output_width() / tensor),
        vocab(w.model.rank_vocab(w.parallelism.tensor)),
        heads(w.model.heads / (tensor * ulysses)),
        core_query(query / ulysses),
        core_key(w.model.rank_key_width(tensor * ulysses)),
        core_value(w.model.rank_value_width(tensor * ulysses)),
        core_output(output / ulysses),
        expert(w.parallelism.expert),
        expert_tensor(w.parallelism.expert_tensor_ranks()),
        shared_beside(w.parallelism.overlap_shared && expert > 1),
        routed_once(w.parallelism.expert_exchange == TokenExchange::DeepEp && expert > 1),
        experts_apart(w.host.expert > Seconds{}),
        experts(expert_balances(w)),
        turns(w.model.positions == 0 && w.model.relative_positions == 0),
        ends_meet(w.placement().holds_last(w.placement().first_stage()) ||
                  (w.decoder_stage() > 0 && w.decoder_stage() == w.placement().last_stage())),
        predicts_apart(w.parallelism.prediction_before_head && w.model.prediction_layers > 0),
        prediction_copies(w.prediction_copies_table()) {}

  const ModelSpec& model;
  const TrainingSpec& training;
  double tensor;         // ranks that share a layer
  double ulysses;        // ranks that share a sequence, and heads in attention
  double context;        // groups of them that share it in attention, too
  double rounds;         // in which attention sees the keys of a sequence
  bool joins_gradients;  // to one array, which is scattered, so that none is added to a sum
  bool merges;           // attention runs over each rank's keys by itself, all of them gathered
  bool repeats_heads;    // keys and values travel between them once for each query head
  bool splits_sequence;  // norms, dropouts and residuals are split over them too
  TensorInputs tensor_inputs;
  double logits_ranks;  // of whose parts of the vocabulary this one has the loss
  double batch, sequence;
  double encoded;  // positions of the encoder's sequence, that a decoder attends to
  double queries;  // positions of a sequence that this rank attends from, with some of the heads
  double tokens;   // of all else
  double local_tokens;               // of norms, dropouts and residuals
  double element;                    // bytes of an activation or weight
  double gradient;                   // bytes of a gradient read and written back
  double hidden;                     // widths on this rank, as all below
  double query, key, value, output;  // of attention
  double vocab;
  double heads, core_query, core_key, core_value, core_output;  // the same among Ulysses ranks
  double expert, expert_tensor;        // ranks that experts are spread over, and share each
  bool shared_beside;                  // shared experts beside dispatch and combine
  bool routed_once;                    // to each node and rank, not to each expert
  bool experts_apart;                  // their products are launched one by one
  std::vector<ExpertBalance> experts;  // by LayerSort::load
  bool turns;                          // queries and keys by rotary positions
  bool ends_meet;                      // the stage with the model's last part embeds tokens
  bool predicts_apart;                 // logits of layers that predict more are on another part
  bool prediction_copies;              // these have a table of tokens to themselves

  /// Bytes of the activations at a layer's boundary, whole: over all tensor ranks.
  Bytes boundary() const { return {element * tokens * hidden}; }
  /// Logits that this rank has the loss of.
  double logits() const { return tokens * vocab * logits_ranks; }
  /// Positions of the encoder's sequences on this rank.
  double encoded_tokens() const { return tokens * encoded / sequence; }
  /// Bytes that a layer begins with, on this rank.
  Bytes block_input() const { return {element * local_tokens * hidden}; }
  /// Bytes of the keys and values of `positions` of a sequence in attention.
  Bytes keys_and_values(double positions) const {
    const double width = repeats_heads ? core_query + core_output : core_key + core_value;
    return {element * batch * positions * width};
  }
};

}  // namespace danlu
