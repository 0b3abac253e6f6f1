// The model of a row: the widths that it gives, or the published mixture of experts that it names.
#include <fmt/format.h>

#include <array>
#include <cctype>
#include <regex>
#include <utility>

#include "sim/base/text.hpp"
#include "sim/validation/training_notes.hpp"
#include "sim/validation/training_parts.hpp"

namespace danlu {
namespace {

/// "Qwen3_30b_a3B" is qwen3-30b-a3b.
std::string as_preset_name(std::string_view model) {
  std::string name = lower_case(model);
  for (char& c : name) {
    c = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' ? c : '-';
  }
  return name;
}

/// Where the row contradicts the model that it names.
void check_mixture(const TrainingRow& row, const ModelPreset& preset, RowSection& section) {
  const ModelSpec model = to_model_spec(preset);
  const std::array<std::pair<const char*, int>, 6> widths{{{"hidden", model.hidden},
                                                           {"heads", model.heads},
                                                           {"kv_heads", model.kv_heads},
                                                           {"moe_experts", model.experts.count},
                                                           {"moe_topk", model.experts.per_token},
                                                           {"moe_ffn_hidden", model.experts.ffn}}};
  for (const auto& [column, width] : widths) {
    if (row.count(column, width) != width) {
      section.refuse(fmt::format("{} ({}) is not that of {} ({})", column, row.cell(column),
                                 preset.name, width));
    }
  }
}

/// "capacity factor 1 with padding, 1 dense layer": how many first layers are dense, where a note
/// says so of a model that was cut short.
int dense_layers(const TrainingRow& row, int fallback) {
  return static_cast<int>(note_number(row, NoteNumber::DenseLayers).value_or(fallback));
}

void add_mixture(const TrainingRow& row, RowSection& section) {
  const ModelPreset* preset = named_model(row);
  const ModelSpec model = preset != nullptr ? to_model_spec(*preset) : ModelSpec{};
  if (model.experts.count == 0) {
    section.refuse(
        fmt::format("mixture of experts whose widths are not known: {}", shown(row.cell("model"))));
    return;
  }
  check_mixture(row, *preset, section);
  section.line("model:");
  section.line(fmt::format("  preset: {}", preset->name));
  section.line(fmt::format("  layers: {}", row.count("layers", model.layers)));
  section.line(fmt::format("  vocab: {}", row.count("vocab", model.vocab)));
  section.line(fmt::format("  experts: {{dense_layers: {}}}",
                           dense_layers(row, model.experts.dense_layers)));
  if (const int layers = prediction_layers(row); layers > 0) {
    section.line(fmt::format("  prediction_layers: {}", layers));
  }
}

/// The model that the row names, if it has those widths.
std::optional<ModelSpec> same_model(const TrainingRow& row) {
  const ModelPreset* preset = named_model(row);
  const ModelSpec model = preset != nullptr ? to_model_spec(*preset) : ModelSpec{};
  const bool same = preset != nullptr && model.hidden == row.count("hidden", 0) &&
                    model.heads == row.count("heads", 1);
  return same ? std::optional(model) : std::nullopt;
}

bool ties_embeddings(const TrainingRow& row, const std::optional<ModelSpec>& model, bool gated) {
  if (notes_say(row, Note::UntiedEmbeddings)) {
    return false;
  }
  return notes_say(row, Note::TiedEmbeddings) || (model ? model->tied_embeddings : !gated);
}

void add_dense(const TrainingRow& row, RowSection& section) {
  const bool gated = parse_flag(row.cell("gated_mlp")).value_or(false);
  const int heads = row.count("heads", 1);
  section.line("model:");
  for (const auto& [key, column] : {std::pair("layers", "layers"), std::pair("hidden", "hidden"),
                                    std::pair("ffn", "ffn_hidden"), std::pair("vocab", "vocab")}) {
    section.line(fmt::format("  {}: {}", key, row.count(column, 1)));
  }
  section.line(fmt::format("  heads: {}", heads));
  section.line(fmt::format("  kv_heads: {}", row.count("kv_heads", heads)));
  section.line(fmt::format("  gated_mlp: {}", gated));
  const std::optional<ModelSpec> model = same_model(row);
  section.line(fmt::format("  tied_embeddings: {}", ties_embeddings(row, model, gated)));
  section.line(fmt::format("  biases: {}", !gated && !notes_say(row, Note::NoBiases)));
  section.line(fmt::format("  norm: {}", name_of(gated ? Norm::RmsNorm : Norm::LayerNorm)));
  if (notes_say(row, Note::ParallelResidual)) {
    section.line("  parallel_residual: true");
  }
  const bool has_table = !gated && !notes_say(row, Note::NoPositions);
  section.line(fmt::format("  positions: {}", has_table ? row.count("seq_len", 1) : 0));
  if (const auto noted = note_number(row, NoteNumber::HeadDim)) {
    section.line(fmt::format("  head_dim: {}", *noted));
  } else if (model && model->head_dim * heads != model->hidden && !model->is_latent()) {
    section.line(fmt::format("  head_dim: {}", model->head_dim));
  }
  if (model && model->qk_norm != QkNorm::None) {
    section.line(fmt::format("  qk_norm: {}", name_of(model->qk_norm)));
  }
}

}  // namespace

const ModelPreset* named_model(const TrainingRow& row) {
  const std::string name = as_preset_name(row.cell("model"));
  const ModelPreset* found = nullptr;
  for (const ModelPreset& preset : model_presets()) {
    const bool begins = name.starts_with(preset.name) &&
                        (name.size() == preset.name.size() || name[preset.name.size()] == '-');
    if (begins && (found == nullptr || preset.name.size() > found->name.size())) {
      found = &preset;
    }
  }
  return found;
}

bool has_experts(const TrainingRow& row) {
  return row.number("moe_experts") > 1;
}

int prediction_layers(const TrainingRow& row) {
  if (const auto noted = note_number(row, NoteNumber::PredictionLayers)) {
    return static_cast<int>(*noted);
  }
  const ModelPreset* preset = named_model(row);
  const bool predicts = preset != nullptr && preset->name == "deepseek-v3" &&
                        row.count("layers", 0) == preset->widths.layers;
  return predicts && row.says("framework", "megatron-bridge") ? 1 : 0;
}

RowSection model_section(const TrainingRow& row) {
  RowSection section;
  const std::string model = row.words("model");
  if (model.starts_with("bert") || model.starts_with("t5")) {
    section.refuse("encoder model");
  }
  if (model.find("mamba") != std::string::npos || model.find("nemotron-h") != std::string::npos) {
    section.refuse("state-space layers");
  }
  has_experts(row) ? add_mixture(row, section) : add_dense(row, section);
  return section;
}

}  // namespace danlu
