// A config.json of Hugging Face: which layers have a window and which have experts, what null says,
// and the defaults of the configuration classes.
#include "sim/scenario/huggingface_layers.hpp"

#include <gtest/gtest.h>

#include <map>

#include "tests/support/configs.hpp"

namespace danlu {
namespace {

using testing::complaint;
using testing::scenario_of;

// ---- Which layers have a window.

/// Layers that see past the window of a model with `layers` of them; -1: there is no window.
int layers_without_window(const ModelSpec& model) {
  int found = 0;
  for (int layer = 0; layer < model.layers; ++layer) {
    found += model.layer_sort(layer).window == 0 ? 1 : 0;
  }
  return model.window == 0 ? -1 : found;
}

std::string gemma3(const std::string& more) {
  return R"({"model_type": "gemma3_text", "num_hidden_layers": 6, "hidden_size": 1152,
             "num_attention_heads": 4, "num_key_value_heads": 1, "intermediate_size": 6912,
             "vocab_size": 262144, "sliding_window": 512)" +
         more + "}";
}
std::string qwen2(const std::string& type, int layers, const std::string& more) {
  return R"({"model_type": ")" + type + R"(", "hidden_size": 3584, "num_attention_heads": 28,
             "num_key_value_heads": 4, "intermediate_size": 18944, "vocab_size": 152064,
             "num_experts_per_tok": 2, "moe_intermediate_size": 64, "num_hidden_layers": )" +
         std::to_string(layers) + more + "}";
}
/// A list of `layers`, of which those at a 1 are full.
std::string layer_types(const std::string& full) {
  std::string list;
  for (const char one : full) {
    list += list.empty() ? "" : ", ";
    list += one == '1' ? R"("full_attention")" : R"("sliding_attention")";
  }
  return R"(, "layer_types": [)" + list + "]";
}

// layer_types is what transformers from 4.53 on writes of Gemma 2 and 3, GPT-OSS, Qwen2 and 3.
TEST(HuggingFace, LayerTypesSayWhichLayersSeeEverything) {
  const auto model = [](const std::string& more) {
    return scenario_of(gemma3(more)).workload.model;
  };
  EXPECT_EQ(model("").global_every, 6);
  EXPECT_EQ(model(R"(, "sliding_window_pattern": 3)").global_every, 3);
  EXPECT_EQ(model(layer_types("010101")).global_every, 2);
  EXPECT_EQ(model(layer_types("000100")).global_every, 4);
  EXPECT_EQ(layers_without_window(model(layer_types("000100"))), 1);
  EXPECT_EQ(layers_without_window(model(layer_types("000000"))), 0);
  EXPECT_EQ(layers_without_window(model(layer_types("111111"))), -1);
  // Of a class that does not read them the same holds; without a window nothing is to be said.
  const std::string mistral = R"({"model_type": "mistral", "num_hidden_layers": 2,
      "hidden_size": 1024, "num_attention_heads": 8, "intermediate_size": 1024,
      "vocab_size": 1024)";
  EXPECT_EQ(scenario_of(mistral + layer_types("01") + "}").workload.model.global_every, 2);
  EXPECT_EQ(scenario_of(mistral + R"(, "sliding_window": null)" + layer_types("11") + "}")
                .workload.model.window,
            0);
}

// configuration_qwen2.py: sliding where `i >= max_window_layers`; configuration_qwen2_moe.py: where
// `(i + 1) % 2 and i < max_window_layers`; both 28 by class, of Qwen2-VL 80.
TEST(HuggingFace, MaxWindowLayersSaysHowManyHaveNone) {
  const auto without = [](const std::string& type, int layers, const std::string& more) {
    return layers_without_window(
        scenario_of(qwen2(type, layers, R"(, "use_sliding_window": true)" + more)).workload.model);
  };
  for (const char* type : {"qwen2", "qwen3", "mimo", "qwen2_vl", "qwen2_5_vl_text"}) {
    EXPECT_EQ(without(type, 28, ""), -1) << type;
    EXPECT_EQ(without(type, 28, R"(, "max_window_layers": 0)"), 0) << type;
    EXPECT_EQ(without(type, 28, R"(, "max_window_layers": 70)"), -1) << type;
  }
  EXPECT_EQ(without("qwen2_vl", 80, ""), -1);
  EXPECT_EQ(without("qwen2_moe", 28, ""), 14);
  EXPECT_EQ(without("qwen2_moe", 28, R"(, "max_window_layers": 0)"), -1);
  EXPECT_EQ(without("qwen3_moe", 28, R"(, "max_window_layers": 21)"), 0);   // no such field
  EXPECT_EQ(scenario_of(qwen2("qwen2", 28, "")).workload.model.window, 0);  // not in use
  // A list goes before the number, and layers that are said beside the file before its own.
  EXPECT_EQ(without("qwen2", 4, R"(, "max_window_layers": 3)" + layer_types("0101")), 2);
  const std::string in_use = R"(, "use_sliding_window": true)";
  EXPECT_EQ(scenario_of(qwen2("qwen2", 36, in_use), {"model.layers=28"}).workload.model.window, 0);
}

