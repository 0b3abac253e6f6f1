// Models from a config.json of Hugging Face: parameters counted by other people, field by field.
#include "sim/scenario/huggingface.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/scenario/keys.hpp"
#include "sim/workload/model_blocks.hpp"
#include "tests/support/configs.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::complaint;
using testing::Folder;
using testing::scenario_of;
using testing::shipped_presets;

double parameters(const std::string& config, std::vector<std::string> overrides = {}) {
  return total_parameters(scenario_of(config, std::move(overrides)).workload.model);
}

// The counts are of the public checkpoints: huggingface.co/<model>, safetensors.
struct Counted {
  const char* model;
  const char* config;
  double parameters;
};

const Counted kDense[] = {
    {"Llama-3-8B",
     R"({"model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096,
         "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
         "vocab_size": 128256, "tie_word_embeddings": false, "attention_bias": false})",
     8030261248},
    {"Llama-1-30B, whose file has no key-value heads",
     R"({"model_type": "llama", "num_hidden_layers": 60, "hidden_size": 6656,
         "num_attention_heads": 52, "intermediate_size": 17920, "vocab_size": 32000})",
     32528943616},
    {"Llama-3.2-3B, tied",
     R"({"model_type": "llama", "num_hidden_layers": 28, "hidden_size": 3072,
         "num_attention_heads": 24, "num_key_value_heads": 8, "head_dim": 128,
         "intermediate_size": 8192, "vocab_size": 128256, "tie_word_embeddings": true})",
     3212749824},
    {"Mistral-7B-v0.3",
     R"({"model_type": "mistral", "num_hidden_layers": 32, "hidden_size": 4096,
         "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
         "vocab_size": 32768, "sliding_window": null})",
     7248023552},
    {"Gemma-2B, whose heads are wider than hidden / heads",
     R"({"model_type": "gemma", "num_hidden_layers": 18, "hidden_size": 2048,
         "num_attention_heads": 8, "num_key_value_heads": 1, "intermediate_size": 16384,
         "vocab_size": 256000})",
     2506172416},
    {"Phi-3-mini",
     R"({"model_type": "phi3", "num_hidden_layers": 32, "hidden_size": 3072,
         "num_attention_heads": 32, "num_key_value_heads": 32, "intermediate_size": 8192,
         "vocab_size": 32064, "sliding_window": null})",
     3821079552},
    {"Pythia-1.4B",
     R"({"model_type": "gpt_neox", "num_hidden_layers": 24, "hidden_size": 2048,
         "num_attention_heads": 16, "intermediate_size": 8192, "vocab_size": 50304})",
     1414647808},
    {"GPT-2", R"({"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12})", 124439808},
    {"OPT-1.3B, whose table of positions has two more rows",
     R"({"model_type": "opt", "num_hidden_layers": 24, "hidden_size": 2048,
         "num_attention_heads": 32, "ffn_dim": 8192, "vocab_size": 50272,
         "max_position_embeddings": 2048, "word_embed_proj_dim": 2048})",
     1315758080},
    {"MPT-7B, whose layernorms have no shift",
     R"({"model_type": "mpt", "n_layers": 32, "d_model": 4096, "n_heads": 32,
         "vocab_size": 50432})",
     6649286656},
};

TEST(HuggingFace, DenseModelsHaveTheirPublishedParameters) {
  for (const Counted& one : kDense) {
    EXPECT_EQ(parameters(one.config), one.parameters) << one.model;
  }
}

// Models with more than a dense decoder has: biases of some products, norms of queries and keys,
// latent attention, experts.
struct Demanding {
  const char* model;
  const char* config;
  double parameters;
};

