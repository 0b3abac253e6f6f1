// Models from a config.json of Hugging Face: parameters counted by other people, field by field.
#include "sim/scenario/huggingface.hpp"

#include <gtest/gtest.h>

#include "sim/workload/model_blocks.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::Folder;
using testing::shipped_presets;

Scenario scenario_of(const std::string& config, std::vector<std::string> overrides = {}) {
  const Folder folder;
  folder.write("models/config.json", config);
  return load_scenario(folder.write("a.yaml",
                                    "model: {huggingface: models/config.json}\n"
                                    "cluster: {topology: dgx-h100, gpus: 1}\n"
                                    "training: {global_batch: 1, sequence_length: 512}\n"),
                       shipped_presets(std::move(overrides)));
}

double parameters(const std::string& config, std::vector<std::string> overrides = {}) {
  return total_parameters(scenario_of(config, std::move(overrides)).workload.model);
}

/// What loading says is wrong.
std::string complaint(const std::string& config) {
  try {
    scenario_of(config);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
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

TEST(HuggingFace, KeysBesideTheFileOverrideIt) {
  const char* llama = kDense[0].config;
  EXPECT_EQ(scenario_of(llama, {"model.vocab=32000"}).workload.model.vocab, 32000);
  EXPECT_EQ(parameters(llama, {"model.vocab=128255"}), 8030261248 - 2.0 * 4096);
  EXPECT_EQ(scenario_of(llama, {"model.heads=64"}).workload.model.kv_heads, 64);
}

TEST(HuggingFace, SaysWhatItTook) {
  const Scenario s = scenario_of(kDense[1].config);
  ASSERT_FALSE(s.notes.empty());
  EXPECT_NE(s.notes[0].find("ffn 17920"), std::string::npos) << s.notes[0];
  EXPECT_NE(s.notes[0].find("by LlamaConfig or the model's code: kv_heads 52"), std::string::npos)
      << s.notes[0];
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
