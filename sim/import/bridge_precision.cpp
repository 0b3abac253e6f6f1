#include "sim/import/bridge_precision.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "sim/base/text.hpp"
#include "sim/import/megatron_core.hpp"

namespace danlu {
namespace bridge {  // the folder is built as one
namespace {

// What a name of mixed_precision stands for (megatron/bridge/training/mixed_precision.py).
struct Recipe {
  std::string_view name;
  std::string_view precision;
  std::string_view scales;     // training.fp8_recipe
  bool narrow_weights = true;  // parameters are gathered as narrow as products are
  int first = 0, last = 0;     // layers in bf16
};
constexpr auto kRecipes = std::to_array<Recipe>({
    {"bf16_mixed", "bf16", "", false},
    {"fp16_mixed", "fp16", "", false},
    {"bf16_with_fp8_delayed_scaling_mixed", "fp8", "delayed"},
    {"fp16_with_fp8_delayed_scaling_mixed", "fp8", "delayed"},
    {"bf16_with_mxfp8_mixed", "mxfp8", ""},
    {"fp16_with_mxfp8_mixed", "mxfp8", ""},
    {"bf16_with_fp8_current_scaling_mixed", "fp8", "tensorwise", true, 1, 1},
    {"fp16_with_fp8_current_scaling_mixed", "fp8", "tensorwise", true, 1, 1},
    {"nemotron_h_bf16_with_fp8_current_scaling_mixed", "fp8", "tensorwise", true, 2, 2},
    {"nanov2_bf16_with_fp8_current_scaling_mixed", "fp8", "blockwise", true, 2, 2},
    {"bf16_with_fp8_subchannel_scaling_mixed", "fp8", "blockwise", false},
    {"fp16_with_fp8_subchannel_scaling_mixed", "fp8", "blockwise", false},
    {"bf16_with_nvfp4_mixed", "fp4", ""},
});

/// What the model says, over which mixed precision lies.
void take_model_precision(Draft& draft) {
  if (draft.on("model.bf16") && draft.on("model.fp16")) {  // TransformerConfig.__post_init__
    throw InputError(draft.given("model.fp16")
                         ->problem("both model.bf16 and model.fp16 are true",
                                   "Megatron-core refuses such a model"));
  }
  const GivenFlag* recipe = draft.given("model.fp8_recipe");
  if (draft.says("model.fp8")) {
    const bool mx = recipe != nullptr && recipe->value == "mxfp8";
    draft.forget("training.precision");
    set_fp8(draft, *draft.given("model.fp8"), mx ? recipe : nullptr);
    if (!mx && recipe != nullptr) {
      draft.set("training.fp8_recipe", recipe->value, recipe);
    }
  } else if (!draft.has("training.precision")) {
    if (const GivenFlag* half = draft.first_on("model.bf16|model.fp16")) {
      draft.set("training.precision", half->name.substr(half->name.find('.') + 1), half);
    }
  }
}

/// Of a file that writes Megatron-Bridge's mixed precision out.
void take_written_precision(Draft& draft) {
  const GivenFlag* recipe = draft.first_that_says("mixed_precision.fp8_recipe");
  if (const GivenFlag* fp8 = draft.first_that_says("mixed_precision.fp8")) {
    const bool mx = recipe != nullptr && recipe->value == "mxfp8";
    set_fp8(draft, *fp8, mx ? recipe : nullptr);
    if (!mx) {
      draft.set("training.fp8_recipe", recipe != nullptr ? recipe->value : "tensorwise",
                recipe != nullptr ? recipe : fp8,
                recipe != nullptr ? "" : "Megatron-Bridge's default of fp8_recipe");
    }
  } else if (const GivenFlag* fp4 = draft.first_that_says("mixed_precision.fp4")) {
    draft.set("training.precision", "fp4", fp4);
  } else if (const GivenFlag* half = draft.first_on("mixed_precision.bf16|mixed_precision.fp16")) {
    draft.set("training.precision", half->name.substr(half->name.find('.') + 1), half);
  }
  for (const auto& [key, flag] :
       {std::pair("training.wide_first_layers", "mixed_precision.num_layers_at_start_in_bf16"),
        std::pair("training.wide_last_layers", "mixed_precision.num_layers_at_end_in_bf16")}) {
    constexpr std::string_view kEnds = "mixed_precision.first_last_layers_bf16";
    if (draft.on(kEnds) && draft.whole(flag).value_or(0) > 0) {
      draft.set(key, std::to_string(*draft.whole(flag)), draft.given(flag),
                fmt::format("with {}", draft.given(kEnds)->place()));
    }
  }
}

/// Megatron-Bridge's mixed precision by the name of a recipe.
void take_recipe(Draft& draft, const GivenFlag& from) {
  std::string name = from.value;
  std::replace(name.begin(), name.end(), '-', '_');
  const auto* const recipe = std::find_if(kRecipes.begin(), kRecipes.end(),
                                          [&](const Recipe& one) { return one.name == name; });
  if (recipe == kRecipes.end()) {
    draft.not_used(from, fmt::format("danlu does not know its value '{}'", shown(from.value)));
    return;
  }
  draft.set("training.precision", std::string(recipe->precision), &from);
  if (!recipe->scales.empty()) {
    draft.set("training.fp8_recipe", std::string(recipe->scales), &from);
  }
  if (recipe->narrow_weights) {
    draft.set("training.narrow_weights", "only", &from);
  }
  for (const auto& [key, layers] : {std::pair("training.wide_first_layers", recipe->first),
                                    std::pair("training.wide_last_layers", recipe->last)}) {
    if (layers > 0) {
      draft.set(key, std::to_string(layers), &from);
    }
  }
}

/// Mixed precision lies over ddp in Megatron-Bridge, whether it is named or written out.
void finish_gradients(Draft& draft, const GivenFlag* recipe) {
  const GivenFlag* own = draft.given("mixed_precision.grad_reduce_in_fp32");
  const GivenFlag* section = draft.given("mixed_precision.*");
  const GivenFlag* ddp = draft.given("ddp.grad_reduce_in_fp32");
  const bool ddp_wide = ddp != nullptr && draft.on(ddp->name);
  if (own == nullptr && recipe == nullptr && section == nullptr) {
    if (ddp != nullptr) {
      draft.set("training.gradients", ddp_wide ? "fp32" : "16bit", ddp);
    }
    return;
  }
  const bool wide = own != nullptr ? draft.on(own->name)
                                   : recipe == nullptr || !recipe->value.starts_with("fp16");
  draft.set("training.gradients", wide ? "fp32" : "16bit",
            own != nullptr ? own->place()
            : recipe != nullptr
                ? fmt::format("{}: grad_reduce_in_fp32 {} by it", recipe->place(), wide)
                : "Megatron-Bridge's default of mixed_precision.grad_reduce_in_fp32");
  if (ddp != nullptr && ddp_wide != wide) {
    draft.not_used(*ddp, fmt::format("mixed_precision, which Megatron-Bridge lays over ddp, has "
                                     "grad_reduce_in_fp32 {}; write it there",
                                     wide));
  }
}

}  // namespace
}  // namespace bridge

void finish_bridge_precision(Draft& draft) {
  bridge::take_model_precision(draft);
  const GivenFlag* recipe = draft.given("mixed_precision");
  if (recipe != nullptr) {
    bridge::take_recipe(draft, *recipe);
  } else {
    bridge::take_written_precision(draft);
  }
  bridge::finish_gradients(draft, recipe);
  constexpr std::string_view kNarrow =
      "mixed_precision.fp8_param_gather|mixed_precision.fp8_param|"
      "mixed_precision.fp4_param_gather|mixed_precision.fp4_param";
  const GivenFlag* narrow = draft.first_on(
      draft.given(kNarrow) != nullptr ? kNarrow  // which lies over the others
                                      : "ddp.fp8_param_gather|model.fp8_params|model.fp8_param");
  if (narrow != nullptr && recipe == nullptr) {
    draft.set("training.narrow_weights", "only", narrow);
  }
  if (draft.count("parallelism.zero") == 3 && draft.has("training.narrow_weights")) {
    draft.forget("training.narrow_weights");  // shards are gathered before each pass
    draft.set("parallelism.sharding.gather_width", "8bit", "parameters are gathered as narrow");
  }
}

}  // namespace danlu