const Demanding kDemanding[] = {
    {"Qwen2.5-7B, biases of queries, keys and values",
     R"({"model_type": "qwen2", "num_hidden_layers": 28, "hidden_size": 3584,
         "num_attention_heads": 28, "num_key_value_heads": 4, "intermediate_size": 18944,
         "vocab_size": 152064, "use_sliding_window": false, "sliding_window": 131072})",
     7615616512},
    {"Qwen3-0.6B, norms of queries and keys, tied",
     R"({"model_type": "qwen3", "num_hidden_layers": 28, "hidden_size": 1024,
         "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
         "intermediate_size": 3072, "vocab_size": 151936, "tie_word_embeddings": true})",
     596049920},
    {"Gemma-2-9B, four norms a layer",
     R"({"model_type": "gemma2", "num_hidden_layers": 42, "hidden_size": 3584,
         "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 256,
         "intermediate_size": 14336, "vocab_size": 256000, "sliding_window": 4096})",
     9241705984},
    {"Gemma-3-1B",
     R"({"model_type": "gemma3_text", "num_hidden_layers": 26, "hidden_size": 1152,
         "num_attention_heads": 4, "num_key_value_heads": 1, "head_dim": 256,
         "intermediate_size": 6912, "vocab_size": 262144, "sliding_window": 512})",
     999885952},
    {"OLMo-2-7B, norms of all queries and keys",
     R"({"model_type": "olmo2", "num_hidden_layers": 32, "hidden_size": 4096,
         "num_attention_heads": 32, "intermediate_size": 11008, "vocab_size": 100352})",
     7298617344},
    {"Phi-2, one norm a layer, a bias of the head",
     R"({"model_type": "phi", "num_hidden_layers": 32, "hidden_size": 2560,
         "num_attention_heads": 32, "intermediate_size": 10240, "vocab_size": 51200})",
     2779683840},
    {"GPT-J-6B",
     R"({"model_type": "gptj", "n_layer": 28, "n_embd": 4096, "n_head": 16, "vocab_size": 50400})",
     6050882784},
    {"BLOOM-7B1, a norm behind the embedding",
     R"({"model_type": "bloom", "n_layer": 30, "hidden_size": 4096, "n_head": 32})", 7069016064},
    {"Aya-23-8B, layernorms without a shift",
     R"({"model_type": "cohere", "num_hidden_layers": 32, "hidden_size": 4096,
         "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
         "vocab_size": 256000})",
     8028033024},
    {"OLMo-7B, norms without parameters",
     R"({"model_type": "olmo", "num_hidden_layers": 32, "hidden_size": 4096,
         "num_attention_heads": 32, "intermediate_size": 11008, "vocab_size": 50304})",
     6888095744},
    {"Mixtral-8x7B",
     R"({"model_type": "mixtral", "num_hidden_layers": 32, "hidden_size": 4096,
         "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
         "vocab_size": 32000, "num_local_experts": 8, "num_experts_per_tok": 2})",
     46702792704},
    {"DeepSeek-V2-Lite, latent attention without a rank of queries",
     R"({"model_type": "deepseek_v2", "num_hidden_layers": 27, "hidden_size": 2048,
         "num_attention_heads": 16, "intermediate_size": 10944, "vocab_size": 102400,
         "q_lora_rank": null, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
         "v_head_dim": 128, "n_routed_experts": 64, "num_experts_per_tok": 6,
         "moe_intermediate_size": 1408, "n_shared_experts": 2, "first_k_dense_replace": 1})",
     15706484224},
    {"DeepSeek-V3",
     R"({"model_type": "deepseek_v3", "num_hidden_layers": 61, "hidden_size": 7168,
         "num_attention_heads": 128, "intermediate_size": 18432, "vocab_size": 129280,
         "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64,
         "v_head_dim": 128, "n_routed_experts": 256, "num_experts_per_tok": 8,
         "moe_intermediate_size": 2048, "n_shared_experts": 1, "first_k_dense_replace": 3})",
     671026404352},
    {"Qwen2-57B-A14B, a gate of the shared experts",
     R"({"model_type": "qwen2_moe", "num_hidden_layers": 28, "hidden_size": 3584,
         "num_attention_heads": 28, "num_key_value_heads": 4, "intermediate_size": 18944,
         "vocab_size": 151936, "num_experts": 64, "num_experts_per_tok": 8,
         "moe_intermediate_size": 2560, "shared_expert_intermediate_size": 20480,
         "decoder_sparse_step": 1, "mlp_only_layers": []})",
     57408658944},
    {"Qwen3-30B-A3B",
     R"({"model_type": "qwen3_moe", "num_hidden_layers": 48, "hidden_size": 2048,
         "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128,
         "intermediate_size": 6144, "vocab_size": 151936, "num_experts": 128,
         "num_experts_per_tok": 8, "moe_intermediate_size": 768})",
     30532122624},
    {"DBRX",
     R"({"model_type": "dbrx", "n_layers": 40, "d_model": 6144, "n_heads": 48,
         "vocab_size": 100352, "attn_config": {"kv_n_heads": 8},
         "ffn_config": {"ffn_hidden_size": 10752, "moe_num_experts": 16, "moe_top_k": 4}})",
     131596523520},
    {"GPT-OSS-20B, sinks, biases of experts and router",
     R"({"model_type": "gpt_oss", "num_hidden_layers": 24, "hidden_size": 2880,
         "num_attention_heads": 64, "num_key_value_heads": 8, "head_dim": 64,
         "intermediate_size": 2880, "vocab_size": 201088, "num_local_experts": 32,
         "num_experts_per_tok": 4, "sliding_window": 128})",
     20914757184},
    {"GLM-4.5",
     R"({"model_type": "glm4_moe", "num_hidden_layers": 92, "hidden_size": 5120,
         "num_attention_heads": 96, "num_key_value_heads": 8, "head_dim": 128,
         "intermediate_size": 12288, "vocab_size": 151552, "n_routed_experts": 160,
         "num_experts_per_tok": 8, "moe_intermediate_size": 1536, "n_shared_experts": 1,
         "first_k_dense_replace": 3, "use_qk_norm": true, "attention_bias": true})",
     352797814784},
    {"OLMoE-1B-7B",
     R"({"model_type": "olmoe", "num_hidden_layers": 16, "hidden_size": 2048,
         "num_attention_heads": 16, "intermediate_size": 1024, "vocab_size": 50304,
         "num_experts": 64, "num_experts_per_tok": 8})",
     6919161856},
};

