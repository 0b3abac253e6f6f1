#include "sim/scenario/idle_words.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <string_view>
#include <utility>

#include "sim/scenario/frameworks.hpp"
#include "sim/scenario/keys.hpp"

namespace danlu {
namespace {

constexpr const char* kUnfused = "training.unfused";

/// What of the model, or of its attention, leaves a part without effect; "": nothing does.
std::string_view without_effect(UnfusedPart part, const Workload& w) {
  const ModelSpec& m = w.model;
  const bool turns = m.positions == 0 && m.relative_positions == 0;
  const bool fused = is_fused(w.training.attention);
  switch (part) {
    case UnfusedPart::Norm:
      return m.norm != Norm::RmsNorm ? "only RMSNorm has single operators" : "";
    case UnfusedPart::Positions:
    case UnfusedPart::PartialPositions:
      return turns ? "" : "the model has no rotary positions";
    case UnfusedPart::Gated:
      return m.gated_mlp ? "" : "the model's MLP is not gated";
    case UnfusedPart::Softmax:
      return fused ? "attention is one kernel" : "";
    case UnfusedPart::Packing:
      return fused ? "" : "attention is unfused";
    case UnfusedPart::Biases:
      return m.biases != Biases{} ? "" : "the model has no biases";
    case UnfusedPart::AddedBiases:
      return m.biases.on(Biased::Output) || m.biases.on(Biased::Mlp)
                 ? ""
                 : "attention and MLP have no biases behind them";
    case UnfusedPart::Gathers:
      return w.parallelism.tensor > 1 || w.parallelism.zero == 3
                 ? ""
                 : "neither tensor ranks nor FSDP gather anything";
    default:
      return "";
  }
}

}  // namespace

void find_idle_words(const Values& own, const Workload& w, const UnusedKeys& found) {
  if (!own.has(kUnfused)) {
    return;
  }
  const auto has = [&](UnfusedPart part) { return w.training.splits(part); };
  if (has(UnfusedPart::Positions) && has(UnfusedPart::PartialPositions)) {
    found.problems.push_back(
        own.problem(kUnfused,
                    "rotary positions turn whole heads or a quarter of each, found positions and "
                    "partial_positions",
                    "leave one of the two out"));
  }
  if (has(UnfusedPart::Loss) && w.training.loss != Loss::InPlace) {
    say_unused(own, kUnfused, "training.loss", "",
               fmt::format("its part loss is of a loss in place, and 'training.loss' is {}",
                           name_of(w.training.loss)),
               "leave loss out of the list, or set training.loss: in-place", found);
  }
  for (const auto& [part, name] : kNames<UnfusedPart>) {
    const std::string_view why = has(part) ? without_effect(part, w) : "";
    if (!why.empty()) {
      found.notes.push_back(fmt::format("'{}': {} has no effect: {}", kUnfused, name, why));
    }
  }
}

void note_framework(const Workload& w, std::vector<std::string>& notes) {
  if (w.training.framework != "gpt-neox") {
    return;
  }
  // Of EleutherAI/gpt-neox: megatron/neox_arguments/neox_args.py of v1.0 has no num_kv_heads (which
  // is from February 2024), no LLaMA MLP and no experts; megatron/model/norms.py.
  const ModelSpec& m = w.model;
  std::vector<std::string_view> other;
  const auto tell = [&](bool is_there, std::string_view what) {
    if (is_there) {
      other.push_back(what);
    }
  };
  tell(m.kind != ModelKind::Decoder, "an encoder");
  tell(m.experts.count > 0, "experts");
  tell(m.is_latent(), "latent attention");
  tell(!m.is_latent() && m.kv_heads < m.heads, "grouped queries");
  tell(m.window > 0, "windows of attention");
  tell(m.gated_mlp, "a gated MLP of single operators");
  tell(m.norm == Norm::RmsNorm, "RMSNorm of single operators");
  if (!other.empty()) {
    notes.push_back(fmt::format(
        "framework gpt-neox is what GPT-NeoX 1.0 does with models as GPT-NeoX-20B and Pythia: {} "
        "{} not in it, and rotary positions are taken to turn a quarter of each head",
        fmt::join(other, ", "), other.size() == 1 ? "is" : "are"));
  }
}

std::string own_ways(const Values& own, std::string_view framework) {
  const Framework* profile = find_framework(framework);
  std::vector<std::string> ways;
  for (const std::string_view name : {"loss", "fused_casts"}) {
    const std::string key = fmt::format("training.{}", name);
    if (!own.has(key)) {
      continue;
    }
    std::string usual = find_key(scenario_keys(), key)->fallback;
    if (profile != nullptr) {
      for (const FrameworkValue& value : profile->values) {
        usual = value.key == key ? std::string(value.value) : usual;
      }
    }
    const auto listed = [](const std::string& text) {
      return text == "none"          ? std::string()
             : text.starts_with('[') ? text
                                     : fmt::format("[{}]", text);
    };
    if (listed(own.at(key).text) != listed(usual.empty() ? "none" : usual)) {
      ways.push_back(fmt::format("{} {}", name, own.at(key).text));
    }
  }
  return fmt::format("{}", fmt::join(ways, ", "));
}

}  // namespace danlu
