// Fields of Megatron-Bridge's model providers as far as danlu reads them, each class with what it
// has beside its base: src/megatron/bridge/models/*/*_provider.py of
// github.com/NVIDIA-NeMo/Megatron-Bridge, v0.3.1, those of DeepSeek of v0.2.2. A field that equals
// Megatron-core's default is left out. NeMo 2 has the same models, with Config for ModelProvider,
// but for the rows at the end (nemo/collections/llm/gpt/model of github.com/NVIDIA/NeMo, 2.4).
#include "sim/import/bridge_classes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "sim/base/text.hpp"

namespace danlu {
namespace bridge_classes {  // the folder is built as one
namespace {

struct ModelClass {
  std::string_view name, base;
  std::string_view fields;  // "name=value", blanks between
};

// clang-format off
constexpr auto kClasses = std::to_array<ModelClass>({
    {"GPTModelProvider", "",
     ""},
    {"GPTProvider126M", "",
     "seq_length=2048 num_layers=12 hidden_size=768 ffn_hidden_size=3072 "
     "num_attention_heads=12"},
    {"GPTProvider5B", "",
     "seq_length=2048 num_layers=24 hidden_size=4096 ffn_hidden_size=16384 "
     "num_attention_heads=32"},
    {"GPTProvider7B", "",
     "seq_length=2048 num_layers=32 hidden_size=4096 ffn_hidden_size=10880 "
     "num_attention_heads=32"},
    {"GPTProvider20B", "",
     "seq_length=2048 num_layers=44 hidden_size=6144 ffn_hidden_size=24576 "
     "num_attention_heads=48"},
    {"GPTProvider40B", "",
     "seq_length=2048 num_layers=48 hidden_size=8192 ffn_hidden_size=32768 "
     "num_attention_heads=64"},
    {"GPTProvider175B", "",
     "seq_length=2048 num_layers=96 hidden_size=12288 ffn_hidden_size=49152 "
     "num_attention_heads=96 hidden_dropout=0 attention_dropout=0"},
    {"MLAModelProvider", "",
     "multi_latent_attention=true"},
    {"LlamaModelProvider", "",
     "normalization=RMSNorm gated_linear_unit=true position_embedding_type=rope "
     "add_bias_linear=false seq_length=4096 attention_dropout=0 hidden_dropout=0 "
     "share_embeddings_and_output_weights=false"},
    {"Llama2ModelProvider7B", "LlamaModelProvider",
     "num_layers=32 hidden_size=4096 num_attention_heads=32 num_query_groups=32 "
     "ffn_hidden_size=11008"},
    {"Llama2ModelProvider13B", "LlamaModelProvider",
     "num_layers=40 hidden_size=5120 num_attention_heads=40 num_query_groups=40 "
     "ffn_hidden_size=13824"},
    {"Llama2ModelProvider70B", "LlamaModelProvider",
     "num_layers=80 hidden_size=8192 num_attention_heads=64 num_query_groups=8 "
     "ffn_hidden_size=28672"},
    {"Llama3ModelProvider", "LlamaModelProvider",
     "num_query_groups=8"},
    {"Llama31ModelProvider", "Llama3ModelProvider",
     ""},
    {"Llama3ModelProvider8B", "Llama3ModelProvider",
     "seq_length=8192 num_layers=32 hidden_size=4096 ffn_hidden_size=14336 "
     "num_attention_heads=32 cross_entropy_fusion_impl=te"},
    {"Llama3ModelProvider70B", "Llama3ModelProvider",
     "seq_length=8192 num_layers=80 hidden_size=8192 ffn_hidden_size=28672 "
     "num_attention_heads=64 cross_entropy_fusion_impl=te"},
    {"Llama31ModelProvider8B", "Llama31ModelProvider",
     "seq_length=131072 num_layers=32 hidden_size=4096 ffn_hidden_size=14336 "
     "num_attention_heads=32"},
    {"Llama31ModelProvider70B", "Llama31ModelProvider",
     "seq_length=131072 num_layers=80 hidden_size=8192 ffn_hidden_size=28672 "
     "num_attention_heads=64"},
    {"Llama31ModelProvider405B", "Llama31ModelProvider",
     "seq_length=131072 num_layers=126 hidden_size=16384 ffn_hidden_size=53248 "
     "num_attention_heads=128 cross_entropy_fusion_impl=te"},
    {"Llama32ModelProvider1B", "Llama31ModelProvider",
     "share_embeddings_and_output_weights=true seq_length=131072 num_layers=16 "
     "hidden_size=2048 ffn_hidden_size=8192 num_attention_heads=32"},
    {"Llama32ModelProvider3B", "Llama31ModelProvider",
     "share_embeddings_and_output_weights=true seq_length=131072 num_layers=28 "
     "hidden_size=3072 ffn_hidden_size=8192 num_attention_heads=24"},
    {"CodeLlamaModelProvider7B", "Llama2ModelProvider7B",
     "seq_length=16384"},
    {"CodeLlamaModelProvider13B", "Llama2ModelProvider13B",
     "seq_length=16384"},
    {"CodeLlamaModelProvider34B", "LlamaModelProvider",
     "num_layers=48 hidden_size=8192 num_attention_heads=64 num_query_groups=8 "
     "ffn_hidden_size=22016 seq_length=16384"},
    {"CodeLlamaModelProvider70B", "Llama2ModelProvider70B",
     ""},
    {"Qwen2ModelProvider", "",
     "normalization=RMSNorm gated_linear_unit=true add_bias_linear=false add_qkv_bias=true "
     "seq_length=4096 hidden_dropout=0 attention_dropout=0 vocab_size=151936 "
     "share_embeddings_and_output_weights=false position_embedding_type=rope bf16=true"},
    {"Qwen2ModelProvider500M", "Qwen2ModelProvider",
     "num_layers=24 hidden_size=896 num_attention_heads=14 num_query_groups=2 "
     "ffn_hidden_size=4864 share_embeddings_and_output_weights=true seq_length=32768"},
    {"Qwen2ModelProvider1P5B", "Qwen2ModelProvider",
     "num_layers=28 hidden_size=1536 num_attention_heads=12 num_query_groups=2 "
     "ffn_hidden_size=8960 seq_length=32768 share_embeddings_and_output_weights=true"},
    {"Qwen2ModelProvider7B", "Qwen2ModelProvider",
     "num_layers=28 hidden_size=3584 num_attention_heads=28 num_query_groups=4 "
     "ffn_hidden_size=18944 vocab_size=152064 seq_length=32768"},
    {"Qwen2ModelProvider72B", "Qwen2ModelProvider",
     "num_layers=80 hidden_size=8192 num_attention_heads=64 num_query_groups=8 "
     "ffn_hidden_size=29568 vocab_size=152064 seq_length=32768"},
    {"Qwen25ModelProvider500M", "Qwen2ModelProvider",
     "num_layers=24 hidden_size=896 num_attention_heads=14 num_query_groups=2 "
     "ffn_hidden_size=4864 share_embeddings_and_output_weights=true seq_length=32768"},
    {"Qwen25ModelProvider1P5B", "Qwen2ModelProvider",
     "num_layers=28 hidden_size=1536 num_attention_heads=12 num_query_groups=2 "
     "ffn_hidden_size=8960 seq_length=32768 share_embeddings_and_output_weights=true"},
    {"Qwen25ModelProvider3B", "Qwen2ModelProvider",
     "num_layers=36 hidden_size=2048 num_attention_heads=16 num_query_groups=2 "
     "ffn_hidden_size=11008 share_embeddings_and_output_weights=true seq_length=32768"},
    {"Qwen25ModelProvider7B", "Qwen2ModelProvider",
     "num_layers=28 hidden_size=3584 num_attention_heads=28 num_query_groups=4 "
     "ffn_hidden_size=18944 vocab_size=152064 seq_length=32768"},
    {"Qwen25ModelProvider14B", "Qwen2ModelProvider",
     "num_layers=48 hidden_size=5120 num_attention_heads=40 num_query_groups=8 "
     "ffn_hidden_size=13824 vocab_size=152064 seq_length=32768"},
    {"Qwen25ModelProvider32B", "Qwen2ModelProvider",
     "num_layers=64 hidden_size=5120 num_attention_heads=40 num_query_groups=8 "
     "ffn_hidden_size=27648 vocab_size=152064 seq_length=32768"},
    {"Qwen25ModelProvider72B", "Qwen2ModelProvider",
     "num_layers=80 hidden_size=8192 num_attention_heads=64 num_query_groups=8 "
     "ffn_hidden_size=29568 vocab_size=152064 seq_length=32768"},
    {"Qwen3ModelProvider", "",
     "normalization=RMSNorm gated_linear_unit=true add_bias_linear=false qk_layernorm=true "
     "kv_channels=128 num_query_groups=8 seq_length=40960 hidden_dropout=0 attention_dropout=0 "
     "vocab_size=151936 share_embeddings_and_output_weights=false position_embedding_type=rope "
     "bf16=true"},
    {"Qwen3ModelProvider600M", "Qwen3ModelProvider",
     "num_layers=28 hidden_size=1024 num_attention_heads=16 ffn_hidden_size=3072 "
     "share_embeddings_and_output_weights=true"},
    {"Qwen3ModelProvider1P7B", "Qwen3ModelProvider",
     "num_layers=28 hidden_size=2048 num_attention_heads=16 ffn_hidden_size=6144 "
     "share_embeddings_and_output_weights=true"},
    {"Qwen3ModelProvider4B", "Qwen3ModelProvider",
     "num_layers=36 hidden_size=2560 num_attention_heads=32 ffn_hidden_size=9728 "
     "share_embeddings_and_output_weights=true"},
    {"Qwen3ModelProvider8B", "Qwen3ModelProvider",
     "num_layers=36 hidden_size=4096 num_attention_heads=32 ffn_hidden_size=12288"},
    {"Qwen3ModelProvider14B", "Qwen3ModelProvider",
     "num_layers=40 hidden_size=5120 num_attention_heads=40 ffn_hidden_size=17408"},
    {"Qwen3ModelProvider32B", "Qwen3ModelProvider",
     "num_layers=64 hidden_size=5120 num_attention_heads=64 ffn_hidden_size=25600"},
    {"Qwen3MoEModelProvider", "",
     "normalization=RMSNorm gated_linear_unit=true add_bias_linear=false qk_layernorm=true "
     "kv_channels=128 num_query_groups=8 seq_length=40960 hidden_dropout=0 attention_dropout=0 "
     "vocab_size=151936 share_embeddings_and_output_weights=false position_embedding_type=rope "
     "bf16=true num_moe_experts=128 moe_router_topk=8 moe_token_dispatcher_type=alltoall"},
    {"Qwen3MoEModelProvider30B_A3B", "Qwen3MoEModelProvider",
     "num_layers=48 hidden_size=2048 num_attention_heads=32 num_query_groups=4 "
     "ffn_hidden_size=6144 moe_ffn_hidden_size=768"},
    {"Qwen3MoEModelProvider235B_A22B", "Qwen3MoEModelProvider",
     "num_layers=94 hidden_size=4096 num_attention_heads=64 num_query_groups=4 "
     "ffn_hidden_size=12288 moe_ffn_hidden_size=1536"},
    {"DeepSeekModelProvider", "",
     "multi_latent_attention=true normalization=RMSNorm gated_linear_unit=true "
     "position_embedding_type=rope add_bias_linear=false "
     "share_embeddings_and_output_weights=false num_attention_heads=128 kv_channels=128 "
     "seq_length=4096 attention_dropout=0 hidden_dropout=0 qk_layernorm=true "
     "moe_token_dispatcher_type=alltoall moe_shared_expert_overlap=true q_lora_rank=1536 "
     "kv_lora_rank=512 qk_head_dim=128 qk_pos_emb_head_dim=64 v_head_dim=128 bf16=true "
     "apply_rope_fusion=false cross_entropy_fusion_impl=te"},
    {"DeepSeekV2ModelProvider", "DeepSeekModelProvider",
     "num_layers=60 hidden_size=5120 ffn_hidden_size=12288 num_moe_experts=160 "
     "moe_ffn_hidden_size=1536 moe_shared_expert_intermediate_size=3072 "
     "moe_layer_freq=[0]*1+[1]*59 moe_router_topk=6 moe_router_num_groups=8 "
     "moe_router_group_topk=3 vocab_size=102400"},
    {"DeepSeekV2LiteModelProvider", "DeepSeekV2ModelProvider",
     "num_layers=27 hidden_size=2048 ffn_hidden_size=10944 num_attention_heads=16 "
     "kv_channels=16 q_lora_rank=null num_moe_experts=64 moe_ffn_hidden_size=1408 "
     "moe_shared_expert_intermediate_size=2816 moe_layer_freq=[0]*1+[1]*26 "
     "moe_router_num_groups=1 moe_router_group_topk=1"},
    {"DeepSeekV3ModelProvider", "DeepSeekModelProvider",
     "num_layers=61 hidden_size=7168 ffn_hidden_size=18432 num_moe_experts=256 "
     "moe_ffn_hidden_size=2048 moe_shared_expert_intermediate_size=2048 "
     "moe_layer_freq=[0]*3+[1]*58 moe_router_topk=8 moe_router_num_groups=8 "
     "moe_router_group_topk=4 vocab_size=129280"},
    {"MoonlightModelProvider16B", "DeepSeekModelProvider",
     "num_layers=27 hidden_size=2048 ffn_hidden_size=11264 num_attention_heads=16 "
     "kv_channels=16 num_moe_experts=64 moe_ffn_hidden_size=1408 "
     "moe_shared_expert_intermediate_size=2816 moe_layer_freq=[0]*1+[1]*26 moe_router_topk=6 "
     "moe_router_num_groups=1 moe_router_group_topk=1 q_lora_rank=null vocab_size=163842"},
    {"DeepSeekProvider", "DeepSeekModelProvider",
     ""},
    {"DeepSeekV2Provider", "DeepSeekV2ModelProvider",
     ""},
    {"DeepSeekV2LiteProvider", "DeepSeekV2LiteModelProvider",
     ""},
    {"DeepSeekV3Provider", "DeepSeekV3ModelProvider",
     ""},
    {"MoonlightProvider", "MoonlightModelProvider16B",
     ""},
    {"GPTOSSProvider", "",
     "hidden_size=2880 num_attention_heads=64 num_query_groups=8 ffn_hidden_size=2880 "
     "kv_channels=64 normalization=RMSNorm gated_linear_unit=true "
     "share_embeddings_and_output_weights=false vocab_size=201088 hidden_dropout=0 "
     "attention_dropout=0 bf16=true position_embedding_type=yarn moe_router_topk=4 "
     "moe_token_dispatcher_type=alltoall moe_ffn_hidden_size=2880 seq_length=131072 "
     "window_size=(128,0) softmax_type=learnable bias_dropout_fusion=false "
     "window_attn_skip_freq=2"},
    {"GPTOSSProvider120B", "GPTOSSProvider",
     "num_layers=36 num_moe_experts=128"},
    {"GPTOSSProvider20B", "GPTOSSProvider",
     "num_layers=24 num_moe_experts=32"},
    {"MistralModelProvider", "",
     "normalization=RMSNorm position_embedding_type=rope add_bias_linear=false "
     "gated_linear_unit=true num_layers=32 hidden_size=4096 num_attention_heads=32 "
     "num_query_groups=8 ffn_hidden_size=14336 seq_length=32768 attention_dropout=0 "
     "hidden_dropout=0 share_embeddings_and_output_weights=false vocab_size=32768 bf16=true"},
    {"MistralSmall3ModelProvider24B", "MistralModelProvider",
     "num_layers=40 hidden_size=5120 ffn_hidden_size=32768 kv_channels=128 vocab_size=131072"},
    {"KimiK2Provider", "",
     "multi_latent_attention=true num_layers=61 hidden_size=7168 ffn_hidden_size=18432 "
     "num_moe_experts=384 moe_ffn_hidden_size=2048 moe_shared_expert_intermediate_size=2048 "
     "moe_layer_freq=[0]*1+[1]*60 normalization=RMSNorm gated_linear_unit=true "
     "position_embedding_type=rope add_bias_linear=false "
     "share_embeddings_and_output_weights=false num_attention_heads=64 kv_channels=64 "
     "seq_length=4096 attention_dropout=0 hidden_dropout=0 qk_layernorm=true moe_router_topk=8 "
     "moe_router_num_groups=1 moe_router_group_topk=1 moe_token_dispatcher_type=alltoall "
     "moe_shared_expert_overlap=true q_lora_rank=1536 kv_lora_rank=512 qk_head_dim=128 "
     "qk_pos_emb_head_dim=64 v_head_dim=128 bf16=true vocab_size=163840 "
     "apply_rope_fusion=false cross_entropy_fusion_impl=te"},
    {"NemotronModelProvider", "",
     "position_embedding_type=rope share_embeddings_and_output_weights=false "
     "add_bias_linear=false hidden_dropout=0 attention_dropout=0 bias_dropout_add_fusion=false "
     "num_layers=32 seq_length=4096 hidden_size=3072 ffn_hidden_size=9216 "
     "num_attention_heads=24 num_query_groups=8 kv_channels=128 bf16=true"},
    {"Nemotron3ModelProvider4B", "NemotronModelProvider",
     ""},
    {"Nemotron3ModelProvider8B", "NemotronModelProvider",
     "hidden_size=4096 ffn_hidden_size=16384 num_attention_heads=32 num_query_groups=null "
     "kv_channels=null"},
    {"Nemotron3ModelProvider22B", "NemotronModelProvider",
     "num_layers=40 hidden_size=6144 ffn_hidden_size=24576 num_attention_heads=48 "
     "num_query_groups=null kv_channels=null"},
    {"Nemotron4ModelProvider15B", "NemotronModelProvider",
     "hidden_size=6144 ffn_hidden_size=24576 num_attention_heads=48 kv_channels=null"},
    {"Nemotron4ModelProvider340B", "NemotronModelProvider",
     "num_layers=96 hidden_size=18432 ffn_hidden_size=73728 num_attention_heads=96 "
     "kv_channels=null"},
    {"OlMoEModelProvider", "",
     "normalization=RMSNorm gated_linear_unit=true add_bias_linear=false seq_length=4096 "
     "hidden_dropout=0 vocab_size=50304 share_embeddings_and_output_weights=false "
     "num_layers=16 hidden_size=2048 ffn_hidden_size=1024 moe_ffn_hidden_size=1024 "
     "kv_channels=128 num_query_groups=16 num_attention_heads=16 attention_dropout=0 "
     "qk_layernorm=true position_embedding_type=rope num_moe_experts=64 moe_router_topk=8 "
     "moe_token_dispatcher_type=alltoall"},
    {"GLMMoEModelProvider", "",
     "normalization=RMSNorm gated_linear_unit=true add_bias_linear=false add_qkv_bias=true "
     "seq_length=131072 hidden_dropout=0 vocab_size=151552 "
     "share_embeddings_and_output_weights=false bf16=true num_query_groups=8 "
     "num_attention_heads=96 attention_dropout=0 kv_channels=128 position_embedding_type=rope "
     "moe_router_topk=8 moe_shared_expert_overlap=true moe_token_dispatcher_type=alltoall "
     "mtp_num_layers=1"},
    {"GLM45ModelProvider355B", "GLMMoEModelProvider",
     "num_layers=92 num_moe_experts=160 hidden_size=5120 ffn_hidden_size=12288 "
     "moe_layer_freq=[0]*3+[1]*89 moe_ffn_hidden_size=1536 "
     "moe_shared_expert_intermediate_size=1536 qk_layernorm=true"},
    {"GLM45AirModelProvider106B", "GLMMoEModelProvider",
     "num_layers=46 num_moe_experts=128 hidden_size=4096 ffn_hidden_size=10944 "
     "moe_layer_freq=[0]*1+[1]*45 moe_ffn_hidden_size=1408 "
     "moe_shared_expert_intermediate_size=1408"},
    {"GemmaModelProvider", "",
     "normalization=RMSNorm gated_linear_unit=true position_embedding_type=rope "
     "add_bias_linear=false seq_length=8192 kv_channels=256 attention_dropout=0 "
     "hidden_dropout=0 vocab_size=256000 bf16=true"},
    {"GemmaModelProvider2B", "GemmaModelProvider",
     "num_layers=18 hidden_size=2048 num_attention_heads=8 num_query_groups=1 "
     "ffn_hidden_size=16384"},
    {"GemmaModelProvider7B", "GemmaModelProvider",
     "num_layers=28 hidden_size=3072 num_attention_heads=16 num_query_groups=16 "
     "ffn_hidden_size=24576"},
    {"CodeGemmaModelProvider2B", "GemmaModelProvider2B",
     ""},
    {"CodeGemmaModelProvider7B", "GemmaModelProvider7B",
     ""},
    {"Qwen2Config500M", "Qwen2ModelProvider500M",
     "share_embeddings_and_output_weights=false"},
    {"Qwen2Config1P5B", "Qwen2ModelProvider1P5B",
     "share_embeddings_and_output_weights=false"},
    {"Qwen25Config500M", "Qwen25ModelProvider500M",
     "share_embeddings_and_output_weights=false"},
    {"Qwen25Config1P5B", "Qwen25ModelProvider1P5B",
     "share_embeddings_and_output_weights=false"},
    {"Llama3Config8B", "Llama3ModelProvider8B",
     "cross_entropy_fusion_impl=native"},
    {"Llama3Config70B", "Llama3ModelProvider70B",
     "cross_entropy_fusion_impl=native"},
    {"Llama31Config405B", "Llama31ModelProvider405B",
     "cross_entropy_fusion_impl=native"},
    {"GemmaConfig", "GemmaModelProvider",
     "vocab_size=null"},
    {"GemmaConfig2B", "GemmaModelProvider2B",
     "vocab_size=null"},
    {"GemmaConfig7B", "GemmaModelProvider7B",
     "vocab_size=null"},
    {"CodeGemmaConfig2B", "CodeGemmaModelProvider2B",
     "vocab_size=null"},
    {"CodeGemmaConfig7B", "CodeGemmaModelProvider7B",
     "vocab_size=null"},
    {"DeepSeekV2Config", "DeepSeekV2ModelProvider",
     "vocab_size=null"},
    {"DeepSeekV2LiteConfig", "DeepSeekV2LiteModelProvider",
     "vocab_size=null"},
    {"DeepSeekV3Config", "DeepSeekV3ModelProvider",
     "vocab_size=null"},
    {"Qwen3Config30B_A3B", "Qwen3MoEModelProvider30B_A3B",
     ""},
    {"Qwen3Config235B_A22B", "Qwen3MoEModelProvider235B_A22B",
     ""},
});
// clang-format on

// NeMo 2 takes them from elsewhere: the length of sequences from the data, the precision from the
// trainer's plugin.
constexpr auto kNotOfNemo2 = std::to_array<std::string_view>({"seq_length", "bf16"});

constexpr std::string_view kNemo2Class = "Config";

/// The class of a name; of NeMo 2's by that of Megatron-Bridge. nullptr: not known.
const ModelClass* class_named(const std::string& name) {
  const auto find = [](const std::string& one) {
    const auto* const found = std::find_if(kClasses.begin(), kClasses.end(),
                                           [&](const ModelClass& row) { return row.name == one; });
    return found == kClasses.end() ? nullptr : &*found;
  };
  const ModelClass* found = find(name);
  const std::size_t at = name.rfind(kNemo2Class);
  if (at == std::string::npos) {
    return found;
  }
  for (const char* ours : {"ModelProvider", "Provider"}) {
    std::string other = name;
    other.replace(at, kNemo2Class.size(), ours);
    found = found != nullptr ? found : find(other);
  }
  return found;
}

}  // namespace
}  // namespace bridge_classes

bool knows_class(std::string_view target) {
  return bridge_classes::class_named(std::string(split(target, '.').back())) != nullptr;
}

void fill_in_class(Draft& draft, const GivenFlag* target) {
  const bool is_known = target != nullptr && knows_class(target->value);
  const std::string name(target != nullptr ? split(target->value, '.').back() : "");
  const std::string why = target == nullptr ? "the file does not say the model"
                          : is_known
                              ? fmt::format("{}: {} alone has no sizes", target->place(), name)
                              : fmt::format("{}: danlu does not know {}", target->place(), name);
  const auto fill = [&](const char* key, std::string_view flag) {
    if (draft.mentioned(flag) == nullptr) {
      draft.fill_in(key, why);
    }
  };
  if (!draft.has("model.layers")) {
    draft.fill_in("model.preset", why + "; --model NAME or FILE says it");
    if (!is_known) {
      fill("training.dropout", "model.hidden_dropout");
    }
    return;
  }
  if (target == nullptr) {
    return;  // a model of its own, with Megatron-core's defaults
  }
  fill("model.hidden", "model.hidden_size");
  fill("model.heads", "model.num_attention_heads");
  if (is_known) {
    return;
  }
  fill("training.dropout", "model.hidden_dropout");
  fill("training.dropout", "model.attention_dropout");
  fill("model.kv_heads", "model.num_query_groups|model.multi_latent_attention");
  fill("model.ffn", "model.ffn_hidden_size");
  fill("model.gated_mlp", "model.gated_linear_unit|model.activation");
  fill("model.norm", "model.normalization");
  fill("model.biases", "model.add_bias_linear|model.bias");
  fill("model.tied_embeddings", "model.share_embeddings_and_output_weights");
  fill("model.positions", "model.position_embedding_type");
  draft.remark(fmt::format(
      "{}: experts, windows and norms of queries and keys that it has beside what the file writes "
      "are left out; --model takes the model's config.json",
      why));
}

void add_class_fields(std::vector<GivenFlag>& flags) {
  using namespace bridge_classes;
  const auto target = std::find_if(flags.rbegin(), flags.rend(), [](const GivenFlag& flag) {
    return flag.name == "model._target_";
  });
  if (target == flags.rend()) {
    return;
  }
  const GivenFlag from = *target;
  const std::string name(split(from.value, '.').back());
  const ModelClass* known = class_named(name);
  const bool is_nemo2 = name.find(kNemo2Class) != std::string::npos;
  std::vector<GivenFlag> fields;
  for (; known != nullptr; known = class_named(std::string(known->base))) {
    for (const std::string_view field : split(known->fields, ' ')) {
      const std::size_t equals = field.find('=');
      const std::string path = fmt::format("model.{}", field.substr(0, equals));
      const auto is_it = [&](const GivenFlag& flag) { return flag.name == path; };
      const bool is_elsewhere = is_nemo2 && std::find(kNotOfNemo2.begin(), kNotOfNemo2.end(),
                                                      field.substr(0, equals)) != kNotOfNemo2.end();
      if (equals == std::string_view::npos || is_elsewhere ||
          std::any_of(flags.begin(), flags.end(), is_it) ||
          std::any_of(fields.begin(), fields.end(), is_it)) {
        continue;
      }
      fields.push_back(
          {.name = path,
           .value = std::string(field.substr(equals + 1)),
           .position = from.position,
           .source_line = from.source_line,
           .written = fmt::format("{} ({}, {})", from.shown_name(), name, field.substr(0, equals)),
           .implied = true});
    }
  }
  flags.insert(flags.begin(), fields.begin(), fields.end());
}

}  // namespace danlu