TEST(HuggingFace, DemandingModelsAreCounted) {
  for (const Demanding& one : kDemanding) {
    EXPECT_EQ(parameters(one.config), one.parameters) << one.model;
  }
}

const Counted kOthers[] = {
    {"BERT-base-uncased, an encoder with a pooler", R"({"model_type": "bert"})", 109482240},
    {"BERT-large-uncased",
     R"({"model_type": "bert", "num_hidden_layers": 24, "hidden_size": 1024,
         "num_attention_heads": 16, "intermediate_size": 4096})",
     335141888},
    {"RoBERTa-base, whose table of positions has two more rows",
     R"({"model_type": "roberta", "max_position_embeddings": 514, "type_vocab_size": 1})",
     124645632},
    {"T5-11B",
     R"({"model_type": "t5", "d_model": 1024, "d_kv": 128, "d_ff": 65536, "num_heads": 128,
         "num_layers": 24})",
     11307321344},
    {"Flan-T5-XXL, gated and not tied",
     R"({"model_type": "t5", "d_model": 4096, "d_kv": 64, "d_ff": 10240, "num_heads": 64,
         "num_layers": 24, "num_decoder_layers": 24, "feed_forward_proj": "gated-gelu",
         "tie_word_embeddings": false})",
     11135332352},
    {"Falcon-7B, one key-value head, one norm",
     R"({"model_type": "falcon", "num_hidden_layers": 32, "hidden_size": 4544,
         "num_attention_heads": 71, "multi_query": true, "parallel_attn": true})",
     6921720704},
    {"Falcon-40B, eight key-value heads, two norms",
     R"({"model_type": "falcon", "num_hidden_layers": 60, "hidden_size": 8192,
         "num_attention_heads": 128, "num_kv_heads": 8, "new_decoder_architecture": true})",
     41303293952},
    {"Falcon-180B, not tied",
     R"({"model_type": "falcon", "num_hidden_layers": 80, "hidden_size": 14848,
         "num_attention_heads": 232, "num_kv_heads": 8, "new_decoder_architecture": true,
         "multi_query": true, "tie_word_embeddings": false})",
     179522565120},
    {"StarCoder, one key-value head",
     R"({"model_type": "gpt_bigcode", "n_layer": 40, "n_embd": 6144, "n_head": 48,
         "n_inner": 24576, "n_positions": 8192, "vocab_size": 49152})",
     15517456384},
    {"StableLM-2-1.6B",
     R"({"model_type": "stablelm", "num_hidden_layers": 24, "hidden_size": 2048,
         "num_attention_heads": 32, "num_key_value_heads": 32, "intermediate_size": 5632,
         "vocab_size": 100352, "use_qkv_bias": true})",
     1644515328},
    {"InternLM2-7B",
     R"({"model_type": "internlm2", "num_hidden_layers": 32, "hidden_size": 4096,
         "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
         "vocab_size": 92544, "bias": false})",
     7737708544},
    {"Baichuan-7B",
     R"({"model_type": "baichuan", "num_hidden_layers": 32, "hidden_size": 4096,
         "num_attention_heads": 32, "intermediate_size": 11008, "vocab_size": 64000})",
     7000559616},
    {"GLM-4-9B",
     R"({"model_type": "glm", "num_hidden_layers": 40, "hidden_size": 4096,
         "num_attention_heads": 32, "num_key_value_heads": 2, "head_dim": 128,
         "intermediate_size": 13696, "vocab_size": 151552})",
     9399951360},
    {"ChatGLM2-6B, two groups of keys, biases of them",
     R"({"model_type": "chatglm", "num_layers": 28, "add_bias_linear": false,
         "add_qkv_bias": true, "multi_query_attention": true, "multi_query_group_num": 2,
         "rmsnorm": true, "padded_vocab_size": 65024})",
     6243584000},
    {"openPangu-Embedded-7B",
     R"({"model_type": "PanguEmbedded", "num_hidden_layers": 34, "hidden_size": 4096,
         "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 12800,
         "vocab_size": 153376, "bias": true})",
     8030887936},
    {"MiMo-7B with the layer that predicts one more",
     R"({"model_type": "mimo", "num_hidden_layers": 36, "hidden_size": 4096, "head_dim": 128,
         "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 11008,
         "vocab_size": 151680, "attention_bias": true, "num_nextn_predict_layers": 1})",
     7833409536},
    {"Falcon-40B as it came out",
     R"({"model_type": "RefinedWeb", "hidden_size": 8192, "n_head": 128, "n_head_kv": 8,
         "n_layer": 60, "parallel_attn": true, "vocab_size": 65024})",
     41303293952},
    {"Falcon-7B as it came out",
     R"({"model_type": "RefinedWebModel", "hidden_size": 4544, "n_head": 71, "n_layer": 32,
         "multi_query": true, "parallel_attn": true, "vocab_size": 65024})",
     6921720704},
    {"Llama-4-Maverick, its text",
     R"({"model_type": "llama4", "text_config": {"model_type": "llama4_text",
         "num_hidden_layers": 48, "num_local_experts": 128, "interleave_moe_layer_step": 2}})",
     400711848960},
};

