// What follows for the model from several settings of Megatron-core.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/text.hpp"
#include "sim/import/halves.hpp"
#include "sim/import/megatron_core.hpp"
#include "sim/scenario/huggingface_layers.hpp"

namespace danlu {
namespace core_model {  // the folder is built as one
namespace {

std::optional<long> parse_whole(std::string_view text) {
  const bool whole = !text.empty() && text.size() < 10 &&
                     text.find_first_not_of("0123456789") == std::string_view::npos;
  return whole ? std::optional(std::stol(std::string(text))) : std::nullopt;
}

/// The 0 and 1 of "[0, 1, 1]", "([0]*3+[1]*58)" and their sums; empty where it is neither.
std::vector<bool> layers_of(std::string text) {
  constexpr std::size_t kMost = 100000;
  std::erase_if(text, [](char letter) {
    return std::string_view(" '\"()").find(letter) != std::string_view::npos;
  });
  std::vector<bool> layers;
  for (const std::string_view term : split(text, '+')) {
    const std::size_t end = term.find(']');
    if (!term.starts_with('[') || end == std::string_view::npos) {
      return {};
    }
    std::vector<bool> once;
    for (const std::string_view layer : split(term.substr(1, end - 1), ',')) {
      if (layer != "0" && layer != "1") {
        return {};
      }
      once.push_back(layer == "1");
    }
    const std::string_view rest = term.substr(end + 1);
    const std::optional<long> times = rest.empty()            ? std::optional(1L)
                                      : rest.starts_with('*') ? parse_whole(rest.substr(1))
                                                              : std::nullopt;
    if (!times || layers.size() + static_cast<std::size_t>(*times) * once.size() > kMost) {
      return {};
    }
    for (long i = 0; i < *times; ++i) {
      layers.insert(layers.end(), once.begin(), once.end());
    }
  }
  return layers;
}

void take_latent_attention(Draft& draft, const CoreFramework& framework) {
  const GivenFlag* from = draft.given("--multi-latent-attention|model.multi_latent_attention");
  const auto put = [&](std::string_view key, std::string_view flag, long without) {
    const GivenFlag* given = draft.given(flag);
    if (given == nullptr && draft.mentioned(flag) != nullptr) {  // null: there is none
      draft.set(key, "0", draft.mentioned(flag));
    } else {
      draft.set(key, std::to_string(draft.whole(flag).value_or(without)),
                given != nullptr ? given : from);
    }
  };
  draft.forget("model.head_dim");
  draft.forget("model.kv_heads");
  draft.forget("model.qk_norm");  // of the latents, which latent attention has anyway
  put("model.head_dim", "--qk-head-dim|model.qk_head_dim", 128);
  put("model.value_dim", "--v-head-dim|model.v_head_dim", 128);
  put("model.latent.query_rank", "--q-lora-rank|model.q_lora_rank", framework.query_rank);
  put("model.latent.kv_rank", "--kv-lora-rank|model.kv_lora_rank", framework.kv_rank);
  put("model.latent.rotary_dim", "--qk-pos-emb-head-dim|model.qk_pos_emb_head_dim", 64);
}

void take_biases(Draft& draft) {
  constexpr std::string_view kNone = "--disable-bias-linear";
  constexpr std::string_view kBias = "model.bias|model.add_bias_linear|model.encoder.bias";
  constexpr std::string_view kQkv = "--add-qkv-bias|model.add_qkv_bias|model.qkv_bias";
  const GivenFlag* says = draft.given(kBias);
  if (draft.on(kNone) || (says != nullptr && !draft.on(kBias))) {
    const bool qkv = draft.on(kQkv);
    draft.set("model.biases", qkv ? "[qkv]" : "false",
              qkv               ? draft.given(kQkv)
              : says != nullptr ? says
                                : draft.given(kNone));
  } else if (says != nullptr) {
    draft.set("model.biases", "true", says);
  }
}

void take_window(Draft& draft) {
  const GivenFlag* window = draft.given("--window-size|model.window_size");
  const std::vector<std::string_view> sizes =
      words_of(window != nullptr ? std::string_view(window->value) : "");
  const std::optional<long> before = sizes.empty() ? std::nullopt : parse_whole(sizes.front());
  if (!before) {  // -1: all of them
    return;
  }
  draft.set("model.window", std::to_string(*before + 1), window);
  const GivenFlag* skips = draft.given("--window-attn-skip-freq|model.window_attn_skip_freq");
  if (skips == nullptr) {
    return;
  }
  std::vector<bool> sees_all = layers_of(skips->value);
  sees_all.flip();
  const bool some = std::find(sees_all.begin(), sees_all.end(), true) != sees_all.end();
  const std::optional<EachSoMany> each = some ? each_so_many(sees_all) : std::nullopt;
  if (const std::optional<long> every = parse_whole(skips->value)) {
    draft.set("model.global_every", std::to_string(*every), skips);
  } else if (each == EachSoMany{0, 1}) {
    draft.forget("model.window");
    draft.no_effect(*skips, "no layer has the window");
  } else if (each && each->behind == 0) {
    draft.set("model.global_every", std::to_string(each->every), skips);
  } else if (some || sees_all.empty()) {
    draft.not_used(*skips, "danlu knows models of which each so-manieth layer sees everything");
  }
}

constexpr std::string_view kPositionType =
    "--position-embedding-type|model.position_embedding_type|"
    "model.encoder.position_embedding_type";

void take_positions(Draft& draft, const CoreFramework& framework) {
  const GivenFlag* type = draft.given(kPositionType);
  const GivenFlag* without =
      draft.given("--use-rotary-position-embeddings|--no-position-embedding");
  constexpr std::string_view kRows = "--max-position-embeddings|model.max_position_embeddings";
  if (type != nullptr && !type->value.starts_with("learned")) {
    draft.set("model.positions", "0", type);
    if (type->value == "relative") {
      constexpr std::string_view kBuckets =
          "--relative-attention-num-buckets|model.encoder.relative_attention_num_buckets";
      const GivenFlag* buckets = draft.given(kBuckets);
      draft.set("model.relative_positions", std::to_string(draft.whole(kBuckets).value_or(32)),
                buckets != nullptr ? buckets : type);
    }
  } else if (without != nullptr) {
    draft.set("model.positions", "0", without);
  } else if (const std::optional<long> rows = draft.whole(kRows)) {
    draft.set("model.positions", std::to_string(*rows), draft.given(kRows),
              fmt::format("learned positions are {}'s default", framework.name));
  }
}

void take_vocabulary(Draft& draft, const CoreFramework& framework) {
  constexpr std::string_view kWords = "--padded-vocab-size|--vocab-size|model.vocab_size";
  constexpr std::string_view kPads = "model.should_pad_vocab";
  const GivenFlag* tokenizer = draft.given("--tokenizer-type|model.tokenizer.type");
  const GivenFlag* from = draft.given(kWords);
  std::optional<long> vocab = draft.whole(kWords);
  const bool gpt2 = tokenizer != nullptr ? tokenizer->value == "GPT2BPETokenizer"
                                         : draft.mentioned("--merge-file") != nullptr;
  if (!vocab && gpt2) {
    constexpr long kGpt2 = 50257;
    vocab = kGpt2;
    from = tokenizer != nullptr ? tokenizer : draft.mentioned("--merge-file");
  }
  if (!vocab) {
    draft.fill_in(
        "model.vocab",
        tokenizer != nullptr
            ? fmt::format("the vocabulary of tokenizer {} is in another file", tokenizer->value)
            : "the tokenizer's vocabulary is in another file");
    return;
  }
  if (!(draft.given(kPads) != nullptr ? draft.on(kPads) : framework.pads_vocab)) {
    draft.set("model.vocab", std::to_string(*vocab), from);
    return;
  }
  constexpr std::string_view kMultiple =
      "--make-vocab-size-divisible-by|model.make_vocab_size_divisible_by";
  const long multiple = draft.whole(kMultiple).value_or(128);
  if (multiple < 1) {
    const GivenFlag& flag = *draft.given(kMultiple);
    throw InputError(
        flag.problem(fmt::format("'{}' must be at least 1, found {}", flag.name, quote(flag.value)),
                     "128 without it"));
  }
  const long whole = multiple * std::max(1L, draft.count("parallelism.tensor"));
  draft.set("model.vocab", std::to_string((*vocab + whole - 1) / whole * whole), from,
            fmt::format("{} words padded to a multiple of {}", *vocab, whole));
}

void take_layers_with_experts(Draft& draft) {
  const GivenFlag* given = draft.given("--moe-layer-freq|model.moe_layer_freq");
  if (given == nullptr) {
    return;
  }
  const std::vector<bool> layers = layers_of(given->value);
  const bool any = std::find(layers.begin(), layers.end(), true) != layers.end();
  const std::optional<EachSoMany> each = any ? each_so_many(layers) : std::nullopt;
  if (const std::optional<long> every = parse_whole(given->value)) {
    draft.set("model.experts.every", std::to_string(*every), given);
  } else if (each) {
    draft.set("model.experts.dense_layers", std::to_string(each->behind), given);
    draft.set("model.experts.every", std::to_string(each->every), given);
  } else {
    draft.not_used(*given,
                   "danlu knows a number, and experts in each so-manieth layer behind some first "
                   "ones");
  }
}

void take_experts(Draft& draft, const CoreFramework& framework) {
  constexpr std::string_view kExperts = "--num-experts|model.num_moe_experts";
  if (!may_have_experts(draft)) {
    for (const char* key : {"model.experts.count", "model.experts.per_token", "model.experts.ffn",
                            "model.experts.shared_ffn", "model.experts.shared_gate"}) {
      draft.forget(key);  // whole dumps of a configuration have them for dense models, too
    }
    return;
  }
  const GivenFlag* experts = draft.mentioned(kExperts);
  if (!draft.has("model.experts.per_token")) {
    draft.set("model.experts.per_token", "2",
              fmt::format("{}'s default of moe_router_topk", framework.name));
  }
  if (experts != nullptr && !draft.has("model.experts.ffn") && draft.count("model.ffn") > 0) {
    draft.set("model.experts.ffn", std::to_string(draft.count("model.ffn")), experts,
              "as wide as ffn_hidden_size");
  }
  take_layers_with_experts(draft);
}

}  // namespace
}  // namespace core_model

bool may_have_experts(const Draft& draft) {
  constexpr const char* kCount = "model.experts.count";
  return draft.is_gap(kCount) || draft.count(kCount) > 0;
}

bool has_rotary_positions(const Draft& draft) {
  const GivenFlag* type = draft.given(core_model::kPositionType);
  return !draft.options().model.empty() ||
         (type != nullptr ? type->value.ends_with("rope") || type->value == "yarn"
                          : draft.on("--use-rotary-position-embeddings"));
}

void take_core_model(Draft& draft, const CoreFramework& framework) {
  if (draft.on("--multi-latent-attention|model.multi_latent_attention")) {
    core_model::take_latent_attention(draft, framework);
  }
  core_model::take_biases(draft);
  core_model::take_window(draft);
  core_model::take_positions(draft, framework);
  core_model::take_vocabulary(draft, framework);
  core_model::take_experts(draft, framework);
  join_halves(draft);
}

}  // namespace danlu
