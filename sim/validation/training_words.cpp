#include "sim/validation/training_words.hpp"

#include <algorithm>
#include <array>
#include <regex>
#include <span>
#include <string>
#include <vector>

#include "sim/base/units.hpp"
#include "sim/validation/columns.hpp"

namespace danlu {
namespace {

using Words = std::span<const std::string_view>;

bool has_one(std::string_view text, Words words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return text.find(word) != std::string_view::npos;
  });
}
bool starts_with_one(std::string_view text, Words words) {
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return text.starts_with(word); });
}

constexpr std::array<std::string_view, 6> kUnfused{"unfused",  "naive", "no flash",
                                                   "no_flash", "eager", "math"};
constexpr std::array<std::string_view, 13> kFused{"flash",
                                                  "cudnn",
                                                  "transformerengine",
                                                  "transformer engine",
                                                  "sdpa",
                                                  "scaled_dot_product",
                                                  "xformers",
                                                  "fused",
                                                  "flex",
                                                  "splash",
                                                  "triton",
                                                  "efficient",
                                                  "aiter"};
constexpr std::array<std::string_view, 2> kBf16{"bf16", "bfloat16"};
constexpr std::array<std::string_view, 2> kFp8{"fp8", "float8"};
constexpr std::array<std::string_view, 5> kOtherFormats{"fp32", "float32", "fp64", "int8", "int4"};
constexpr std::array<std::string_view, 4> kNothing{"none", "no", "false", "0"};
constexpr std::array<std::string_view, 6> kOtherRecompute{"selective", "minimal", "partial",
                                                          "block",     "uniform", "custom"};
constexpr std::array<std::string_view, 2> kOffload{"gemini", "offload"};
constexpr std::array<std::string_view, 3> kFsdp{"fsdp", "hsdp", "full_shard"};
constexpr std::array<std::string_view, 3> kZero3{"zero-3", "zero3", "zero 3"};
constexpr std::array<std::string_view, 4> kZero2{"zero-2", "zero2", "zero 2", "reduce_scatter"};
constexpr std::array<std::string_view, 4> kZero1{"zero-1", "zero1", "zero 1",
                                                 "distributed optimizer"};
constexpr std::array<std::string_view, 3> kZero0{"zero-0", "zero0", "zero 0"};

bool is_one(std::string_view text, Words words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

/// "moe_act,layernorm", "layernorm+whole moe" or "moe norm": parts by Megatron-LM's names; none if
/// one is of another kind.
std::optional<std::vector<RecomputePart>> parts_of(std::string_view list) {
  static const std::regex between("[ ,+]+");
  const std::string text(list);
  std::vector<RecomputePart> parts;
  for (std::sregex_token_iterator word(text.begin(), text.end(), between, -1), end; word != end;
       ++word) {
    const bool is_norm = *word == "norm" || *word == "norms" || *word == "rmsnorm";
    const std::optional<RecomputePart> part =
        is_norm ? RecomputePart::LayerNorm : value_named<RecomputePart>(word->str());
    if (!part && word->length() > 0 && *word != "whole") {
      return std::nullopt;
    }
    if (part) {
      parts.push_back(*part);
    }
  }
  return parts.empty() ? std::nullopt : std::optional(parts);
}

/// Behind "selective": by operator, or so many of the layers whole.
std::optional<RecomputeWords> selection_of(std::string_view text) {
  static const std::regex by_operator("\\b(op|ops|operator|operators)\\b");
  static const std::regex every("every (other|([0-9]{1,3})(st|nd|rd|th)?) (layer|block)s?");
  static const std::regex one_of("\\b1/([0-9]{1,3})\\b|\\(([0-9]{1,3})\\)");
  static const std::regex so_many("([0-9]{1,3}) of ([0-9]{1,3}) layers");
  const std::string words(text);
  std::smatch found;
  if (std::regex_search(words, by_operator)) {
    return RecomputeWords{.kind = Recompute::Alternate};
  }
  if (std::regex_search(words, found, so_many)) {
    const double share = std::stod(found[1]) / std::max(1.0, std::stod(found[2]));
    return share <= 1 ? std::optional(RecomputeWords{.kind = Recompute::Full, .share = share})
                      : std::nullopt;
  }
  double each = 0;
  if (std::regex_search(words, found, every)) {
    each = found[1] == "other" ? 2 : std::stod(found[2]);
  } else if (std::regex_search(words, found, one_of)) {
    each = std::stod(found[1].matched ? found[1] : found[2]);
  }
  return each >= 1 ? std::optional(RecomputeWords{.kind = Recompute::Full, .share = 1 / each})
                   : std::nullopt;
}

}  // namespace

std::string month_of(std::string_view date) {
  static const std::regex range("20[0-9]{2}-(1[3-9]|[2-9][0-9])");  // no month
  static const std::regex years("([0-9]{4})(-(0[1-9]|1[0-2])(?![0-9]).*|.*)");
  static const std::regex container("([0-9]{2})\\.([0-9]{2}).*");
  std::match_results<std::string_view::const_iterator> found;
  if (std::regex_match(date.begin(), date.end(), found, range)) {
    return "20" + found[1].str();
  }
  if (std::regex_match(date.begin(), date.end(), found, years)) {
    return found[3].matched ? found[1].str() + "-" + found[3].str() : found[1].str();
  }
  if (std::regex_match(date.begin(), date.end(), found, container)) {
    return "20" + found[1].str() + "-" + found[2].str();
  }
  return "";
}

