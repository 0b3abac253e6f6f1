// The table: a row for each model_type, its fields from common groups and what is its own. Defaults
// are those of the configuration class in github.com/huggingface/transformers,
// src/transformers/models/<type>/configuration_<type>.py; what has no field is read off
// modeling_<type>.py beside it.
#include "sim/scenario/huggingface_types.hpp"

#include <initializer_list>

namespace danlu {
namespace {

using Fields = std::vector<TakenField>;

Fields joined_fields(std::initializer_list<Fields> groups) {
  Fields all;
  for (const Fields& group : groups) {
    all.insert(all.end(), group.begin(), group.end());
  }
  return all;
}

/// Defaults of a configuration class. A checkpoint's own sizes are in its file in any case; of a
/// text_config transformers writes only what differs from these (recursive_diff_dict of
/// configuration_utils.py).
constexpr std::string_view kShare = "hidden/heads";
struct ClassSizes {
  std::string_view layers{}, hidden{}, heads{}, kv_heads{}, ffn{}, vocab{};
};

/// Sizes under the names of Llama, which most share. Null is as many key-value heads as heads, and
/// heads as wide as they share the layer's width.
Fields sizes(const ClassSizes& by_class, std::string_view head_dim = kShare) {
  const auto field = [](std::string_view key, std::string_view name, std::string_view inner) {
    return TakenField{key, name, "", Taking::As, "", inner};
  };
  return {field("layers", "num_hidden_layers", by_class.layers),
          field("hidden", "hidden_size", by_class.hidden),
          field("heads", "num_attention_heads", by_class.heads),
          {"kv_heads", "num_key_value_heads", by_class.kv_heads, Taking::As, "", "", "=heads"},
          {"head_dim", "head_dim", head_dim, Taking::As, "", "", kShare},
          field("ffn", "intermediate_size", by_class.ffn),
          field("vocab", "vocab_size", by_class.vocab)};
}
/// Of a class beside the checkpoint that asks for every size.
constexpr ClassSizes kNoSizes{.kv_heads = "=heads"};
constexpr ClassSizes kQwen2Sizes{"32", "4096", "32", "32", "22016", "151936"};
constexpr std::string_view kGemmaHead = "256";
constexpr std::string_view kQwen3Head = "128";
/// What Llama's code does: rotary positions, RMSNorm, three matrices.
Fields llama_code() {
  return {{"positions", "", "0"}, {"gated_mlp", "", "true"}, {"norm", "", "rmsnorm"}};
}
/// What GPT's code does: layernorm, two matrices.
Fields gpt_code() {
  return {{"gated_mlp", "", "false"}, {"norm", "", "layernorm"}};
}
Fields tied(std::string_view fallback) {
  return {{"tied_embeddings", "tie_word_embeddings", fallback}};
}
Fields no_biases() {
  return {{"biases", "", "false"}};
}
/// Biases that a flag gives to products ("qkv output").
Fields biases_by(std::string_view field, std::string_view fallback, std::string_view parts) {
  return {{"biases", field, fallback, Taking::Bias, parts}};
}
Fields own_biases(std::string_view parts) {
  return biases_by("", "true", parts);
}
/// Experts under their names in the class, of which each has its default in a text_config.
struct ClassExperts {
  std::string_view count, count_by_class;
  std::string_view per_token, per_token_by_class;
  std::string_view ffn, ffn_by_class;
};
Fields experts(const ClassExperts& c) {
  return {{"experts.count", c.count, c.count_by_class},
          {"experts.per_token", c.per_token, "", Taking::As, "", c.per_token_by_class},
          {"experts.ffn", c.ffn, "", Taking::As, "", c.ffn_by_class}};
}
/// Multi-head latent attention: the width of a head without positions is head_dim. Null is no rank
/// of queries, and no shared experts.
struct ClassLatent {
  std::string_view layers, hidden, heads, ffn, vocab;
  std::string_view experts, per_token, expert_ffn, shared, dense_layers;
};
constexpr ClassLatent kDeepseekV2{"32", "4096", "32", "11008", "32000", "64", "", "1407", "2", "0"};
constexpr ClassLatent kDeepseekV3{"61",  "7168", "128",  "18432", "129280",
                                  "256", "8",    "2048", "1",     "3"};
Fields latent_attention(const ClassLatent& by_class) {
  const auto field = [](std::string_view key, std::string_view name, std::string_view inner) {
    return TakenField{key, name, "", Taking::As, "", inner};
  };
  return {field("layers", "num_hidden_layers", by_class.layers),
          field("hidden", "hidden_size", by_class.hidden),
          field("heads", "num_attention_heads", by_class.heads),
          {"kv_heads", "", "=heads"},
          {"head_dim", "qk_nope_head_dim", "128"},
          {"value_dim", "v_head_dim", "128"},
          {"latent.query_rank", "q_lora_rank", "1536", Taking::As, "", "", "0"},
          {"latent.kv_rank", "kv_lora_rank", "512"},
          {"latent.rotary_dim", "qk_rope_head_dim", "64"},
          field("ffn", "intermediate_size", by_class.ffn),
          field("vocab", "vocab_size", by_class.vocab),
          field("experts.count", "n_routed_experts|num_experts", by_class.experts),
          field("experts.per_token", "num_experts_per_tok", by_class.per_token),
          field("experts.ffn", "moe_intermediate_size", by_class.expert_ffn),
          {"experts.shared_ffn", "n_shared_experts", by_class.shared, Taking::Times, "experts.ffn",
           "", "0"},
          {"experts.dense_layers", "first_k_dense_replace", by_class.dense_layers},
          {"experts.every", "moe_layer_freq", "1", Taking::Must},
          {"biases", "attention_bias", "false", Taking::Must}};
}
/// A window of all layers, or of those that global_every or layer_types say; null is none.
Fields window(std::string_view fallback) {
  return {{"window", "sliding_window", fallback, Taking::As, "", "", "null"}};
}
Fields window_if_used(std::string_view fallback) {
  return {{"window", "sliding_window", fallback, Taking::If, "use_sliding_window", "", "null"}};
}
/// Qwen2's: none in so many first layers.
Fields window_behind(std::string_view fallback) {
  return joined_fields(
      {window_if_used("4096"), {{"window", "max_window_layers", fallback, Taking::Behind}}});
}

/// Falcon's names when it came out.
Fields refined_web() {
  return joined_fields({{{"layers", "n_layer", "2"},
                         {"hidden", "hidden_size", "64"},
                         {"heads", "n_head", "8"},
                         {"kv_heads", "", "=heads"},
                         {"head_dim", "", "hidden/heads"},
                         {"ffn", "", "4*hidden"},
                         {"vocab", "vocab_size", "250880"},
                         {"positions", "", "0"}},
                        gpt_code(),
                        biases_by("bias", "false", "qkv output mlp"),
                        tied("true")});
}

/// Qwen2-VL and Qwen2.5-VL: the layers of Qwen2.
Fields qwen2_of_media() {
  return joined_fields({sizes({"80", "8192", "64", "8", "29568", "152064"}), llama_code(),
                        own_biases("qkv"), tied("false"), window_behind("80")});
}

HuggingFaceType row(std::string_view name, std::string_view source,
                    std::initializer_list<Fields> groups) {
  return {name, source, joined_fields(groups)};
}

std::vector<HuggingFaceType> dense_types() {
  return {
      row("llama", "LlamaConfig",
          {sizes({"32", "4096", "32", "=heads", "11008", "32000"}), llama_code(),
           biases_by("attention_bias", "false", "qkv output"),
           biases_by("mlp_bias", "false", "mlp"), tied("false")}),
      row("mistral", "MistralConfig",
          {sizes({"32", "4096", "32", "8", "14336", "32000"}), llama_code(), no_biases(),
           tied("false"), window("4096")}),
      row("qwen2", "Qwen2Config",
          {sizes(kQwen2Sizes), llama_code(), own_biases("qkv"), tied("false"),
           window_behind("28")}),
      row("mimo", "MiMoConfig, beside the checkpoint",
          {sizes(kQwen2Sizes),
           llama_code(),
           biases_by("attention_bias", "true", "qkv"),
           {{"prediction_layers", "num_nextn_predict_layers", "0"}},
           tied("false"),
           window_behind("28")}),
      row("qwen3", "Qwen3Config",
          {sizes(kQwen2Sizes, kQwen3Head),
           llama_code(),
           biases_by("attention_bias", "false", "qkv output"),
           {{"qk_norm", "", "head"}},
           tied("false"),
           window_behind("28")}),
      // Of models that see: the language part, in a file of its own fields or in a text_config.
      row("qwen2_vl", "Qwen2VLConfig as before there was a text_config", {qwen2_of_media()}),
      row("qwen2_vl_text", "Qwen2VLTextConfig", {qwen2_of_media()}),
      row("qwen2_5_vl", "Qwen2_5_VLConfig as before there was a text_config", {qwen2_of_media()}),
      row("qwen2_5_vl_text", "Qwen2_5_VLTextConfig", {qwen2_of_media()}),
      row("qwen3_vl_text", "Qwen3VLTextConfig",
          {sizes(kQwen2Sizes, kQwen3Head),
           llama_code(),
           biases_by("attention_bias", "false", "qkv output"),
           {{"qk_norm", "", "head"}},
           tied("false")}),
      row("gemma", "GemmaConfig",
          {sizes({"28", "3072", "16", "16", "24576", "256000"}, kGemmaHead),
           llama_code(),
           {{"kind", "use_bidirectional_attention", "false", Taking::Must}},
           biases_by("attention_bias", "false", "qkv output"),
           tied("true")}),
      row("gemma2", "Gemma2Config",
          {sizes({"26", "2304", "8", "4", "9216", "256000"}, kGemmaHead),
           llama_code(),
           {{"kind", "use_bidirectional_attention", "false", Taking::Must}},
           biases_by("attention_bias", "false", "qkv output"),
           {{"norms", "", "4"}, {"global_every", "", "2"}},
           tied("true"),
           window("4096")}),
      row("gemma3_text", "Gemma3TextConfig",
          {sizes({"26", "2304", "8", "4", "9216", "262208"}, kGemmaHead),
           llama_code(),
           {{"kind", "use_bidirectional_attention", "false", Taking::Must}},
           biases_by("attention_bias", "false", "qkv output"),
           {{"norms", "", "4"},
            {"qk_norm", "", "head"},
            {"global_every", "sliding_window_pattern|_sliding_window_pattern", "6"}},
           tied("true"),
           window("4096")}),
      row("phi3", "Phi3Config",
          {sizes({"32", "3072", "32", "=heads", "8192", "32064"}), llama_code(), no_biases(),
           tied("false"), window("null")}),
      row("granite", "GraniteConfig",
          {sizes({"32", "4096", "32", "=heads", "11008", "32000"}), llama_code(),
           biases_by("attention_bias", "false", "qkv output"),
           biases_by("mlp_bias", "false", "mlp"), tied("false")}),
      row("olmo2", "Olmo2Config",
          {sizes({"32", "4096", "32", "=heads", "11008", "50304"}),
           llama_code(),
           biases_by("attention_bias", "false", "qkv output"),
           {{"qk_norm", "", "full"}},
           tied("false")}),
      row("starcoder2", "Starcoder2Config",
          {sizes({"30", "3072", "24", "2", "12288", "49152"}),
           gpt_code(),
           {{"positions", "", "0"}},
           biases_by("use_bias", "true", "qkv output mlp"),
           tied("true"),
           window("null")}),
      row("gpt2", "GPT2Config",
          {{{"layers", "n_layer|num_hidden_layers", "12"},
            {"hidden", "n_embd|hidden_size", "768"},
            {"heads", "n_head|num_attention_heads", "12"},
            {"kv_heads", "", "=heads"},
            {"head_dim", "", "hidden/heads"},
            {"ffn", "n_inner", "4*hidden"},
            {"vocab", "vocab_size", "50257"},
            {"positions", "n_positions|n_ctx", "1024"}},
           gpt_code(),
           own_biases("qkv output mlp"),
           tied("true")}),
      row("gptj", "GPTJConfig",
          {{{"layers", "n_layer|num_hidden_layers", "28"},
            {"hidden", "n_embd|hidden_size", "4096"},
            {"heads", "n_head|num_attention_heads", "16"},
            {"kv_heads", "", "=heads"},
            {"head_dim", "", "hidden/heads"},
            {"ffn", "n_inner", "4*hidden"},
            {"vocab", "vocab_size", "50400"},
            {"positions", "", "0"},
            {"norms", "", "1"}},
           gpt_code(),
           own_biases("mlp head"),
           tied("false")}),
      row("gpt_neox", "GPTNeoXConfig",
          {{{"layers", "num_hidden_layers", "44"},
            {"hidden", "hidden_size", "6144"},
            {"heads", "num_attention_heads", "64"},
            {"kv_heads", "", "=heads"},
            {"head_dim", "", "hidden/heads"},
            {"ffn", "intermediate_size", "24576"},
            {"vocab", "vocab_size", "50432"},
            {"positions", "", "0"},
            {"parallel_residual", "use_parallel_residual", "true"}},
           gpt_code(),
           biases_by("attention_bias", "true", "qkv output"),
           own_biases("mlp"),
           tied("false")}),
      row("opt", "OPTConfig",
          {{{"layers", "num_hidden_layers", "12"},
            {"hidden", "hidden_size", "768"},
            {"heads", "num_attention_heads", "12"},
            {"kv_heads", "", "=heads"},
            {"head_dim", "", "hidden/heads"},
            {"ffn", "ffn_dim", "3072"},
            {"vocab", "vocab_size", "50272"},
            {"positions", "max_position_embeddings", "2048", Taking::Plus, "2"},
            {"hidden", "word_embed_proj_dim", "=hidden", Taking::Must},
            {"norms", "do_layer_norm_before", "true", Taking::Must}},
           gpt_code(),
           biases_by("enable_bias", "true", "qkv output mlp"),
           tied("true")}),
      row("bloom", "BloomConfig",
          {{{"layers", "n_layer|num_hidden_layers", "2"},
            {"hidden", "hidden_size|n_embed", "64"},
            {"heads", "n_head|num_attention_heads", "8"},
            {"kv_heads", "", "=heads"},
            {"head_dim", "", "hidden/heads"},
            {"ffn", "", "4*hidden"},
            {"vocab", "vocab_size", "250880"},
            {"positions", "", "0"},
            {"embedding_norm", "", "true"}},
           gpt_code(),
           own_biases("qkv output mlp"),
           tied("true")}),
      row("phi", "PhiConfig",
          {sizes({"24", "2048", "32", "=heads", "8192", "51200"}),
           gpt_code(),
           {{"positions", "", "0"},
            {"norms", "", "1"},
            {"norms", "qk_layernorm", "false", Taking::Must}},
           own_biases("qkv output mlp head"),
           tied("false")}),
  };
}

std::vector<HuggingFaceType> shiftless_types() {
  return {
      row("mpt", "MptConfig",
          {{{"layers", "n_layers|num_hidden_layers", "24"},
            {"hidden", "d_model|hidden_size", "2048"},
            {"heads", "n_heads|num_attention_heads", "16"},
            {"kv_heads", "", "=heads"},
            {"head_dim", "", "hidden/heads"},
            {"ffn", "expansion_ratio", "4", Taking::Times, "hidden"},
            {"vocab", "vocab_size", "50368"},
            {"positions", "", "0"},
            {"gated_mlp", "", "false"},
            {"norm", "", "layernorm-without-bias"},
            {"biases", "no_bias", "true", Taking::Must},
            {"qk_norm", "attn_config.qk_ln", "false", Taking::Must}},
           no_biases(),
           tied("true")}),
      row("cohere", "CohereConfig",
          {sizes({"40", "8192", "64", "=heads", "22528", "256000"}),
           llama_code(),
           biases_by("attention_bias", "false", "qkv output"),
           {{"norm", "", "layernorm-without-bias"},
            {"norms", "", "1"},
            {"qk_norm", "use_qk_norm", "false", Taking::Must}},
           tied("true")}),
      row("olmo", "OlmoConfig",
          {sizes({"32", "4096", "32", "=heads", "11008", "50304"}),
           llama_code(),
           {{"norm", "", "layernorm-without-parameters"}},
           biases_by("attention_bias", "false", "qkv output"),
           tied("false")}),
      row("dbrx", "DbrxConfig",
          {{{"layers", "n_layers", "24"},
            {"hidden", "d_model", "2048"},
            {"heads", "n_heads", "16"},
            {"kv_heads", "attn_config.kv_n_heads", "1"},
            {"head_dim", "", "hidden/heads"},
            {"ffn", "ffn_config.ffn_hidden_size", "3584"},
            {"vocab", "vocab_size", "32000"},
            {"experts.count", "ffn_config.moe_num_experts", "4"},
            {"experts.per_token", "ffn_config.moe_top_k", "1"},
            {"experts.ffn", "ffn_config.ffn_hidden_size", "3584"}},
           llama_code(),
           {{"norm", "", "layernorm-without-bias"}},
           no_biases(),
           tied("false")}),
  };
}

std::vector<HuggingFaceType> expert_types() {
  return {
      row("mixtral", "MixtralConfig",
          {sizes({"32", "4096", "32", "8", "14336", "32000"}), llama_code(),
           experts({"num_local_experts", "8", "num_experts_per_tok", "2", "intermediate_size",
                    "14336"}),
           no_biases(), tied("false"), window("null")}),
      row("qwen2_moe", "Qwen2MoeConfig",
          {sizes({"24", "2048", "16", "16", "5632", "151936"}),
           llama_code(),
           experts(
               {"num_experts", "60", "num_experts_per_tok", "4", "moe_intermediate_size", "1408"}),
           {{"experts.shared_ffn", "shared_expert_intermediate_size", "5632"},
            {"experts.shared_gate", "", "true"},
            {"experts.every", "decoder_sparse_step", "1"},
            {"experts.dense_layers", "mlp_only_layers", "[]", Taking::Others}},
           biases_by("qkv_bias", "true", "qkv"),
           tied("false"),
           window_if_used("4096"),
           {{"global_every", "max_window_layers", "28", Taking::Among}}}),
      row("qwen3_moe", "Qwen3MoeConfig",
          {sizes({"24", "2048", "32", "4", "6144", "151936"}),
           llama_code(),
           experts({"num_experts|num_local_experts", "128", "num_experts_per_tok", "8",
                    "moe_intermediate_size", "768"}),
           {{"experts.every", "decoder_sparse_step", "1"},
            {"experts.dense_layers", "mlp_only_layers", "[]", Taking::Others},
            {"qk_norm", "", "head"}},
           biases_by("attention_bias", "false", "qkv output"),
           tied("false"),
           window_if_used("4096")}),
      row("qwen3_vl_moe_text", "Qwen3VLMoeTextConfig",
          {sizes({"24", "2048", "16", "16", "5632", "151936"}),
           llama_code(),
           {{"experts.count", "num_experts|num_local_experts", "60"},
            {"experts.per_token", "num_experts_per_tok", "4"},
            {"experts.ffn", "moe_intermediate_size", "1408"},
            {"experts.every", "decoder_sparse_step", "1"},
            {"experts.dense_layers", "mlp_only_layers", "[]", Taking::Others},
            {"qk_norm", "", "head"}},
           biases_by("attention_bias", "false", "qkv output"),
           tied("false")}),
      row("olmoe", "OlmoeConfig",
          {sizes({"16", "2048", "16", "=heads", "2048", "50304"}),
           llama_code(),
           experts({"num_experts", "64", "num_experts_per_tok", "8", "intermediate_size", "2048"}),
           {{"qk_norm", "", "full"}},
           biases_by("attention_bias", "false", "qkv output"),
           tied("false")}),
      row("gpt_oss", "GptOssConfig",
          {sizes({"36", "2880", "64", "8", "2880", "201088"}, "64"),
           llama_code(),
           experts({"num_local_experts", "128", "num_experts_per_tok|experts_per_token", "4",
                    "intermediate_size", "2880"}),
           {{"experts.router_bias", "", "true"}, {"sinks", "", "true"}, {"global_every", "", "2"}},
           biases_by("attention_bias", "true", "qkv output"),
           own_biases("experts"),
           tied("false"),
           window("128")}),
      row("glm4_moe", "Glm4MoeConfig",
          {sizes({"46", "4096", "96", "8", "10944", "151552"}),
           llama_code(),
           experts({"n_routed_experts|num_experts", "128", "num_experts_per_tok", "8",
                    "moe_intermediate_size", "1408"}),
           {{"experts.shared_ffn", "n_shared_experts", "1", Taking::Times, "experts.ffn"},
            {"experts.dense_layers", "first_k_dense_replace", "1"},
            {"qk_norm", "use_qk_norm", "false", Taking::When, "head"}},
           biases_by("attention_bias", "false", "qkv"),
           tied("false")}),
      row("deepseek_v2", "DeepseekV2Config",
          {latent_attention(kDeepseekV2), llama_code(), no_biases(), tied("false")}),
      row("deepseek_v3", "DeepseekV3Config",
          {latent_attention(kDeepseekV3), llama_code(), no_biases(), tied("false")}),
      row("kimi_k2", "DeepseekV3Config",
          {latent_attention(kDeepseekV3), llama_code(), no_biases(), tied("false")}),
  };
}

/// Encoders with learned positions and norms behind the halves (BERT).
Fields encoder_code(std::string_view vocab, std::string_view positions) {
  return {{"layers", "num_hidden_layers", "12"},
          {"hidden", "hidden_size", "768"},
          {"heads", "num_attention_heads", "12"},
          {"kv_heads", "", "=heads"},
          {"head_dim", "", "hidden/heads"},
          {"ffn", "intermediate_size", "3072"},
          {"vocab", "vocab_size", vocab},
          {"positions", "max_position_embeddings", positions},
          {"token_types", "type_vocab_size", "2"},
          {"embedding_norm", "", "true"},
          {"final_norm", "", "false"},
          {"pooler", "", "true"},
          {"kind", "", "encoder"},
          {"kind", "is_decoder", "false", Taking::Must}};
}

std::vector<HuggingFaceType> other_types() {
  return {
      row("bert", "BertConfig",
          {encoder_code("30522", "512"), gpt_code(), own_biases("qkv output mlp"), tied("true")}),
      row("roberta", "RobertaConfig",
          {encoder_code("50265", "512"), gpt_code(), own_biases("qkv output mlp"), tied("true")}),
      row("xlm-roberta", "XLMRobertaConfig",
          {encoder_code("30522", "512"), gpt_code(), own_biases("qkv output mlp"), tied("true")}),
      row("t5", "T5Config",
          {{{"encoder_layers", "num_layers", "6"},
            {"layers", "num_decoder_layers", "=encoder_layers", Taking::Plus, "encoder_layers"},
            {"hidden", "d_model", "512"},
            {"heads", "num_heads", "8"},
            {"kv_heads", "", "=heads"},
            {"head_dim", "d_kv", "64"},
            {"ffn", "d_ff", "2048"},
            {"vocab", "vocab_size", "32128"},
            {"positions", "", "0"},
            {"relative_positions", "relative_attention_num_buckets", "32"},
            {"gated_mlp", "feed_forward_proj", "relu", Taking::Says, "gated"},
            {"norm", "", "rmsnorm"},
            {"kind", "", "encoder-decoder"}},
           no_biases(),
           tied("true")}),
      row("falcon", "FalconConfig",
          {{{"layers", "num_hidden_layers|n_layer", "32"},
            {"hidden", "hidden_size", "4544"},
            {"heads", "num_attention_heads|n_head", "71"},
            {"kv_heads", "", "=heads"},
            {"kv_heads", "multi_query", "true", Taking::When, "1"},
            {"kv_heads", "num_kv_heads|n_head_kv", "=heads", Taking::If,
             "new_decoder_architecture"},
            {"head_dim", "", "hidden/heads"},
            {"ffn", "ffn_hidden_size", "4*hidden"},
            {"vocab", "vocab_size", "65024"},
            {"positions", "", "0"},
            {"norms", "parallel_attn", "true", Taking::When, "1"},
            {"norms", "num_ln_in_parallel_attn", "2", Taking::If, "new_decoder_architecture"},
            {"parallel_residual", "new_decoder_architecture", "false"}},
           gpt_code(),
           biases_by("bias", "false", "qkv output mlp"),
           tied("true")}),
      row("RefinedWeb", "RWConfig, beside the first checkpoints of Falcon-40B",
          {refined_web(),
           {{"kv_heads", "n_head_kv", "=heads"},
            {"parallel_residual", "parallel_attn", "true", Taking::Must},
            {"parallel_residual", "", "true"}}}),
      row("RefinedWebModel", "RWConfig, beside the first checkpoints of Falcon-7B",
          {refined_web(),
           {{"kv_heads", "multi_query", "false", Taking::When, "1"},
            {"norms", "parallel_attn", "false", Taking::When, "1"}}}),
      row("gpt_bigcode", "GPTBigCodeConfig",
          {{{"layers", "n_layer|num_hidden_layers", "12"},
            {"hidden", "n_embd|hidden_size", "768"},
            {"heads", "n_head|num_attention_heads", "12"},
            {"kv_heads", "", "=heads"},
            {"kv_heads", "multi_query", "true", Taking::When, "1"},
            {"head_dim", "", "hidden/heads"},
            {"ffn", "n_inner", "4*hidden"},
            {"vocab", "vocab_size", "50257"},
            {"positions", "n_positions", "1024"}},
           gpt_code(),
           own_biases("qkv output mlp"),
           tied("true")}),
      row("stablelm", "StableLmConfig",
          {sizes({"32", "2560", "32", "32", "6912", "50304"}),
           {{"positions", "", "0"},
            {"gated_mlp", "", "true"},
            {"norm", "", "layernorm"},
            {"norms", "use_parallel_residual", "false", Taking::When, "1"},
            {"qk_norm", "qk_layernorm", "false", Taking::Must}},
           biases_by("use_qkv_bias", "false", "qkv"),
           tied("false")}),
      row("internlm2", "InternLM2Config, beside the checkpoint",
          {sizes(kNoSizes), llama_code(), biases_by("bias", "true", "qkv output"), tied("false")}),
      row("baichuan", "BaichuanConfig, beside the checkpoint",
          {sizes(kNoSizes), llama_code(), no_biases(), tied("false")}),
      row("chatglm", "ChatGLMConfig, beside the checkpoint",
          {{{"layers", "num_layers", "28"},
            {"hidden", "hidden_size", "4096"},
            {"heads", "num_attention_heads", "32"},
            {"kv_heads", "", "=heads"},
            {"kv_heads", "multi_query_group_num", "1", Taking::If, "multi_query_attention"},
            {"head_dim", "kv_channels", "128"},
            {"ffn", "ffn_hidden_size", "13696"},
            {"vocab", "padded_vocab_size", "65024"},
            {"norms", "apply_residual_connection_post_layernorm", "false", Taking::Must},
            {"norm", "rmsnorm", "true", Taking::Must}},
           llama_code(),
           biases_by("add_qkv_bias", "false", "qkv"),
           biases_by("add_bias_linear", "false", "qkv output mlp"),
           tied("false")}),
      row("PanguEmbedded", "PanguEmbeddedConfig, beside the checkpoint",
          {sizes({"34", "4096", "32", "8", "12800", "153376"}), llama_code(),
           biases_by("bias", "true", "qkv output"), tied("false")}),
      row("glm", "GlmConfig",
          {sizes({"40", "4096", "32", "2", "13696", "151552"}, "128"), llama_code(),
           biases_by("attention_bias", "true", "qkv"), tied("false")}),
      row("llama4_text", "Llama4TextConfig",
          {{{"layers", "num_hidden_layers", "48"},
            {"hidden", "hidden_size", "5120"},
            {"heads", "num_attention_heads", "40"},
            {"kv_heads", "num_key_value_heads", "8", Taking::As, "", "", "=heads"},
            {"head_dim", "head_dim", "128", Taking::As, "", "", kShare},
            {"ffn", "intermediate_size_mlp", "16384"},
            {"vocab", "vocab_size", "202048"},
            {"experts.count", "num_local_experts", "16"},
            {"experts.per_token", "num_experts_per_tok", "1"},
            {"experts.ffn", "intermediate_size", "8192"},
            {"experts.shared_ffn", "intermediate_size", "8192"},
            {"experts.every", "interleave_moe_layer_step", "1"},
            {"experts.every", "moe_layers", "as interleave_moe_layer_step", Taking::These},
            {"window", "attention_chunk_size", "8192", Taking::Unsaid, "", "", "null"}},
           llama_code(),
           biases_by("attention_bias", "false", "qkv output"),
           tied("false")}),
  };
}

}  // namespace

const std::vector<HuggingFaceType>& huggingface_table() {
  static const std::vector<HuggingFaceType> all = [] {
    std::vector<HuggingFaceType> types = dense_types();
    for (const std::vector<HuggingFaceType>& more :
         {shiftless_types(), expert_types(), other_types()}) {
      types.insert(types.end(), more.begin(), more.end());
    }
    return types;
  }();
  return all;
}

}  // namespace danlu
