#include "sim/import/torchtitan_precision.hpp"

#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "sim/scenario/resolve.hpp"

namespace danlu {
namespace titan_precision {  // the folder is built as one
namespace {

/// Whether the model has experts, where its preset or the plan says it.
std::optional<bool> has_experts(const Draft& draft) {
  const std::string_view preset =
      draft.options().model.empty() ? draft.at("model.preset") : draft.options().model;
  const std::optional<bool> says = preset_has_experts(preset);
  return !says && draft.count("parallelism.expert") > 1 ? std::optional(true) : says;
}

constexpr std::string_view kNarrowGather =
    "quantize.linear.float8.enable_fsdp_float8_all_gather|float8.enable_fsdp_float8_all_gather";

/// What of the model its converters make narrow.
struct Converted {
  bool linear = false, experts = false;
};

/// danlu has one precision for all products of layers: a converter of linear layers alone leaves
/// experts, one of experts (grouped_mm) all others wide.
void take_converted(Draft& draft, const Converted& of, std::string_view precision,
                    const GivenFlag& from) {
  const std::optional<bool> experts = has_experts(draft);
  if (of.linear && (of.experts || !experts.value_or(false))) {
    draft.set("training.precision", std::string(precision), &from);
    if (!of.experts && !experts) {
      draft.remark(
          fmt::format("{}: it makes linear layers {} and leaves experts in 16 bits: if "
                      "the model has some, set training.precision bf16",
                      from.place(), precision));
    }
  } else if (of.linear || of.experts) {
    draft.not_used(from, fmt::format("it makes {} {} and leaves {}: danlu has one precision for "
                                     "all, and takes 16 bits",
                                     of.linear ? "linear layers" : "experts", precision,
                                     of.linear ? "experts in 16 bits" : "all else in 16 bits"));
  }
}

}  // namespace
}  // namespace titan_precision

void finish_titan_precision(Draft& draft) {
  constexpr std::string_view kSwitch = "float8.enable_float8_linear";
  const GivenFlag* converters = draft.given("model.converters");
  using titan_precision::Converted;
  const auto words_in = [&](std::string_view flag) {
    const GivenFlag* given = draft.given(flag);
    return words_of(given != nullptr ? std::string_view(given->value) : "");
  };
  Converted float8{.linear = draft.on(kSwitch)};
  Converted mx;
  for (const std::string_view name : words_in("model.converters")) {
    if (name == "float8" || name == "quantize.linear.float8") {
      float8.linear = true;
    } else if (name == "quantize.grouped_mm.float8") {
      float8.experts = !words_in("quantize.grouped_mm.float8.fqns").empty();
    } else if (name == "mx" || name == "quantize.linear.mx") {
      mx.linear = true;
    } else if (name == "quantize.grouped_mm.mx") {
      mx.experts = !words_in("quantize.grouped_mm.mx.fqns").empty();
    } else {
      draft.not_used(*converters, fmt::format("danlu does not know the converter {}", name));
    }
  }
  const GivenFlag* from = converters != nullptr ? converters : draft.given(kSwitch);
  if (from != nullptr) {
    titan_precision::take_converted(draft, float8, "fp8", *from);
    titan_precision::take_converted(draft, mx, "mxfp8", *from);
  }
  const bool narrow = draft.at("training.precision") == "fp8";
  if (draft.on(titan_precision::kNarrowGather) && !float8.linear) {
    draft.no_effect(*draft.given(titan_precision::kNarrowGather), "nothing is converted to float8");
  }
  if (narrow) {
    const GivenFlag* recipe = draft.given("quantize.linear.float8.recipe_name|float8.recipe_name");
    draft.set("training.fp8_recipe", "tensorwise",
              recipe != nullptr ? recipe->place() : "torchtitan's default");
    if (draft.on(titan_precision::kNarrowGather) && draft.has("parallelism.sharding.copy")) {
      draft.set("parallelism.sharding.gather_width", "8bit",
                draft.given(titan_precision::kNarrowGather));
    }
  }
  if (const GivenFlag* dtype = draft.given("training.dtype");
      dtype != nullptr && dtype->value == "bfloat16") {
    draft.set("training.optimizer.master", "false", dtype);
    draft.set("training.optimizer.state_width", "16bit", dtype);
    draft.set("training.gradients", "16bit", dtype);
  }
}

}  // namespace danlu