// The language parts of models that see, which are Qwen2.5-7B, Qwen3-8B and Qwen3-30B-A3B. The
// first is written both ways: before there was a text_config, and since.
const Counted kMedia[] = {
    {"Qwen2.5-VL-7B, its text, as it came out",
     R"({"model_type": "qwen2_5_vl", "hidden_size": 3584, "intermediate_size": 18944,
         "num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4,
         "tie_word_embeddings": false, "vocab_size": 152064, "use_sliding_window": false,
         "vision_config": {"hidden_size": 1280}})",
     7615616512},
    {"Qwen2.5-VL-7B, its text, since",
     R"({"model_type": "qwen2_5_vl", "hidden_size": 7, "text_config": {
         "model_type": "qwen2_5_vl_text", "hidden_size": 3584, "intermediate_size": 18944,
         "num_attention_heads": 28, "num_hidden_layers": 28, "num_key_value_heads": 4}})",
     7615616512},
    {"Qwen3-VL-8B, its text",
     R"({"model_type": "qwen3_vl", "text_config": {"model_type": "qwen3_vl_text",
         "intermediate_size": 12288, "num_hidden_layers": 36, "num_key_value_heads": 8}})",
     8190735360},
    {"Qwen3-VL-30B-A3B, its text; the whole model says that its head is apart",
     R"({"model_type": "qwen3_vl_moe", "tie_word_embeddings": false, "text_config": {
         "model_type": "qwen3_vl_moe_text", "tie_word_embeddings": true, "head_dim": 128,
         "num_hidden_layers": 48, "num_attention_heads": 32, "num_key_value_heads": 4,
         "moe_intermediate_size": 768, "num_experts": 128, "num_experts_per_tok": 8}})",
     30532122624},
};

TEST(HuggingFace, OfModelsThatSeeTheLanguagePartIsCounted) {
  for (const Counted& row : kMedia) {
    EXPECT_EQ(parameters(row.config), row.parameters) << row.model;
  }
}

TEST(HuggingFace, EncodersAndOthersAreCounted) {
  for (const Counted& row : kOthers) {
    EXPECT_EQ(parameters(row.config), row.parameters) << row.model;
  }
}

TEST(HuggingFace, KeysBesideTheFileOverrideIt) {
  const char* llama = kDense[0].config;
  EXPECT_EQ(scenario_of(llama, {"model.vocab=32000"}).workload.model.vocab, 32000);
  EXPECT_EQ(parameters(llama, {"model.vocab=128255"}), 8030261248 - 2.0 * 4096);
  const Scenario more_heads = scenario_of(llama, {"model.heads=64"});
  EXPECT_EQ(more_heads.workload.model.kv_heads, 8);  // the file's own
  EXPECT_NE(more_heads.notes.back().find("'model.kv_heads' stays 8, as its config.json has it"),
            std::string::npos)
      << more_heads.notes.back();
}

