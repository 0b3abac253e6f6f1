// Presets of what is no dense decoder.
#include "sim/workload/model_families.hpp"

namespace danlu {

namespace {

// Name, family, widths: layers, hidden, heads, kv_heads, head_dim, ffn, vocab; what else there is.
constexpr auto kPresets = std::to_array<ModelPreset>({
    // Encoders, and both
    {"bert-base",
     kGpt,
     {12, 768, 12, 12, 64, 3072, 30522},
     {.positions = 512,
      .embedding_norm = true,
      .final_norm = false,
      .kind = ModelKind::Encoder,
      .token_types = 2,
      .pooler = true},
     "arXiv:1810.04805; huggingface.co/google-bert/bert-base-uncased config.json; norms behind the "
     "halves are played before them; logits of all tokens"},
    {"bert-large",
     kGpt,
     {24, 1024, 16, 16, 64, 4096, 30522},
     {.positions = 512,
      .embedding_norm = true,
      .final_norm = false,
      .kind = ModelKind::Encoder,
      .token_types = 2,
      .pooler = true},
     "arXiv:1810.04805; huggingface.co/google-bert/bert-large-uncased config.json; norms behind "
     "the halves are played before them; logits of all tokens"},
    {"t5-base",
     kT5,
     {24, 768, 12, 12, 64, 3072, 32128},
     {.kind = ModelKind::EncoderDecoder, .encoder_layers = 12, .relative_positions = 32},
     "arXiv:1910.10683 section 3.7; huggingface.co/google-t5/t5-base config.json"},
    {"t5-large",
     kT5,
     {48, 1024, 16, 16, 64, 4096, 32128},
     {.kind = ModelKind::EncoderDecoder, .encoder_layers = 24, .relative_positions = 32},
     "arXiv:1910.10683 section 3.7; huggingface.co/google-t5/t5-large config.json"},
    {"t5-11b",
     kT5,
     {48, 1024, 128, 128, 128, 65536, 32128},
     {.kind = ModelKind::EncoderDecoder, .encoder_layers = 24, .relative_positions = 32},
     "arXiv:1910.10683 section 3.7; huggingface.co/google-t5/t5-11b config.json"},
    {"t5-1.1-xxl",
     kLlama,
     {48, 4096, 64, 64, 64, 10240, 32128},
     {.kind = ModelKind::EncoderDecoder, .encoder_layers = 24, .relative_positions = 32},
     "huggingface.co/google/t5-v1_1-xxl config.json"},
});

}  // namespace

std::span<const ModelPreset> other_presets() {
  return kPresets;
}

}  // namespace danlu
