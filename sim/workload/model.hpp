// The widths of a model. What is made of them (parameters, FLOPs, memory) is read off its blocks.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <initializer_list>
#include <string>

#include "sim/base/names.hpp"
#include "sim/base/units.hpp"

namespace danlu {

enum class Norm { LayerNorm, RmsNorm, Unbiased, Unweighted };
template <>
inline constexpr auto kNames<Norm> =
    std::to_array<Named<Norm>>({{Norm::LayerNorm, "layernorm"},
                                {Norm::RmsNorm, "rmsnorm"},
                                {Norm::Unbiased, "layernorm-without-bias"},
                                {Norm::Unweighted, "layernorm-without-parameters"}});

/// Products that may have biases. Head is that of the logits.
enum class Biased { Qkv, Output, Mlp, Experts, Head };
template <>
inline constexpr auto kNames<Biased> = std::to_array<Named<Biased>>({{Biased::Qkv, "qkv"},
                                                                     {Biased::Output, "output"},
                                                                     {Biased::Mlp, "mlp"},
                                                                     {Biased::Experts, "experts"},
                                                                     {Biased::Head, "head"}});

/// Which of them have.
class Biases {
 public:
  constexpr Biases() = default;
  constexpr Biases(std::initializer_list<Biased> products) {
    for (const Biased product : products) {
      bits_ |= bit(product);
    }
  }
  constexpr bool on(Biased product) const { return (bits_ & bit(product)) != 0; }
  constexpr Biases operator|(Biases more) const {
    more.bits_ |= bits_;
    return more;
  }
  constexpr bool operator==(const Biases&) const = default;