TEST(HuggingFace, SaysWhatItTook) {
  const Scenario s = scenario_of(kDense[1].config);
  ASSERT_FALSE(s.notes.empty());
  EXPECT_NE(s.notes[0].find("ffn 17920"), std::string::npos) << s.notes[0];
  EXPECT_NE(s.notes[0].find("by LlamaConfig or the model's code: kv_heads 52"), std::string::npos)
      << s.notes[0];
}

TEST(HuggingFace, AFieldThatNothingReadsIsTold) {
  const auto notes = [](const char* more) {
    std::string all;
    for (const std::string& note : scenario_of(std::string(
                                                   R"({"model_type": "llama", "hidden_size": 256,
             "num_hidden_layers": 2, "num_attention_heads": 8, "intermediate_size": 512,
             "vocab_size": 1000, )") + more + "}")
                                       .notes) {
      all += note + "\n";
    }
    return all;
  };
  const std::string_view told = "nothing reads num_key_value_head 2 of";
  EXPECT_NE(notes(R"("num_key_value_head": 2)").find(told), std::string::npos);
  EXPECT_EQ(notes(R"("num_key_value_heads": 2, "num_key_value_head": 2)").find("nothing reads"),
            std::string::npos);
}

// GPTNeoXLayer, FalconDecoderLayer and StableLmDecoderLayer of transformers: who adds both halves
// to one input, and behind how many norms.
TEST(HuggingFace, SaysWhereAttentionAndMlpStandSideBySide) {
  constexpr const char* kSizes =  // under the names that models give them
      R"("num_hidden_layers": 2, "hidden_size": 256, "num_attention_heads": 4,
         "num_key_value_heads": 4,
         "intermediate_size": 1024, "vocab_size": 1000,
         "n_layer": 2, "n_embd": 256, "n_head": 4, "n_inner": 1024)";
  struct Row {
    const char* fields;
    bool beside;
    int norms;
  };
  for (const auto& [fields, beside, norms] :
       {Row{R"("model_type": "gpt_neox")", true, 2},
        Row{R"("model_type": "gpt_neox", "use_parallel_residual": false)", false, 2},
        Row{R"("model_type": "gptj")", true, 1}, Row{R"("model_type": "falcon")", true, 1},
        Row{R"("model_type": "falcon", "new_decoder_architecture": true)", true, 2},
        Row{R"("model_type": "falcon", "parallel_attn": false)", false, 2},
        Row{R"("model_type": "stablelm")", false, 2},
        Row{R"("model_type": "stablelm", "use_parallel_residual": true)", true, 1}}) {
    const ModelSpec model = scenario_of(fmt::format("{{{}, {}}}", fields, kSizes)).workload.model;
    EXPECT_EQ(model.parallel_residual, beside) << fields;
    EXPECT_EQ(model.norms, norms) << fields;
  }
}

TEST(HuggingFace, OfSeveralMediaTheLanguagePartIsTaken) {
  const Scenario s = scenario_of(
      R"({"model_type": "some_vision_model", "hidden_size": 7, "text_config":
          {"model_type": "llama", "num_hidden_layers": 3, "hidden_size": 256,
           "num_attention_heads": 4, "intermediate_size": 512, "vocab_size": 1000}})");
  EXPECT_EQ(s.workload.model.layers, 3);
  EXPECT_EQ(s.workload.model.hidden, 256);
}

TEST(HuggingFace, RefusesWhatItDoesNotKnowAtItsPlace) {
  const std::string unknown = complaint("{\n  \"model_type\": \"rwkv\"}");
  EXPECT_NE(unknown.find("config.json:2:17: error: unknown model_type 'rwkv'"), std::string::npos)
      << unknown;
  for (const std::string_view type : huggingface_types()) {
    EXPECT_NE(unknown.find(type), std::string::npos) << type;
  }
  const std::string wrong = complaint(R"({"model_type": "gpt2", "n_layer": "many"})");
  EXPECT_NE(wrong.find("config.json:1:35: error: 'model.layers' must be a whole number"),
            std::string::npos)
      << wrong;
  const std::string projected =
      complaint(R"({"model_type": "opt", "hidden_size": 1024, "word_embed_proj_dim": 512})");
  EXPECT_NE(projected.find("no model with 'word_embed_proj_dim' 512"), std::string::npos)
      << projected;
  const std::string missing = complaint(
      R"({"model_type": "llama", "hidden_size": 1024, "vocab_size": 10, "intermediate_size": 9,
          "num_attention_heads": 8})");
  EXPECT_NE(missing.find("missing field 'num_hidden_layers'"), std::string::npos) << missing;
}

