// Arithmetic of dense decoder-only transformers. With hidden size h, l layers, sequence s, batch B
// (sequences), vocabulary V, a GPT with full attention and a 4h MLP has
//
//   parameters        P = 12 l h^2 (1 + 13/(12h) + (V+s)/(12 l h))         Narayanan et al. 2021
//   model FLOPs/step    = 72 B s l h^2 (1 + s/(6h) + V/(12 l h))    Korthikanti et al. 2022 (7)
//
// and the functions here give the same for grouped-query attention and gated MLPs. FLOPs count the
// full attention square, as those papers do, unless `causal` asks for the half that a mask leaves.
#pragma once

#include <algorithm>
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

/// Weights of the matrix products of one layer: what forward multiplies by.
double layer_matrix_parameters(const ModelSpec& model);
/// All parameters of one layer, with biases and norms.
double layer_parameters(const ModelSpec& model);
/// What one of `tensor` ranks holds of a layer: its share of what is split, and a whole copy of
/// what is not: norms, the biases of products split by rows (projection, MLP down), and one
/// key-value head where there are fewer heads than ranks.
double rank_layer_parameters(const ModelSpec& model, int tensor);
/// The embedding table (and the position table); the output head shares it when tied.
double embedding_parameters(const ModelSpec& model);
/// The output head's own parameters, 0 when tied.
double head_parameters(const ModelSpec& model);
/// All parameters. The paper's formula leaves out the final norm, which is counted here.
double total_parameters(const ModelSpec& model);

/// FLOPs of the two attention products (scores and values) of one layer and one sequence, forward.
Flops attention_core_flops(const ModelSpec& model, double sequence, bool causal);

/// Model FLOPs of forward and backward for `sequences` sequences, without any recomputation.
Flops model_flops(const ModelSpec& model, double sequences, double sequence, bool causal);

}  // namespace danlu
