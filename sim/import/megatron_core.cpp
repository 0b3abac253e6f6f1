#include "sim/import/megatron_core.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/base/text.hpp"
#include "sim/scenario/frameworks.hpp"
#include "sim/scenario/keys.hpp"

namespace danlu {
namespace megatron_core {  // the folder is built as one
namespace {

bool holds(const std::vector<std::string_view>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// ---- CUDA graphs: `none` has none, `full_iteration` one for all passes, the other two some for
// each layer, of the parts that are listed.
void take_graphs(Draft& draft) {
  constexpr std::string_view kKey = "host.graphs";
  constexpr std::string_view kEngine = "--external-cuda-graph|model.external_cuda_graph";
  const GivenFlag* parts = draft.given(
      "--cuda-graph-scope|--cuda-graph-modules|model.cuda_graph_scope|model.cuda_graph_modules");
  const std::vector<std::string_view> words =
      words_of(parts != nullptr ? std::string_view(parts->value) : "");
  if (holds(words, "full_iteration")) {  // of older versions, whatever the kind is
    draft.set(kKey, "full", parts);
    return;
  }
  const GivenFlag* kind = draft.given("--cuda-graph-impl|model.cuda_graph_impl");
  if (kind == nullptr) {
    kind = draft.first_on("--enable-cuda-graph|model.enable_cuda_graph");
    kind = kind != nullptr ? kind : draft.first_on(kEngine);
  }
  if (kind == nullptr || kind->value == "none") {
    if (!words.empty()) {
      draft.no_effect(*parts, "Megatron-core has no CUDA graphs without their kind");
    }
    return;
  }
  if (kind->value == "full_iteration") {
    draft.set(kKey, "full", kind);
    return;
  }
  const bool by_engine = kind->value == "transformer_engine" || kind == draft.given(kEngine);
  const bool attention = holds(words, "attn");
  const bool routers = holds(words, "moe_router");
  const bool mlp = holds(words, "mlp") && !may_have_experts(draft);
  if (words.empty() || holds(words, "full")) {
    draft.set(kKey, "layers", parts != nullptr ? parts : kind, "of the whole layer");
  } else if (routers || (attention && mlp)) {
    draft.set(kKey, attention ? "layers" : "routers", parts);
  } else {
    draft.not_used(*parts,
                   "danlu has graphs of whole layers, of routers and of whole passes, not of these "
                   "parts alone");
    return;
  }
  if (routers && !holds(words, "moe_preprocess") && by_engine) {
    draft.remark(fmt::format("{}: danlu takes moe_preprocess into the graphs of moe_router",
                             parts->place()));
  }
}

// ---- Groups of experts, of which a token visits some: node-limited routing, where the ranks that
// share experts lie on n nodes and each group is of one node or more.
void take_expert_groups(Draft& draft) {
  constexpr std::string_view kVisited = "--moe-router-group-topk|model.moe_router_group_topk";
  const std::optional<long> groups =
      draft.whole("--moe-router-num-groups|model.moe_router_num_groups");
  const std::optional<long> visited = draft.whole(kVisited);
  if (!groups || !visited || *groups < 1 || *visited < 1) {
    return;
  }
  const GivenFlag& from = *draft.given(kVisited);
  if (draft.at("parallelism.expert_exchange") != "deepep") {
    draft.not_used(from,
                   "which nodes a token visits matters to danlu with expert_exchange deepep alone");
    return;
  }
  const long ranks = std::max(1L, draft.count("parallelism.expert")) *
                     std::max(1L, draft.count("parallelism.expert_tensor"));
  const std::optional<long> of_node = draft.whole(
      "--nproc-per-node|--num-gpus|--gpus-per-node|#SBATCH --gpus-per-node|trainer.devices");
  if (!of_node || *of_node < 1) {
    draft.set("training.experts.most_nodes", std::to_string(*visited), &from,
              fmt::format("if each of the {} groups of experts has a node to itself", *groups));
    return;
  }
  const long nodes = (ranks + *of_node - 1) / *of_node;
  const bool fits = ranks % *of_node == 0 && (nodes % *groups == 0 || *groups % nodes == 0);
  const long most = nodes > *groups ? *visited * nodes / *groups : *visited;
  if (nodes > 1 && !fits) {
    draft.not_used(from, fmt::format("{} groups of experts do not coincide with nodes: {} ranks "
                                     "share experts, {} of a node",
                                     *groups, ranks, *of_node));
  } else if (most >= nodes) {
    draft.no_effect(
        from, fmt::format("a token may visit every node that has experts: {} of {} GPUs", nodes,
                          *of_node));
  } else {
    draft.set("training.experts.most_nodes", std::to_string(most), &from,
              fmt::format("of {} nodes of {} GPUs that share experts in {} groups", nodes, *of_node,
                          *groups));
  }
}

bool is_below_16_bits(const Draft& draft) {
  const std::string_view precision = draft.at("training.precision");
  return precision == "fp8" || precision == "mxfp8" || precision == "fp4";
}

/// TransformerEngine's op fuser: norms and activations quantise what they make, and adapters' scale
/// and sums are their products' (NeMo's lora.py fuses without tensor ranks).
void take_op_fuser(Draft& draft) {
  constexpr std::string_view kFuser =
      "--use-transformer-engine-op-fuser|model.use_transformer_engine_op_fuser";
  if (!draft.on(kFuser)) {
    return;
  }
  const GivenFlag& from = *draft.given(kFuser);
  const bool adapts = draft.has("training.lora.rank") && draft.count("parallelism.tensor") <= 1;
  const bool quantises = is_below_16_bits(draft) && draft.at("training.fp8_recipe") != "blockwise";
  if (quantises) {
    draft.set("training.fused_casts", "[norm, activation]", &from);
  }
  if (adapts) {
    draft.set("training.lora.fused", "true", &from);
  }
  if (!quantises && !adapts) {
    draft.no_effect(from,
                    "no layer is below 16 bits, or in blocks of 128 values, which have passes of "
                    "their own; and no adapter's product is fused");
  }
}

/// Of which ranks largest values are, with delayed scaling.
void take_amaxes(Draft& draft) {
  const GivenFlag* reduces = draft.given("model.reduce_amax");
  const bool own = reduces != nullptr && !draft.on("model.reduce_amax");
  const GivenFlag* of_tensor = draft.first_on("--tp-only-amax-red|model.tp_only_amax_red");
  const GivenFlag* from = own ? reduces : of_tensor;
  if (from == nullptr) {
    return;
  }
  const std::string_view recipe = draft.at("training.fp8_recipe");
  if (draft.at("training.precision") == "fp8" && (recipe.empty() || recipe == "delayed")) {
    draft.set("training.fp8_amax", own ? "own" : "tensor", from);
  } else {
    draft.no_effect(*from, "no array is scaled by largest values of earlier steps");
  }
}

void take_narrow_head(Draft& draft) {
  const GivenFlag* narrow = draft.first_on("--fp8-output-proj|model.fp8_output_proj");
  if (narrow == nullptr) {
    return;
  }
  if (draft.at("training.precision") == "mxfp8") {
    draft.set("training.wide_head", "false", narrow);
  } else {
    draft.no_effect(*narrow, "Megatron-core has it with mxfp8 alone");
  }
}

void take_wide_ends(Draft& draft) {
  constexpr std::string_view kEnds = "--first-last-layers-bf16|model.first_last_layers_bf16";
  if (!draft.on(kEnds)) {
    return;
  }
  const GivenFlag& from = *draft.given(kEnds);
  if (!is_below_16_bits(draft)) {
    draft.no_effect(from, "no layer is below 16 bits");
    return;
  }
  for (const auto& [key, flag] :
       {std::pair("training.wide_first_layers",
                  "--num-layers-at-start-in-bf16|model.num_layers_at_start_in_bf16"),
        std::pair("training.wide_last_layers",
                  "--num-layers-at-end-in-bf16|model.num_layers_at_end_in_bf16")}) {
    const GivenFlag* count = draft.given(flag);
    draft.set(
        key, std::to_string(draft.whole(flag).value_or(1)), count != nullptr ? count : &from,
        count != nullptr ? fmt::format("with {}", from.place()) : "Megatron's default of 1 layer");
  }
}

std::string_view of_profile(std::string_view profile, std::string_view key) {
  const Framework* const found = find_framework(profile);
  for (const FrameworkValue& value :
       found != nullptr ? std::span(found->values) : std::span<const FrameworkValue>()) {
    if (value.key == key) {
      return value.value;
    }
  }
  return "";
}

/// What says whether an activation runs apart: of Megatron-LM's flags the one of its activation
/// (core_transformer_config_from_args), of a model by an option either.
std::string_view activation_fusion(Draft& draft) {
  constexpr std::string_view kGelu = "--no-bias-gelu-fusion", kSwiglu = "--no-bias-swiglu-fusion";
  const bool swiglu = draft.on("--swiglu");
  if (!swiglu && !draft.options().model.empty()) {
    return "--no-bias-gelu-fusion|--no-bias-swiglu-fusion|model.bias_gelu_fusion|"
           "model.bias_activation_fusion";
  }
  if (const GivenFlag* other = draft.given(swiglu ? kGelu : kSwiglu)) {
    draft.no_effect(*other, fmt::format("of another activation than that {} --swiglu",
                                        swiglu ? "with" : "without"));
  }
  return swiglu ? kSwiglu
                : "--no-bias-gelu-fusion|model.bias_gelu_fusion|"
                  "model.bias_activation_fusion";
}

// ---- Fusions: the loss, and what runs in passes of its own beside what the framework leaves so.
void take_fusions(Draft& draft, const CoreFramework& framework) {
  std::vector<std::string_view> unfused =
      words_of(of_profile(framework.profile, "training.unfused"));
  std::vector<std::string> reasons;
  /// Whether a setting splits something off, and what says so.
  const auto off = [&](std::string_view names, bool by_default) -> std::optional<std::string> {
    const std::optional<bool> says = switched(draft, names);
    if (says.value_or(by_default)) {
      return std::nullopt;
    }
    return says ? draft.given(names)->place()
                : fmt::format("{}'s default: no {}", framework.name,
                              split(split(names, '|').back(), '.').back());
  };
  const auto split_off = [&](const std::optional<std::string>& why, std::string_view part) {
    if (why && !holds(unfused, part)) {
      unfused.push_back(part);
      reasons.push_back(*why);
    }
  };
  constexpr std::string_view kLoss = "--cross-entropy-loss-fusion|model.cross_entropy_loss_fusion";
  if (draft.on(kLoss)) {
    const GivenFlag* kernel =
        draft.given("--cross-entropy-fusion-impl|model.cross_entropy_fusion_impl");
    const bool engine = kernel != nullptr && kernel->value == "te";
    draft.set("training.loss", engine ? "fused" : "fused-fp32",
              engine ? kernel : draft.given(kLoss),
              engine || kernel != nullptr ? "" : "native is Megatron-core's default");
  } else if (const std::optional<std::string> why = off(kLoss, framework.fuses_loss)) {
    draft.set("training.loss", "in-place", *why);
    split_off(why, "loss");
  }
  if (has_rotary_positions(draft)) {
    split_off(off("--no-rope-fusion|model.apply_rope_fusion", framework.fuses_positions),
              "positions");
  }
  split_off(off(activation_fusion(draft), true), "activation");
  split_off(off("--no-bias-dropout-fusion|model.bias_dropout_add_fusion|"
                "model.bias_dropout_fusion",
                true),
            "residual");
  if (draft.at("training.attention") == "unfused") {
    split_off(off("--no-masked-softmax-fusion|model.masked_softmax_fusion", true), "softmax");
  }
  if (!reasons.empty()) {
    draft.set("training.unfused", fmt::format("[{}]", fmt::join(unfused, ", ")),
              fmt::format("{}: beside what {} leaves apart", fmt::join(reasons, "; "),
                          framework.profile));
  }
  std::optional<std::string> why = off(
      "--no-gradient-accumulation-fusion|model.gradient_accumulation_fusion", framework.fuses_sums);
  if (!why && !framework.sums_need.empty() && !draft.on(framework.sums_need)) {
    why = fmt::format("{} fuses sums with {} alone", framework.name, framework.sums_need);
  }
  if (why) {
    draft.set("training.accumulation", "pass", *why);
    if (!of_profile(framework.profile, "training.placeholders").empty()) {
      draft.set("training.placeholders", "false", "without gradient accumulation fusion");
    }
  }
}

// ---- Attention: a kernel by its version; Megatron-core's own layers have none that is fused.
void take_attention(Draft& draft) {
  constexpr std::string_view kKey = "training.attention";
  constexpr std::string_view kVersion = "--flash-attention-version|model.flash_attention_version";
  const GivenFlag* backend =
      draft.given("--attention-backend|model.attention_backend|model.attention_backend._args_");
  const std::optional<long> version = draft.whole(kVersion);
  if (version && backend != nullptr && (backend->value == "flash" || backend->value == "[1]") &&
      (*version == 2 || *version == 3)) {
    draft.set(kKey, fmt::format("flash{}", *version), draft.given(kVersion));
  }
  const GivenFlag* layers = draft.given("--transformer-impl|model.transformer_impl");
  if (layers != nullptr && layers->value == "local" && !draft.has(kKey)) {
    draft.set(kKey, "unfused", layers, "Megatron-core's own layers");
  }
}

/// Both moments have one width in danlu.
void take_state_widths(Draft& draft) {
  constexpr std::string_view kKey = "training.optimizer.state_width";
  const GivenFlag* mean = draft.given("--exp-avg-dtype|optimizer.exp_avg_dtype");
  const GivenFlag* square = draft.given("--exp-avg-sq-dtype|optimizer.exp_avg_sq_dtype");
  const auto bits = [](const GivenFlag* flag) {  // of "bf16", "torch.uint8"
    constexpr double kDefault = 32;
    return flag == nullptr
               ? kDefault
               : parse_number(flag->value.substr(flag->value.find_last_not_of("0123456789") + 1))
                     .value_or(kDefault);
  };
  if (bits(mean) == bits(square)) {
    return;
  }
  const bool mean_is_wide = bits(mean) > bits(square);
  const GivenFlag* wide = mean_is_wide ? mean : square;
  draft.forget(kKey);
  if (wide != nullptr) {
    draft.set(kKey, bits(wide) > 16 ? "fp32" : "16bit", wide);
  }
  draft.not_used(mean_is_wide ? *square : *mean,
                 "danlu has one width for both moments, and takes the wider one");
}

// ---- Passes over gradients: those of the framework, but for what flags switch off or on.
void take_gradient_passes(Draft& draft, const CoreFramework& framework) {
  const std::vector<std::string_view> usual =
      words_of(of_profile(framework.profile, "training.gradient_passes"));
  constexpr std::string_view kClip = "--clip-grad|optimizer.clip_grad|trainer.gradient_clip_val";
  constexpr std::string_view kCheck =
      "--no-check-for-nan-in-loss-and-grad|ddp.check_for_nan_in_grad";
  constexpr std::string_view kAverage = "--ddp-average-in-collective|ddp.average_in_collective";
  std::vector<std::string> reasons;
  std::vector<std::string_view> passes;
  for (const std::string_view pass : {"zero", "check", "average", "unscale", "norm", "clip"}) {
    bool has = holds(usual, pass);
    const auto say = [&](std::string_view flag, std::optional<bool> wanted) {
      if (wanted && *wanted != has) {
        has = *wanted;
        reasons.push_back(draft.given(flag)->place());
      }
    };
    if (pass == "check") {
      say(kCheck, switched(draft, kCheck));
    } else if (pass == "average") {
      const std::optional<bool> within = switched(draft, kAverage);
      say(kAverage, within ? std::optional(!*within) : std::nullopt);
    } else if (pass == "norm" || pass == "clip") {
      const std::optional<double> limit = draft.number(kClip);
      say(kClip, limit && *limit == 0 ? std::optional(false) : std::nullopt);
    }
    if (has) {
      passes.push_back(pass);
    }
  }
  if (!reasons.empty()) {
    reasons.erase(std::unique(reasons.begin(), reasons.end()), reasons.end());
    draft.set("training.gradient_passes", fmt::format("[{}]", fmt::join(passes, ", ")),
              fmt::format("{}: of those of {}", fmt::join(reasons, "; "), framework.profile));
  }
}

void take_dropout(Draft& draft, const CoreFramework& framework) {
  bool drops = false;
  std::vector<std::string> from;
  for (const std::string_view names :
       {"--attention-dropout|model.attention_dropout|model.encoder.attention_dropout",
        "--hidden-dropout|model.hidden_dropout|model.encoder.hidden_dropout"}) {
    const GivenFlag* given = draft.given(names);
    drops = drops || draft.number(names).value_or(framework.dropout) > 0;
    const std::string_view name = split(names, '|').front().substr(2);
    from.push_back(
        given != nullptr ? fmt::format("{} {}", given->shown_name(), given->value)
        : framework.dropout > 0
            ? fmt::format("{}'s default of {}: {}", framework.name, name, framework.dropout)
            : fmt::format("assumed: no {}, as {}'s classes of such models have none", name,
                          framework.name));
  }
  draft.set("training.dropout", drops ? "true" : "false", fmt::format("{}", fmt::join(from, ", ")));
}

// ---- Experts' layers computed again, as older versions say it.
void take_recomputed_experts(Draft& draft) {
  constexpr std::string_view kExperts = "--moe-layer-recompute|model.moe_layer_recompute";
  const std::string said(draft.at("training.recompute"));
  if (!draft.on(kExperts) || said == "full") {
    return;
  }
  std::vector<std::string_view> parts =
      said.starts_with('[') ? words_of(said) : std::vector<std::string_view>();
  if (!holds(parts, "moe")) {
    parts.push_back("moe");
    draft.set("training.recompute", fmt::format("[{}]", fmt::join(parts, ", ")),
              draft.given(kExperts), said.empty() ? "" : "beside recompute_modules");
  }
}

}  // namespace
}  // namespace megatron_core

void set_fp8(Draft& draft, const GivenFlag& fp8, const GivenFlag* mx) {
  draft.set("training.precision", mx != nullptr ? "mxfp8" : "fp8",
            mx != nullptr ? fmt::format("{}, with {}", mx->place(), fp8.place()) : fp8.place());
}

void take_core_settings(Draft& draft, const CoreFramework& framework) {
  if (draft.at("training.experts.capacity").starts_with('-')) {
    draft.forget("training.experts.capacity");  // none (TransformerConfig.__post_init__)
  }
  megatron_core::take_graphs(draft);
  megatron_core::take_expert_groups(draft);
  megatron_core::take_wide_ends(draft);
  megatron_core::take_narrow_head(draft);
  megatron_core::take_amaxes(draft);
  megatron_core::take_op_fuser(draft);
  megatron_core::take_attention(draft);
  megatron_core::take_state_widths(draft);
  megatron_core::take_fusions(draft, framework);
  megatron_core::take_gradient_passes(draft, framework);
  megatron_core::take_dropout(draft, framework);
  megatron_core::take_recomputed_experts(draft);
  if (may_have_experts(draft)) {
    draft.set_default({"training.experts.weighted", "activation",
                       "Megatron-core since 0.12: probabilities go into the activation"});
  }
}

void take_tokens(Draft& draft, double sequences, const GivenFlag* from) {
  const double tokens = sequences * static_cast<double>(draft.count("training.sequence_length"));
  if (tokens > 0) {
    draft.set("training.tokens", fmt::format("{:.0f}", tokens), from);
  }
}

void take_recomputed_parts(Draft& draft, const GivenFlag& kind, const GivenFlag* modules) {
  std::vector<std::string_view> parts;
  const std::vector<std::string_view> known =
      split(find_key(scenario_keys(), "training.recompute")->parts, '|');
  for (const std::string_view word :
       words_of(modules != nullptr ? std::string_view(modules->value) : "core_attn")) {
    if (megatron_core::holds(known, word)) {
      parts.push_back(word);
    } else {
      draft.not_used(*modules, fmt::format("danlu computes no '{}' again by itself", word));
    }
  }
  draft.set("training.recompute",
            parts.empty() ? "none" : fmt::format("[{}]", fmt::join(parts, ", ")),
            modules != nullptr ? modules : &kind,
            modules != nullptr ? "" : "Megatron's default of recompute_modules: core_attn");
}

}  // namespace danlu