// Keys beside the file stand in for fields that it lacks, and what follows from a field follows
// from them: heads of 4096 / 32.
TEST(HuggingFace, KeysBesideItFillWhatIsMissing) {
  const Folder folder;
  folder.write("config.json",
               R"({"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 2})");
  const auto scenario = [&](const std::string& beside) {
    return folder.write("a.yaml", "model: {huggingface: config.json" + beside +
                                      "}\ncluster: {topology: dgx-h100, gpus: 8}\n"
                                      "training: {global_batch: 8, sequence_length: 512}\n");
  };
  const ModelSpec model =
      load_scenario(scenario(", heads: 32, ffn: 11008, vocab: 32000"), shipped_presets())
          .workload.model;
  EXPECT_EQ(model.heads, 32);
  EXPECT_EQ(model.kv_heads, 32);
  EXPECT_EQ(model.head_dim, 128);
  EXPECT_EQ(model.ffn, 11008);
  EXPECT_EQ(model.vocab, 32000);
  try {
    load_scenario(scenario(", heads: 32"), shipped_presets());
    FAIL();
  } catch (const InputError& error) {
    ASSERT_EQ(error.problems().size(), 2U) << error.what();
    EXPECT_EQ(error.problems()[0].message, "missing field 'intermediate_size', which is ffn");
    EXPECT_EQ(error.problems()[0].hint, "or say it beside the file: model.ffn");
    EXPECT_EQ(error.problems()[1].message, "missing field 'vocab_size', which is vocab");
    EXPECT_EQ(error.problems()[1].hint, "or say it beside the file: model.vocab");
  }
}

// A text_config as transformers writes it: gemma-3-4b's and llava-1.5-7b's have only what differs
// from Gemma3TextConfig and LlamaConfig. Null is as many pairs as heads, missing what the class
// has.
TEST(HuggingFace, ATextConfigHasTheDefaultsOfItsClass) {
  const auto model = [](const std::string& text_config) {
    const Folder folder;
    folder.write("config.json",
                 R"({"model_type": "some_media", "text_config": {)" + text_config + "}}");
    return load_scenario(folder.write("a.yaml",
                                      "model: {huggingface: config.json}\n"
                                      "cluster: {topology: dgx-h100, gpus: 8}\n"
                                      "training: {global_batch: 8, sequence_length: 512}\n"),
                         shipped_presets())
        .workload.model;
  };
  const ModelSpec gemma = model(
      R"("model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240,
         "num_hidden_layers": 34, "sliding_window": 1024)");
  EXPECT_EQ(gemma.heads, 8);
  EXPECT_EQ(gemma.kv_heads, 4);
  EXPECT_EQ(gemma.head_dim, 256);
  EXPECT_EQ(gemma.vocab, 262208);
  const ModelSpec llava = model(R"("model_type": "llama", "vocab_size": 32064)");
  EXPECT_EQ(llava.layers, 32);
  EXPECT_EQ(llava.hidden, 4096);
  EXPECT_EQ(llava.ffn, 11008);
  EXPECT_EQ(llava.kv_heads, 32);
  EXPECT_EQ(model(R"("model_type": "mistral")").kv_heads, 8);
  EXPECT_EQ(model(R"("model_type": "mistral", "num_key_value_heads": null)").kv_heads, 32);
}

TEST(HuggingFace, BelongsToTheScenarioThatNamesIt) {
  const Folder folder;
  folder.write("base.yaml",
               "model: {preset: llama3-8b, vocab: 1000}\n"
               "cluster: {topology: dgx-h100, gpus: 1}\n"
               "training: {global_batch: 1, sequence_length: 512}\n");
  folder.write("config.json", kDense[7].config);
  const Scenario s = load_scenario(
      folder.write("a.yaml", "extends: base.yaml\nmodel: {huggingface: config.json}\n"),
      shipped_presets());
  EXPECT_EQ(total_parameters(s.workload.model), 124439808);
}

}  // namespace
}  // namespace danlu
