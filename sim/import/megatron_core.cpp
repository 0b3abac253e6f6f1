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
void take_graphs(Draft& draft, const CoreNames& names) {
  constexpr std::string_view kKey = "host.graphs";
  const GivenFlag* parts = draft.given(names.graph_parts);
  const std::vector<std::string_view> words =
      words_of(parts != nullptr ? std::string_view(parts->value) : "");
  if (holds(words, "full_iteration")) {  // of older versions, whatever the kind is
    draft.set(kKey, "full", parts);
    return;
  }
  const GivenFlag* kind = draft.given(names.graph_kind);
  if (kind == nullptr) {
    for (const std::string_view old : {names.local_graphs, names.engine_graphs}) {
      kind = kind == nullptr && draft.on(old) ? draft.given(old) : kind;
    }
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
  const bool by_engine =
      kind->value == "transformer_engine" || kind == draft.given(names.engine_graphs);
  const bool attention = holds(words, "attn");
  const bool routers = holds(words, "moe_router");
  const bool mlp = holds(words, "mlp") && draft.count("model.experts.count") == 0;
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
void take_expert_groups(Draft& draft, const CoreNames& names) {
  const std::optional<long> groups = draft.whole(names.expert_groups);
  const std::optional<long> visited = draft.whole(names.groups_per_token);
  if (!groups || !visited || *groups < 1 || *visited < 1) {
    return;
  }
  const GivenFlag& from = *draft.given(names.groups_per_token);
  if (draft.at("parallelism.expert_exchange") != "deepep") {
    draft.not_used(from,
                   "which nodes a token visits matters to danlu with expert_exchange deepep alone");
    return;
  }
  const long ranks = std::max(1L, draft.count("parallelism.expert")) *
                     std::max(1L, draft.count("parallelism.expert_tensor"));
  const std::optional<long> of_node = draft.whole(names.gpus_of_node);
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

void take_wide_ends(Draft& draft, const CoreNames& names) {
  if (!draft.on(names.wide_ends)) {
    return;
  }
  const GivenFlag& from = *draft.given(names.wide_ends);
  const std::string precision(draft.at("training.precision"));
  if (precision != "fp8" && precision != "mxfp8" && precision != "fp4") {
    draft.no_effect(from, "no layer is below 16 bits");
    return;
  }
  for (const auto& [key, flag] : {std::pair("training.wide_first_layers", names.wide_first),
                                  std::pair("training.wide_last_layers", names.wide_last)}) {
    const GivenFlag* count = draft.given(flag);
    draft.set(key, std::to_string(draft.whole(flag).value_or(1)), count != nullptr ? count : &from,
              count != nullptr ? "" : "Megatron's default of 1 layer");
  }
}

// ---- Fusions: the loss, and what runs in passes of its own beside what the framework leaves so.
void take_fusions(Draft& draft, const CoreNames& names, std::string_view framework) {
  std::vector<std::string_view> unfused;
  const Framework* profile = find_framework(framework);
  for (const FrameworkValue& value :
       profile != nullptr ? std::span(profile->values) : std::span<const FrameworkValue>()) {
    unfused = value.key == "training.unfused" ? words_of(value.value) : unfused;
  }
  const GivenFlag* first = nullptr;
  const auto split_off = [&](const GivenFlag* flag, std::string_view part) {
    if (!holds(unfused, part)) {
      unfused.push_back(part);
      first = first == nullptr ? flag : first;
    }
  };
  const auto apart = [&](std::string_view flag) {
    return draft.given(flag) != nullptr && draft.on(flag) == names.negated;
  };
  if (const GivenFlag* fused = draft.given(names.fused_loss)) {
    const GivenFlag* kernel = draft.given(names.loss_kernel);
    const bool engine = kernel != nullptr && kernel->value == "te";
    if (draft.on(names.fused_loss)) {
      draft.set("training.loss", engine ? "fused" : "fused-fp32", engine ? kernel : fused,
                engine || kernel != nullptr ? "" : "native is Megatron-core's default");
    } else {
      draft.set("training.loss", "in-place", fused);
      split_off(fused, "loss");
    }
  }
  const bool rotary = draft.count("model.positions") == 0 && !draft.has("model.relative_positions");
  for (const auto& [flag, part, matters] :
       {std::tuple(names.fused_positions, "positions", rotary),
        std::tuple(names.fused_activation, "activation", true),
        std::tuple(names.fused_softmax, "softmax", draft.at("training.attention") == "unfused")}) {
    if (matters && apart(flag)) {
      split_off(draft.given(flag), part);
    }
  }
  if (first != nullptr) {
    draft.set("training.unfused", fmt::format("[{}]", fmt::join(unfused, ", ")), first,
              profile != nullptr ? fmt::format("beside what {} leaves apart", framework) : "");
  }
  if (apart(names.fused_sums)) {
    draft.set("training.accumulation", "pass", draft.given(names.fused_sums));
  }
}

}  // namespace
}  // namespace megatron_core

std::vector<std::string_view> words_of(std::string_view list) {
  constexpr std::string_view kBetween = " ,[]'\"";
  std::vector<std::string_view> words;
  while (true) {
    const std::size_t begin = list.find_first_not_of(kBetween);
    if (begin == std::string_view::npos) {
      return words;
    }
    list.remove_prefix(begin);
    words.push_back(list.substr(0, list.find_first_of(kBetween)));
    list.remove_prefix(words.back().size());
  }
}

void take_core_settings(Draft& draft, const CoreNames& names, std::string_view framework) {
  if (draft.at("training.experts.capacity").starts_with('-')) {
    draft.forget("training.experts.capacity");  // none (TransformerConfig.__post_init__)
  }
  megatron_core::take_graphs(draft, names);
  megatron_core::take_expert_groups(draft, names);
  megatron_core::take_wide_ends(draft, names);
  megatron_core::take_fusions(draft, names, framework);
}

bool take_fsdp(Draft& draft, const CoreNames& names) {
  constexpr std::array<std::string_view, 4> kStrategies{"no_shard", "optim", "optim_grads",
                                                        "optim_grads_params"};
  const GivenFlag* strategy = draft.given(names.sharding_strategy);
  if (strategy == nullptr || !draft.on(names.fsdp)) {
    return false;
  }
  const auto* const found = std::find(kStrategies.begin(), kStrategies.end(), strategy->value);
  if (found == kStrategies.end()) {
    draft.not_used(*strategy, "danlu does not know this strategy");
    return false;
  }
  draft.set("parallelism.zero", std::to_string(found - kStrategies.begin()), strategy);
  return true;
}

void take_optimizer_instances(Draft& draft, const CoreNames& names) {
  const std::optional<long> instances = draft.whole(names.optimizer_instances);
  const std::optional<long> data = draft.replicas();
  if (instances && *instances > 1 && data && draft.count("parallelism.zero") > 0) {
    draft.set("parallelism.sharding.ranks", std::to_string(*data / *instances),
              draft.given(names.optimizer_instances));
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
