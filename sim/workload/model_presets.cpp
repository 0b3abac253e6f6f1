// Dimensions of published models, so that a scenario can name one. The table holds nothing that can
// be computed: parameters of the GPT family are 12 l h^2 + 13 l h + (V+s) h, that is per layer
// 4 h^2 of attention, 8 h^2 of MLP, 9h of biases and 4h of norms, then h for every word and
// every position. Grouped-query attention shrinks 2 of the 4 h^2, a gated MLP has three matrices of
// ffn instead of two, and an untied model pays the vocabulary twice. A vocabulary is the padded one
// where the training run padded it.
#include <array>

#include "sim/workload/model.hpp"

namespace danlu {

namespace {

// Name, layers, hidden, heads, kv_heads, ffn, vocab, positions, gated MLP, tied embeddings, biases,
// norm, source.
constexpr auto kPresets = std::to_array<ModelPreset>({
    {"gpt1", 12, 768, 12, 12, 3072, 40478, 512, false, true, true, Norm::LayerNorm,
     "Radford et al. 2018; github.com/openai/finetune-transformer-lm; 117 M published"},
    {"gpt2-xl", 48, 1600, 25, 25, 6400, 50257, 1024, false, true, true, Norm::LayerNorm,
     "Radford et al. 2019; huggingface.co/openai-community/gpt2-xl config.json"},
    {"gpt3-175b", 96, 12288, 96, 96, 49152, 51200, 2048, false, true, true, Norm::LayerNorm,
     "arXiv:2005.14165 table 2.1; vocabulary 50257 padded to 51200 as Megatron does"},
    {"megatron-1.7b", 24, 2304, 24, 24, 9216, 51200, 2048, false, true, true, Norm::LayerNorm,
     "arXiv:2104.04473 table 1"},
    {"megatron-3.6b", 30, 3072, 32, 32, 12288, 51200, 2048, false, true, true, Norm::LayerNorm,
     "arXiv:2104.04473 table 1"},
    {"megatron-7.5b", 36, 4096, 32, 32, 16384, 51200, 2048, false, true, true, Norm::LayerNorm,
     "arXiv:2104.04473 table 1"},
    {"megatron-18b", 40, 6144, 48, 48, 24576, 51200, 2048, false, true, true, Norm::LayerNorm,
     "arXiv:2104.04473 table 1"},
    {"megatron-39b", 48, 8192, 64, 64, 32768, 51200, 2048, false, true, true, Norm::LayerNorm,
     "arXiv:2104.04473 table 1"},
    {"megatron-76b", 60, 10240, 80, 80, 40960, 51200, 2048, false, true, true, Norm::LayerNorm,
     "arXiv:2104.04473 table 1"},
    {"megatron-145b", 80, 12288, 96, 96, 49152, 51200, 2048, false, true, true, Norm::LayerNorm,
     "arXiv:2104.04473 table 1"},
    {"megatron-310b", 96, 16384, 128, 128, 65536, 51200, 2048, false, true, true, Norm::LayerNorm,
     "arXiv:2104.04473 table 1"},
    {"megatron-530b", 105, 20480, 128, 128, 81920, 51200, 2048, false, true, true, Norm::LayerNorm,
     "arXiv:2104.04473 table 1; head size 160"},
    {"megatron-1t", 128, 25600, 160, 160, 102400, 51200, 2048, false, true, true, Norm::LayerNorm,
     "arXiv:2104.04473 table 1; head size 160"},
    {"gpt-22b", 48, 6144, 64, 64, 24576, 51200, 2048, false, true, true, Norm::LayerNorm,
     "arXiv:2205.05198 table 3; head size 96"},
    {"llama-7b", 32, 4096, 32, 32, 11008, 32000, 0, true, false, false, Norm::RmsNorm,
     "arXiv:2302.13971 table 2; ffn as in the released config.json"},
    {"llama-13b", 40, 5120, 40, 40, 13824, 32000, 0, true, false, false, Norm::RmsNorm,
     "arXiv:2302.13971 table 2; ffn as in the released config.json"},
    {"llama-65b", 80, 8192, 64, 64, 22016, 32000, 0, true, false, false, Norm::RmsNorm,
     "arXiv:2302.13971 table 2; ffn as in the released config.json"},
    {"llama2-7b", 32, 4096, 32, 32, 11008, 32000, 0, true, false, false, Norm::RmsNorm,
     "arXiv:2307.09288; huggingface.co/meta-llama/Llama-2-7b-hf config.json"},
    {"llama2-70b", 80, 8192, 64, 8, 28672, 32000, 0, true, false, false, Norm::RmsNorm,
     "arXiv:2307.09288; huggingface.co/meta-llama/Llama-2-70b-hf config.json"},
    {"llama3-8b", 32, 4096, 32, 8, 14336, 128256, 0, true, false, false, Norm::RmsNorm,
     "arXiv:2407.21783 table 3; vocabulary as in the released config.json"},
    {"llama3-70b", 80, 8192, 64, 8, 28672, 128256, 0, true, false, false, Norm::RmsNorm,
     "arXiv:2407.21783 table 3; vocabulary as in the released config.json"},
    {"llama3-405b", 126, 16384, 128, 8, 53248, 128256, 0, true, false, false, Norm::RmsNorm,
     "arXiv:2407.21783 table 3; vocabulary as in the released config.json"},
    {"bloom-176b", 70, 14336, 112, 112, 57344, 250880, 0, false, true, true, Norm::LayerNorm,
     "arXiv:2211.05100; ALiBi; its norm after the embedding (2h) is left out"},
    {"glm-130b", 70, 12288, 96, 96, 32768, 150528, 0, true, true, true, Norm::LayerNorm,
     "arXiv:2210.02414; github.com/THUDM/GLM-130B configs/model_glm_130b.sh; GeGLU, rotary"},
});

}  // namespace

std::span<const ModelPreset> model_presets() {
  return kPresets;
}

ModelSpec to_model_spec(const ModelPreset& preset) {
  return {.name = std::string(preset.name),
          .layers = preset.layers,
          .hidden = preset.hidden,
          .heads = preset.heads,
          .kv_heads = preset.kv_heads,
          .head_dim = preset.hidden / preset.heads,
          .ffn = preset.ffn,
          .vocab = preset.vocab,
          .positions = preset.positions,
          .gated_mlp = preset.gated_mlp,
          .tied_embeddings = preset.tied_embeddings,
          .biases = preset.biases,
          .norm = preset.norm};
}

}  // namespace danlu