 private:
  static constexpr unsigned bit(Biased product) { return 1U << static_cast<unsigned>(product); }
  unsigned bits_ = 0;
};
inline constexpr Biases kNoBiases{};
/// Of all products but the logits.
inline constexpr Biases kUsualBiases{Biased::Qkv, Biased::Output, Biased::Mlp, Biased::Experts};

/// What norms on queries and keys have weights for: one head, which all share, or all of them.
enum class QkNorm { None, Head, Full };
template <>
inline constexpr auto kNames<QkNorm> = std::to_array<Named<QkNorm>>({{QkNorm::None, "none"},
                                                                     {QkNorm::Head, "head"},
                                                                     {QkNorm::Full, "full"}});

/// Multi-head latent attention (DeepSeek-V2): keys and values of all heads are made of a narrow
/// array, and queries may be.
struct Latent {
  int query_rank = 0;  // width of what queries are made of; 0: of the layer's input itself
  int kv_rank = 0;     // of what keys and values are made of; 0: no latent attention
  int rotary_dim = 0;  // what a head's query and key have for positions, beside head_dim
};

/// A mixture of experts in place of an MLP: each token visits some of them, and a shared one.
struct ExpertsSpec {
  int count = 0;             // of a layer; 0: an MLP
  int per_token = 1;         // that a token visits
  int ffn = 1;               // width of each
  int shared_ffn = 0;        // width of all that every token visits together
  bool shared_gate = false;  // their output is weighted by a product with one column
  bool router_bias = false;
  int dense_layers = 0;  // the first so many have an MLP all the same
  int every = 1;         // of the others each so-many-th has experts
};

/// What its layers attend to: those before a position; all of them; an encoder's all of theirs, and
/// then a decoder's those before, and all that the encoder made.
enum class ModelKind { Decoder, Encoder, EncoderDecoder };
template <>
inline constexpr auto kNames<ModelKind> =
    std::to_array<Named<ModelKind>>({{ModelKind::Decoder, "decoder"},
                                     {ModelKind::Encoder, "encoder"},
                                     {ModelKind::EncoderDecoder, "encoder-decoder"}});

/// What a layer is made of; layers of one sort are alike.
struct LayerSort {
  bool experts = false;       // in place of an MLP
  int window = 0;             // positions that one attends to, with itself; 0: all before it
  bool sees_all = false;      // no causal mask
  bool crosses = false;       // attends to the encoder's output, too
  bool ends_encoder = false;  // a norm behind it makes that
  int load = 0;               // of experts: how manieth of several loads
  int predicts = 0;           // tokens after the next: the how manieth such layer
  auto operator<=>(const LayerSort&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// The dimensions of one model.
struct ModelSpec {
  std::string name;
  int layers = 1;
  int hidden = 1;
  int heads = 1;
  int kv_heads = 1;
  int head_dim = 1;
  int ffn = 1;  // width of the MLP
  int vocab = 1;
  int positions = 0;  // rows of a learned position table; 0 for rotary or ALiBi
  bool gated_mlp = false;
  bool tied_embeddings = true;
  Biases biases = kUsualBiases;
  Norm norm = Norm::LayerNorm;
  ExpertsSpec experts;
  int norms = 2;  // a layer: 1: attention and MLP stand side by side behind it; 4: behind each
                  // half, too
  bool parallel_residual = false;  // side by side, each behind its own where there are two
  int value_dim = 0;               // of a head's values; 0: as head_dim
  Latent latent;
  QkNorm qk_norm = QkNorm::None;
  int window = 0;        // of layers that see no more than that; 0: all do
  int global_every = 0;  // each so-manieth layer sees everything all the same; 0: none
  bool sinks = false;    // a learned score a head, that takes part in softmax
  bool embedding_norm = false;
  bool final_norm = true;
  ModelKind kind = ModelKind::Decoder;
  int encoder_layers = 0;      // of EncoderDecoder: of the layers, the first so many
  int token_types = 0;         // rows of a table of them
  int relative_positions = 0;  // buckets of a table with a value for each head (T5), by each half
  bool pooler = false;         // a product behind the first token (BERT)
  int prediction_layers = 0;   // beside the layers, each for a token after the next

  bool is_latent() const { return latent.kv_rank > 0; }
  /// Attention and MLP of one input, of which the sum is taken once.
  bool side_by_side() const { return norms == 1 || parallel_residual; }
  /// Of the layer with that number.
  LayerSort layer_sort(int layer) const {
    const bool is_global = global_every > 0 && (layer + 1) % global_every == 0;
    const bool has_turn = layer >= experts.dense_layers && (layer + 1) % experts.every == 0;
    const bool is_pair = kind == ModelKind::EncoderDecoder;
    const bool encodes = kind == ModelKind::Encoder || (is_pair && layer < encoder_layers);
    return {.experts = experts.count > 0 && has_turn,
            .window = is_global ? 0 : window,
            .sees_all = encodes,
            .crosses = is_pair && !encodes,
            .ends_encoder = is_pair && layer + 1 == encoder_layers,
            .predicts = std::max(0, layer + 1 - layers)};
  }
  /// Those that predict more, too.
  int layers_with_experts() const {
    int found = 0;
    for (int layer = 0; layer < layers + prediction_layers; ++layer) {
      found += layer_sort(layer).experts ? 1 : 0;
    }
    return found;
  }
  /// Of a head: its queries and keys, and its values.
  double key_dim() const { return head_dim + (is_latent() ? latent.rotary_dim : 0); }
  double head_values() const { return value_dim > 0 ? value_dim : head_dim; }
  // Of all heads: queries, keys, values, and what attention gives.
  double query_width() const { return heads * key_dim(); }
  double key_width() const { return kv_heads * key_dim(); }
  double value_width() const { return kv_heads * head_values(); }
  double output_width() const { return heads * head_values(); }
  /// Keys (or values) on one of `tensor` ranks; with more ranks than key-value heads each rank
  /// holds a copy of one head.
  double rank_key_width(double tensor) const { return std::max(key_width() / tensor, key_dim()); }
  double rank_value_width(double tensor) const {
    return std::max(value_width() / tensor, head_values());
  }
  double mlp_matrices() const { return gated_mlp ? 3 : 2; }
  /// Parameters of a norm over `width`: a scale, and of a layernorm a shift.
  double norm_parameters(double width) const {
    return norm == Norm::LayerNorm ? 2 * width : norm == Norm::Unweighted ? 0 : width;
  }
  double norm_parameters() const { return norm_parameters(hidden); }
  /// Rows of the vocabulary on one of `tensor` ranks. Where they cannot be shared evenly the table
  /// is padded to the next multiple of 128 x tensor, as Megatron does
  /// (--make-vocab-size-divisible-by 128).
  double rank_vocab(int tensor) const {
    constexpr int kPadding = 128;
    const int whole = kPadding * tensor;
    const int rows = vocab % tensor == 0 ? vocab : (vocab + whole - 1) / whole * whole;
    return static_cast<double>(rows) / tensor;
  }
};

}  // namespace danlu