TEST(HuggingFace, ANullWindowIsNone) {
  const std::string of_file = R"("num_hidden_layers": 2, "hidden_size": 1024,
      "num_attention_heads": 8, "intermediate_size": 1024, "vocab_size": 1024,
      "num_experts_per_tok": 2, "sliding_window": null})";
  for (const char* type : {"mistral", "mixtral", "gemma2", "gemma3_text", "gpt_oss", "phi3"}) {
    const ModelSpec model =
        scenario_of(R"({"model_type": ")" + std::string(type) + R"(", )" + of_file).workload.model;
    EXPECT_EQ(model.window, 0) << type;
    EXPECT_EQ(model.global_every, 0) << type;
  }
}

TEST(HuggingFace, RefusesWindowsOfLayersThatNoKeySays) {
  const std::string hint =
      "\nhint: it knows those of which each so-manieth does; say beside the file what comes "
      "nearest: model.global_every (0: none), or model.window: 0";
  const auto has = [](const std::string& text, const std::string& part) {
    EXPECT_NE(text.find(part), std::string::npos) << text;
  };
  const std::string list = complaint(gemma3(",\n" + layer_types("111000").substr(1)));
  has(list,
      "config.json:4:17: error: danlu has no model in which 3 of 6 layers (0 to 2) see everything "
      "and the others a window (layer_types)");
  has(list, hint);
  const std::string number =
      complaint(qwen2("qwen2", 28, ",\n\"use_sliding_window\": true, \"max_window_layers\": 21"));
  has(number,
      "config.json:4:50: error: danlu has no model in which 21 of 28 layers (0 to 20) see "
      "everything and the others a window (max_window_layers 21)");
  has(number, hint);
  has(complaint(qwen2("qwen3", 36, ",\n\"use_sliding_window\": true")),
      "config.json:4:23: error: danlu has no model in which 28 of 36 layers (0 to 27) see "
      "everything and the others a window (max_window_layers 28 by its class)");
  has(complaint(gemma3(layer_types("0101"))), "'layer_types' has 4 layers, the model has 6");
  has(complaint(gemma3(R"(, "layer_types": ["linear_attention"])")),
      "danlu has no model with a layer of 'linear_attention'");
  has(complaint(qwen2("qwen2", 2, layer_types("01"))),
      "'layer_types' has sliding_attention, and the file no window");
  // Beside the file one says what comes nearest.
  const std::string three = gemma3(layer_types("111000"));
  EXPECT_EQ(scenario_of(three, {"model.global_every=2"}).workload.model.global_every, 2);
  EXPECT_EQ(scenario_of(three, {"model.window=0"}).workload.model.window, 0);
}

// ---- Which layers have experts.

TEST(HuggingFace, ListsOfLayersWithExpertsAreEachSoManieth) {
  const auto experts = [](const std::string& config) {
    return scenario_of(config).workload.model.experts;
  };
  const ExpertsSpec first = experts(qwen2("qwen3_moe", 8, R"(, "mlp_only_layers": [0, 1, 2])"));
  EXPECT_EQ(first.dense_layers, 3);
  EXPECT_EQ(first.every, 1);
  const ExpertsSpec even =
      experts(qwen2("qwen2_moe", 8, R"(, "mlp_only_layers": [1], "decoder_sparse_step": 2)"));
  EXPECT_EQ(even.dense_layers, 3);
  EXPECT_EQ(even.every, 2);
  const auto maverick = [](const std::string& layers) {
    return R"({"model_type": "llama4", "text_config": {"model_type": "llama4_text",
               "num_hidden_layers": 6, "moe_layers": )" +
           layers + "}}";
  };
  EXPECT_EQ(experts(maverick("[1, 3, 5]")).every, 2);
  EXPECT_EQ(experts(maverick("[0, 1, 2, 3, 4, 5]")).every, 1);
  EXPECT_EQ(experts(maverick("null")).every, 1);
  const std::string none = complaint(maverick("[0, 3]"));
  EXPECT_NE(none.find("error: danlu has no model with experts in 2 of 6 layers (0, 3) "
                      "(text_config.moe_layers)"),
            std::string::npos)
      << none;
  EXPECT_NE(complaint(maverick("[6]")).find("'text_config.moe_layers' has no layer '6'\n"),
            std::string::npos);
}

