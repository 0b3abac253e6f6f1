#include "sim/import/megatron_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/text.hpp"
#include "sim/import/halves.hpp"

namespace danlu {
namespace megatron {  // the folder is built as one
namespace {

std::optional<long> parse_whole(std::string_view text) {
  const bool whole = !text.empty() && text.size() < 10 &&
                     text.find_first_not_of("0123456789") == std::string_view::npos;
  return whole ? std::optional(std::stol(std::string(text))) : std::nullopt;
}

void finish_attention(Draft& draft) {
  if (draft.on("--multi-latent-attention")) {
    const GivenFlag* from = draft.given("--multi-latent-attention");
    const auto put = [&](std::string_view key, std::string_view flag, long fallback) {
      draft.set(key, std::to_string(draft.whole(flag).value_or(fallback)),
                draft.given(flag) != nullptr ? draft.given(flag) : from);
    };
    draft.forget("model.head_dim");
    draft.forget("model.qk_norm");  // of the latents, which latent attention has anyway
    put("model.head_dim", "--qk-head-dim", 128);
    put("model.value_dim", "--v-head-dim", 128);
    put("model.latent.query_rank", "--q-lora-rank", 0);
    put("model.latent.kv_rank", "--kv-lora-rank", 512);
    put("model.latent.rotary_dim", "--qk-pos-emb-head-dim", 64);
  } else if (const GivenFlag* grouped = draft.given("--group-query-attention")) {
    draft.set("model.kv_heads", std::to_string(draft.whole("--num-query-groups").value_or(1)),
              grouped, "--num-query-groups");
  }
  if (const GivenFlag* bias = draft.given("--add-qkv-bias");
      bias != nullptr && draft.on("--disable-bias-linear")) {
    draft.set("model.biases", "[qkv]", bias);
  } else if (draft.on("--disable-bias-linear")) {
    draft.set("model.biases", "false", draft.given("--disable-bias-linear"));
  }
}

void finish_positions(Draft& draft) {
  if (const GivenFlag* window = draft.given("--window-size")) {
    std::string left = window->value.substr(0, window->value.find(','));
    std::erase(left, '(');
    if (const std::optional<long> before = parse_whole(left)) {
      draft.set("model.window", std::to_string(*before + 1), window);
    }
  }

  const GivenFlag* type = draft.given("--position-embedding-type");
  const GivenFlag* rotary = draft.given("--use-rotary-position-embeddings|--no-position-embedding");
  if (type != nullptr && type->value != "learned_absolute") {
    draft.set("model.positions", "0", type);
    if (type->value == "relative") {
      draft.set("model.relative_positions",
                std::to_string(draft.whole("--relative-attention-num-buckets").value_or(32)), type);
    }
  } else if (rotary != nullptr) {
    draft.set("model.positions", "0", rotary);
  } else if (const std::optional<long> rows = draft.whole("--max-position-embeddings")) {
    draft.set("model.positions", std::to_string(*rows), draft.given("--max-position-embeddings"),
              "learned positions are Megatron's default");
  }
}

void finish_sizes(Draft& draft) {
  if (draft.has("model.gated_mlp") && !draft.has("model.ffn")) {
    constexpr long kMultiple = 64;
    draft.set("model.ffn",
              std::to_string(8 * draft.count("model.hidden") / 3 / kMultiple * kMultiple),
              draft.given("--swiglu"), "8/3 x hidden in multiples of 64");
  }
  const GivenFlag* words = draft.given("--padded-vocab-size|--vocab-size");
  const GivenFlag* tokenizer = draft.given("--tokenizer-type");
  std::optional<long> vocab = draft.whole("--padded-vocab-size|--vocab-size");
  const bool gpt2 = !vocab && tokenizer != nullptr
                        ? tokenizer->value == "GPT2BPETokenizer"
                        : !vocab && draft.mentioned("--merge-file") != nullptr;
  if (gpt2) {
    constexpr long kGpt2 = 50257;
    vocab = kGpt2;
    words = tokenizer != nullptr ? tokenizer : draft.mentioned("--merge-file");
  }
  if (!vocab) {
    draft.fill_in("model.vocab", "the tokenizer's vocabulary is in another file");
    return;
  }
  const long whole = draft.whole("--make-vocab-size-divisible-by").value_or(128) *
                     std::max(1L, draft.count("parallelism.tensor"));
  draft.set("model.vocab", std::to_string((*vocab + whole - 1) / whole * whole), words,
            fmt::format("{} words padded to a multiple of {}", *vocab, whole));
}

/// How many dense layers "([0]*3+[1]*58)" has, which must come first.
std::optional<long> dense_first(std::string text) {
  std::erase_if(text, [](char letter) {
    return std::string_view(" '\"()").find(letter) != std::string_view::npos;
  });
  long dense = 0;
  bool experts = false;
  for (const std::string_view term : split(text, '+')) {
    const bool sparse = term.starts_with("[1]");
    if ((!sparse && !term.starts_with("[0]")) || (experts && !sparse)) {
      return std::nullopt;
    }
    const std::optional<long> times =
        term.size() == 3 ? std::optional(1L)
                         : parse_whole(term.substr(std::min<std::size_t>(4, term.size())));
    if (!times) {
      return std::nullopt;
    }
    experts = experts || sparse;
    dense += sparse ? 0 : *times;
  }
  return dense;
}

void finish_experts(Draft& draft) {
  if (!draft.on("--num-experts")) {
    return;
  }
  const GivenFlag* experts = draft.given("--num-experts");
  if (draft.given("--moe-router-topk") == nullptr) {
    draft.set("model.experts.per_token", "2", "Megatron's default of --moe-router-topk");
  }
  if (draft.given("--moe-ffn-hidden-size") == nullptr && draft.count("model.ffn") > 0) {
    draft.set("model.experts.ffn", std::to_string(draft.count("model.ffn")), experts,
              "as wide as --ffn-hidden-size");
  }
  if (draft.given("--expert-tensor-parallel-size") == nullptr &&
      draft.count("parallelism.tensor") > 1) {
    draft.set("parallelism.expert_tensor", std::to_string(draft.count("parallelism.tensor")),
              "Megatron's default: as many as --tensor-model-parallel-size");
  }
  if (const GivenFlag* beside = draft.given("--moe-shared-expert-overlap");
      beside != nullptr && draft.count("parallelism.expert") <= 1) {
    draft.forget("parallelism.overlap.shared_experts");
    draft.not_used(*beside, "there is nothing to run beside without --expert-model-parallel-size");
  }
  const GivenFlag* frequency = draft.given("--moe-layer-freq");
  if (frequency == nullptr) {
    return;
  }
  if (const std::optional<long> each = parse_whole(frequency->value)) {
    draft.set("model.experts.every", std::to_string(*each), frequency);
  } else if (const std::optional<long> dense = dense_first(frequency->value)) {
    draft.set("model.experts.dense_layers", std::to_string(*dense), frequency);
  } else {
    draft.not_used(*frequency, "danlu knows a number, and ([0]*dense+[1]*others)");
  }
}

}  // namespace
}  // namespace megatron

void finish_megatron_model(Draft& draft) {
  megatron::finish_attention(draft);
  megatron::finish_positions(draft);
  megatron::finish_sizes(draft);
  megatron::finish_experts(draft);
  join_halves(draft, {.encoder_layers = "--encoder-num-layers|--num-layers",
                      .decoder_layers = "--decoder-num-layers",
                      .decoder_length = "--decoder-seq-length",
                      .split = "--pipeline-model-parallel-split-rank",
                      .more_stages = "--encoder-pipeline-model-parallel-size"});
}

}  // namespace danlu
