// Dimensions of published models, by name.
#pragma once

#include <span>
#include <string_view>

#include "sim/workload/model.hpp"

namespace danlu {

/// What the models of a family share.
struct Family {
  bool gated_mlp = false;
  bool tied_embeddings = false;
  Biases biases{};
  Norm norm = Norm::RmsNorm;
};

/// What every model has.
struct ModelWidths {
  int layers, hidden, heads, kv_heads, head_dim, ffn, vocab;
};

/// What some have, as ModelSpec has it.
struct ModelTraits {
  int positions = 0;
  int norms = 2;
  bool parallel_residual = false;
  int value_dim = 0;
  Latent latent{};
  QkNorm qk_norm = QkNorm::None;
  int window = 0;
  int global_every = 0;
  bool sinks = false;
  ExpertsSpec experts{};
  bool embedding_norm = false;
  bool final_norm = true;
  ModelKind kind = ModelKind::Decoder;
  int encoder_layers = 0;
  int token_types = 0;
  int relative_positions = 0;
  bool pooler = false;
};

/// One line of the table.
struct ModelPreset {
  std::string_view name;
  Family family;
  ModelWidths widths;
  ModelTraits traits;
  std::string_view source;
};

std::span<const ModelPreset> model_presets();
ModelSpec to_model_spec(const ModelPreset& preset);

}  // namespace danlu