// Against trying all pairs of numbers on all sets of eight layers.
TEST(HuggingFace, EachSoManiethIsFoundWhereThereIsOne) {
  constexpr int kLayers = 8;
  const auto picks = [](int behind, int every) {
    std::vector<bool> picked(kLayers);
    for (int layer = 0; layer < kLayers; ++layer) {
      picked[static_cast<std::size_t>(layer)] = layer >= behind && (layer + 1) % every == 0;
    }
    return picked;
  };
  int found = 0;
  for (unsigned set = 1; set < 1U << kLayers; ++set) {
    std::vector<bool> picked(kLayers);
    for (unsigned layer = 0; layer < kLayers; ++layer) {
      picked[layer] = (set >> layer & 1U) != 0;
    }
    bool is_there = false;
    for (int behind = 0; behind < kLayers; ++behind) {
      for (int every = 1; every <= kLayers; ++every) {
        is_there = is_there || picks(behind, every) == picked;
      }
    }
    const std::optional<EachSoMany> each = each_so_many(picked);
    ASSERT_EQ(each.has_value(), is_there) << set;
    if (each) {
      ++found;
      EXPECT_EQ(picks(each->behind, each->every), picked) << set;
    }
  }
  EXPECT_GT(found, kLayers);
}

TEST(HuggingFace, ChunksOfAttentionAreLeftOutWithANote) {
  const auto note = [](const std::string& more) {
    const Scenario s =
        scenario_of(R"({"model_type": "llama4_text", "num_hidden_layers": 2)" + more + "}");
    for (const std::string& one : s.notes) {
      if (one.find("attention_chunk_size") == 0) {
        return one.substr(0, one.find(" of '"));
      }
    }
    return std::string();
  };
  EXPECT_EQ(note(""), "attention_chunk_size 8192");
  EXPECT_EQ(note(R"(, "attention_chunk_size": 4096,
                     "layer_types": ["chunked_attention", "full_attention"])"),
            "attention_chunk_size 4096");
  EXPECT_EQ(note(R"(, "attention_chunk_size": null)"), "");
}

// A head is 1/64 of the width that is missing here.
TEST(HuggingFace, OnlyWhatIsMissingIsSaidToBe) {
  const std::string missing = complaint(
      R"({"model_type": "llama", "num_hidden_layers": 2, "num_attention_heads": 64,
          "intermediate_size": 1024, "vocab_size": 1024})");
  EXPECT_EQ(missing.substr(missing.find("error: ")),
            "error: missing field 'hidden_size', which is hidden\n"
            "hint: or say it beside the file: model.hidden\n");
}

// ---- Defaults of the classes.

// Key-value heads of a file that has none, where 64 heads of 8,192 are said: configuration_*.py of
// transformers. Null is as many as heads.
TEST(HuggingFace, MissingHeadsAreThoseOfTheClass) {
  const std::map<std::string, int> by_class{
      {"llama", 64},     {"mistral", 8},   {"mixtral", 8},     {"qwen2", 32},  {"qwen3", 32},
      {"mimo", 32},      {"qwen2_vl", 8},  {"qwen2_moe", 16},  {"gemma", 16},  {"gemma2", 4},
      {"qwen3_moe", 4},  {"gpt_oss", 8},   {"gemma3_text", 4}, {"glm", 2},     {"glm4_moe", 8},
      {"starcoder2", 2}, {"stablelm", 32}, {"phi3", 64},       {"granite", 64}};
  for (const auto& [type, heads] : by_class) {
    const auto model = [&](const std::string& more) {
      return scenario_of(R"({"model_type": ")" + type + R"(", "num_hidden_layers": 2,
                             "hidden_size": 8192, "num_attention_heads": 64,
                             "intermediate_size": 64, "vocab_size": 64, "moe_intermediate_size": 64,
                             "num_experts_per_tok": 2)" +
                         more + "}")
          .workload.model;
    };
    EXPECT_EQ(model("").kv_heads, heads) << type;
    EXPECT_EQ(model(R"(, "num_key_value_heads": null)").kv_heads, 64) << type;
  }
}

TEST(HuggingFace, LatentAttentionHasTheDefaultsOfItsClass) {
  const auto model = [](const std::string& type, const std::string& more) {
    return scenario_of(R"({"model_type": ")" + type + R"(", "num_hidden_layers": 4,
                           "hidden_size": 1024, "num_attention_heads": 8, "intermediate_size": 4096,
                           "vocab_size": 32000, "n_routed_experts": 8, "num_experts_per_tok": 2,
                           "moe_intermediate_size": 512)" +
                       more + "}")
        .workload.model;
  };
  for (const char* type : {"deepseek_v2", "deepseek_v3", "kimi_k2"}) {
    EXPECT_EQ(model(type, "").latent.query_rank, 1536) << type;
    EXPECT_EQ(model(type, R"(, "q_lora_rank": null)").latent.query_rank, 0) << type;
    EXPECT_EQ(model(type, R"(, "n_shared_experts": null)").experts.shared_ffn, 0) << type;
  }
  EXPECT_EQ(model("deepseek_v2", "").experts.shared_ffn, 2 * 512);
  EXPECT_EQ(model("deepseek_v3", "").experts.shared_ffn, 512);
  EXPECT_EQ(model("deepseek_v2", "").experts.dense_layers, 0);
  EXPECT_EQ(model("deepseek_v3", "").experts.dense_layers, 3);
}

}  // namespace
}  // namespace danlu
