// The widths of a model. What is made of them (parameters, FLOPs, memory) is read off its blocks.
#pragma once

#include <algorithm>
#include <compare>
#include <span>
#include <string>
#include <string_view>

#include "sim/base/names.hpp"
#include "sim/base/units.hpp"

namespace danlu {

enum class Norm { LayerNorm, RmsNorm };
template <>
inline constexpr auto kNames<Norm> = std::to_array<Named<Norm>>({{Norm::LayerNorm, "layernorm"},
                                                                 {Norm::RmsNorm, "rmsnorm"}});

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

/// What a layer is made of; layers of one sort are alike.
struct LayerSort {
  bool experts = false;
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
  bool biases = true;
  Norm norm = Norm::LayerNorm;
  ExpertsSpec experts;

  /// Of the layer with that number.
  LayerSort layer_sort(int layer) const {
    const bool has_turn = layer >= experts.dense_layers && (layer + 1) % experts.every == 0;
    return {.experts = experts.count > 0 && has_turn};
  }
  double query_width() const { return static_cast<double>(heads) * head_dim; }
  double kv_width() const { return static_cast<double>(kv_heads) * head_dim; }
  /// Key (or value) width on one of `tensor` ranks; with more ranks than key-value heads each rank
  /// holds a copy of one head.
  double rank_kv_width(double tensor) const {
    return std::max(kv_width() / tensor, static_cast<double>(head_dim));
  }
  double mlp_matrices() const { return gated_mlp ? 3 : 2; }
  /// Parameters of one norm: a scale, and of a layernorm a shift.
  double norm_parameters() const { return (norm == Norm::LayerNorm ? 2.0 : 1.0) * hidden; }
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

/// One line of the preset table.
struct ModelPreset {
  std::string_view name;
  int layers, hidden, heads, kv_heads, ffn, vocab, positions;
  bool gated_mlp, tied_embeddings, biases;
  Norm norm;
  std::string_view source;
};

std::span<const ModelPreset> model_presets();
ModelSpec to_model_spec(const ModelPreset& preset);

}  // namespace danlu