int year_of(std::string_view date) {
  constexpr std::size_t kDigits = 4;
  return static_cast<int>(parse_number(month_of(date).substr(0, kDigits)).value_or(0));
}

std::optional<bool> unfused_attention(std::string_view text) {
  constexpr std::array<std::string_view, 3> kTransformerEngine{"te/", "te ", "te-"};
  if (has_one(text, kUnfused)) {
    return true;
  }
  const bool fused =
      has_one(text, kFused) || text == "te" || starts_with_one(text, kTransformerEngine);
  return fused ? std::optional(false) : std::nullopt;
}

std::optional<NumberFormat> number_format(std::string_view text) {
  const bool bf16 = has_one(text, kBf16);
  const bool float16 = text.find("float16") != std::string_view::npos &&
                       text.find("bfloat16") == std::string_view::npos;
  const NumberFormat format{.fp4 = text.find("fp4") != std::string_view::npos,
                            .fp8 = has_one(text, kFp8),
                            .bf16 = bf16,
                            .fp16 = text.find("fp16") != std::string_view::npos || float16 ||
                                    text == "amp" || text == "half",
                            .tf32 = text.find("tf32") != std::string_view::npos,
                            .other = has_one(text, kOtherFormats)};
  const bool known =
      format.fp4 || format.fp8 || format.bf16 || format.fp16 || format.tf32 || format.other;
  return known ? std::optional(format) : std::nullopt;
}

std::optional<RecomputeWords> recompute_words(std::string_view text) {
  if (is_one(text, kNothing) || text.starts_with("none")) {
    return RecomputeWords{};
  }
  static const std::regex whole("full(( |/|,|\\().*uniform.*|[^0-9]*)");
  if (std::regex_match(text.begin(), text.end(), whole)) {
    return RecomputeWords{.kind = Recompute::Full};
  }
  if (text == "selective") {
    return RecomputeWords{.kind = Recompute::Selective};
  }
  if (text == "minimal_flash") {
    return RecomputeWords{.kind = Recompute::Selective,
                          .parts = {RecomputePart::LayerNorm, RecomputePart::Activation}};
  }
  const std::size_t open = text.find('(');
  const std::size_t close = text.find(')');
  if (text.starts_with("selective") && open != std::string_view::npos &&
      close != std::string_view::npos && open < close) {
    if (const auto parts = parts_of(text.substr(open + 1, close - open - 1))) {
      return RecomputeWords{.kind = Recompute::Selective, .parts = *parts};
    }
  }
  if (text.starts_with("selective")) {
    if (const auto selection = selection_of(text)) {
      return selection;
    }
  }
  return starts_with_one(text, kOtherRecompute)
             ? std::optional(RecomputeWords{.is_simulated = false})
             : std::nullopt;
}

std::optional<ShardingWords> sharding_words(std::string_view text) {
  ShardingWords said;
  if (has_one(text, kOffload)) {
    said.is_simulated = false;
    return said;
  }
  std::match_results<std::string_view::const_iterator> found;
  static const std::regex part("(?:within|group|fsdp|hsdp) ([0-9]{1,6})\\b");
  if (std::regex_search(text.begin(), text.end(), found, part)) {
    said.ranks = std::stoi(found[1].str());
  }
  said.is_fsdp = has_one(text, kFsdp);
  static const std::regex node("(?:within|inside) (?:a|the|one|each) (?:single )?node");
  said.within_node = text.find("hsdp") != std::string_view::npos ||
                     text.find("hybrid") != std::string_view::npos ||
                     std::regex_search(text.begin(), text.end(), node);
  said.keeps_weights = text.find("shard_grad_op") != std::string_view::npos;
  if (said.is_fsdp || has_one(text, kZero3) || text == "3") {
    said.zero = 3;
    said.keeps_weights |= has_one(text, kZero2);  // "fsdp (zero-2)"
  } else if (has_one(text, kZero2) || text == "2") {
    said.zero = 2;
  } else if (has_one(text, kZero1) || text == "1") {
    said.zero = 1;
  } else if (!is_one(text, kNothing) && text != "dp" && text != "ddp" &&
             !text.starts_with("none ") && !has_one(text, kZero0)) {
    return std::nullopt;
  }
  return said;
}

std::optional<SequenceWord> sequence_word(std::string_view text) {
  if (text.starts_with("ulysses")) {
    return SequenceWord::Ulysses;
  }
  const std::optional<bool> flag = parse_flag(text);
  return flag ? std::optional(*flag ? SequenceWord::Yes : SequenceWord::No) : std::nullopt;
}

bool is_dispatcher(std::string_view text) {
  constexpr std::array<std::string_view, 4> kDispatchers{"alltoall", "all-to-all", "deepep",
                                                         "hybridep"};
  return is_one(text, kDispatchers);
}

}  // namespace danlu
