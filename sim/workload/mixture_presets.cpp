// Presets of mixtures of experts.
#include "sim/workload/model_families.hpp"

namespace danlu {

namespace {

constexpr Family kDbrx{.gated_mlp = true, .norm = Norm::Unbiased};
constexpr Family kGptOss{.gated_mlp = true,
                         .biases = {Biased::Qkv, Biased::Output, Biased::Experts}};

// Name, family, widths: layers, hidden, heads, kv_heads, head_dim, ffn, vocab; what else there is.
constexpr auto kMixtures = std::to_array<ModelPreset>({
    {"mixtral-8x7b",
     kLlama,
     {32, 4096, 32, 8, 128, 14336, 32000},
     {.experts = {.count = 8, .per_token = 2, .ffn = 14336}},
     "arXiv:2401.04088 table 1; huggingface.co/mistralai/Mixtral-8x7B-v0.1 config.json"},
    {"mixtral-8x22b",
     kLlama,
     {56, 6144, 48, 8, 128, 16384, 32000},
     {.experts = {.count = 8, .per_token = 2, .ffn = 16384}},
     "huggingface.co/mistralai/Mixtral-8x22B-v0.1 config.json"},
    {"dbrx",
     kDbrx,
     {40, 6144, 48, 8, 128, 10752, 100352},
     {.experts = {.count = 16, .per_token = 4, .ffn = 10752}},
     "huggingface.co/databricks/dbrx-base config.json"},
    {"deepseek-moe-16b",
     kLlama,
     {28, 2048, 16, 16, 128, 10944, 102400},
     {.experts = {.count = 64, .per_token = 6, .ffn = 1408, .shared_ffn = 2816, .dense_layers = 1}},
     "arXiv:2401.06066; huggingface.co/deepseek-ai/deepseek-moe-16b-base config.json"},
    {"deepseek-v2-lite",
     kLlama,
     {27, 2048, 16, 16, 128, 10944, 102400},
     {.value_dim = 128,
      .latent = {.kv_rank = 512, .rotary_dim = 64},
      .experts = {.count = 64, .per_token = 6, .ffn = 1408, .shared_ffn = 2816, .dense_layers = 1}},
     "arXiv:2405.04434; huggingface.co/deepseek-ai/DeepSeek-V2-Lite config.json"},
    {"deepseek-v2",
     kLlama,
     {60, 5120, 128, 128, 128, 12288, 102400},
     {.value_dim = 128,
      .latent = {.query_rank = 1536, .kv_rank = 512, .rotary_dim = 64},
      .experts =
          {.count = 160, .per_token = 6, .ffn = 1536, .shared_ffn = 3072, .dense_layers = 1}},
     "arXiv:2405.04434; huggingface.co/deepseek-ai/DeepSeek-V2 config.json"},
    {"deepseek-v3",
     kLlama,
     {61, 7168, 128, 128, 128, 18432, 129280},
     {.value_dim = 128,
      .latent = {.query_rank = 1536, .kv_rank = 512, .rotary_dim = 64},
      .experts =
          {.count = 256, .per_token = 8, .ffn = 2048, .shared_ffn = 2048, .dense_layers = 3}},
     "arXiv:2412.19437 section 4.2; huggingface.co/deepseek-ai/DeepSeek-V3 "
     "config.json; its layer for multi-token prediction: prediction_layers: 1"},
    {"kimi-k2",
     kLlama,
     {61, 7168, 64, 64, 128, 18432, 163840},
     {.value_dim = 128,
      .latent = {.query_rank = 1536, .kv_rank = 512, .rotary_dim = 64},
      .experts =
          {.count = 384, .per_token = 8, .ffn = 2048, .shared_ffn = 2048, .dense_layers = 1}},
     "arXiv:2507.20534; huggingface.co/moonshotai/Kimi-K2-Base config.json"},
    {"qwen2-57b-a14b",
     kQwen2,
     {28, 3584, 28, 4, 128, 18944, 151936},
     {.experts =
          {.count = 64, .per_token = 8, .ffn = 2560, .shared_ffn = 20480, .shared_gate = true}},
     "arXiv:2407.10671; huggingface.co/Qwen/Qwen2-57B-A14B config.json"},
    {"qwen3-30b-a3b",
     kLlama,
     {48, 2048, 32, 4, 128, 6144, 151936},
     {.qk_norm = QkNorm::Head, .experts = {.count = 128, .per_token = 8, .ffn = 768}},
     "arXiv:2505.09388 table 2; huggingface.co/Qwen/Qwen3-30B-A3B config.json"},
    {"qwen3-235b-a22b",
     kLlama,
     {94, 4096, 64, 4, 128, 12288, 151936},
     {.qk_norm = QkNorm::Head, .experts = {.count = 128, .per_token = 8, .ffn = 1536}},
     "arXiv:2505.09388 table 2; huggingface.co/Qwen/Qwen3-235B-A22B config.json"},
    {"hy3-295b-a21b",
     kLlama,
     {80, 4096, 64, 8, 128, 13312, 120832},
     {.qk_norm = QkNorm::Head,
      .experts =
          {.count = 192, .per_token = 8, .ffn = 1536, .shared_ffn = 1536, .dense_layers = 1}},
     "huggingface.co/tencent/Hy3 config.json, as yangwhale/gpu-tpu-pedia has it; 294.97 B"},
    {"gpt-oss-20b",
     kGptOss,
     {24, 2880, 64, 8, 64, 2880, 201088},
     {.window = 128,
      .global_every = 2,
      .sinks = true,
      .experts = {.count = 32, .per_token = 4, .ffn = 2880, .router_bias = true}},
     "arXiv:2508.10925; huggingface.co/openai/gpt-oss-20b config.json"},
    {"gpt-oss-120b",
     kGptOss,
     {36, 2880, 64, 8, 64, 2880, 201088},
     {.window = 128,
      .global_every = 2,
      .sinks = true,
      .experts = {.count = 128, .per_token = 4, .ffn = 2880, .router_bias = true}},
     "arXiv:2508.10925; huggingface.co/openai/gpt-oss-120b config.json"},
    {"glm4.5",
     kQwen2,
     {92, 5120, 96, 8, 128, 12288, 151552},
     {.qk_norm = QkNorm::Head,
      .experts =
          {.count = 160, .per_token = 8, .ffn = 1536, .shared_ffn = 1536, .dense_layers = 3}},
     "arXiv:2508.06471 table 1; huggingface.co/zai-org/GLM-4.5 config.json"},
    {"glm4.5-air",
     kQwen2,
     {46, 4096, 96, 8, 128, 10944, 151552},
     {.experts =
          {.count = 128, .per_token = 8, .ffn = 1408, .shared_ffn = 1408, .dense_layers = 1}},
     "arXiv:2508.06471 table 1; huggingface.co/zai-org/GLM-4.5-Air config.json"},
    {"llama4-scout",
     kLlama,
     {48, 5120, 40, 8, 128, 16384, 202048},
     {.experts = {.count = 16, .per_token = 1, .ffn = 8192, .shared_ffn = 8192}},
     "huggingface.co/meta-llama/Llama-4-Scout-17B-16E config.json; its text; chunks "
     "of attention are left out"},
    {"llama4-maverick",
     kLlama,
     {48, 5120, 40, 8, 128, 16384, 202048},
     {.experts = {.count = 128, .per_token = 1, .ffn = 8192, .shared_ffn = 8192, .every = 2}},
     "huggingface.co/meta-llama/Llama-4-Maverick-17B-128E config.json; its text; "
     "chunks of attention are left out"},
    {"olmoe-1b-7b",
     kLlama,
     {16, 2048, 16, 16, 128, 1024, 50304},
     {.qk_norm = QkNorm::Full, .experts = {.count = 64, .per_token = 8, .ffn = 1024}},
     "arXiv:2409.02060; huggingface.co/allenai/OLMoE-1B-7B-0924 config.json"},
});

}  // namespace

std::span<const ModelPreset> mixture_presets() {
  return kMixtures;
}

}  // namespace danlu
