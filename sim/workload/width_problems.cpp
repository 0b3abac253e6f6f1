// Relations among widths of products and what is trained.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>

#include "sim/workload/workload.hpp"

namespace danlu {
namespace {

/// Takes keys, message and hint.
using Add = std::function<void(std::vector<std::string>, std::string, std::string)>;

/// Tensor cores take rows of 16 bytes; blocks of 32 values share a scale of mxfp8 (cuBLASLt,
/// TransformerEngine's assert_dim_for_fp8_exec).
void check_narrow(const Workload& w, const Add& add) {
  const TrainingSpec& t = w.training;
  const ModelSpec& m = w.model;
  const int multiple = t.precision == Precision::Fp8 ? 16 : 32;
  const double tensor = w.parallelism.tensor;
  const auto check_width = [&](std::string_view what, double width) {
    if (std::fmod(width, multiple) != 0) {
      add({"training.precision", "model", "parallelism.tensor"},
          fmt::format("products in {} need widths that {} divides, found {} of {} on a rank",
                      name_of(t.precision), multiple, width, what),
          "");
    }
  };
  check_width("hidden", m.hidden);
  check_width("heads x head_dim", m.query_width() / tensor);
  check_width("kv_heads x head_dim", m.rank_key_width(tensor));
  check_width("ffn", m.ffn / tensor);
  if (t.wide_first_layers + t.wide_last_layers >= m.layers) {
    add({"training.wide_first_layers", "training.wide_last_layers", "training.precision"},
        fmt::format("wide_first_layers + wide_last_layers must be below layers ({}), found {}",
                    m.layers, t.wide_first_layers + t.wide_last_layers),
        fmt::format("else nothing is computed in {}: use bf16", name_of(t.precision)));
  }
  if (t.lora.four_bit_base) {
    add({"training.lora.base_width", "training.precision"},
        fmt::format("a base in 4 bits is made 16 bits wide before it is used, found precision {}",
                    name_of(t.precision)),
        "use precision bf16");
  }
}

void check_trained(const Workload& w, const Add& add) {
  const TrainingSpec& t = w.training;
  const auto freezes = [&](FrozenPart part) {
    return std::find(t.frozen.begin(), t.frozen.end(), part) != t.frozen.end();
  };
  const bool has_targets = !t.lora.targets.empty();
  if (t.lora.is_there() != has_targets || (t.lora.four_bit_base && !t.lora.is_there())) {
    add({"training.lora.targets", "training.lora.base_width", "training.lora.rank",
         "training.lora"},
        "adapters need both lora.rank and lora.targets",
        "targets of the paper and of Hugging Face's peft for Llama are [q, v]");
  }
  if (t.lora.is_there() && (!t.frozen.empty() || t.frozen_layers > 0)) {
    add({"training.frozen", "training.frozen_layers", "training.lora.rank"},
        "with lora all of the base is frozen", "leave out frozen and frozen_layers");
  }
  if (!w.model.gated_mlp && std::find(t.lora.targets.begin(), t.lora.targets.end(),
                                      LoraTarget::Gate) != t.lora.targets.end()) {
    add({"training.lora.targets", "model.gated_mlp"}, "the model has no gate: its MLP is not gated",
        "targets of its MLP are up and down");
  }
  if (w.model.tied_embeddings && freezes(FrozenPart::Embedding) != freezes(FrozenPart::Head)) {
    add({"training.frozen", "model.tied_embeddings"},
        "embedding and head are one table (tied_embeddings): freeze both, or neither", "");
  }
  if (t.frozen_layers > w.model.layers) {
    add({"training.frozen_layers", "model.layers", "model.preset"},
        fmt::format("frozen_layers must be at most layers ({}), found {}", w.model.layers,
                    t.frozen_layers),
        "");
  }
  const bool all_layers =
      t.frozen_layers >= w.model.layers ||
      (freezes(FrozenPart::Attention) && freezes(FrozenPart::Mlp) && freezes(FrozenPart::Norms));
  if (all_layers && freezes(FrozenPart::Embedding) && freezes(FrozenPart::Head) &&
      freezes(FrozenPart::Norms)) {
    add({"training.frozen", "training.frozen_layers"}, "nothing of the model is trained", "");
  }
}

}  // namespace

std::vector<WorkloadProblem> width_problems(const Workload& w) {
  std::vector<WorkloadProblem> found;
  const Add add = [&](std::vector<std::string> keys, std::string message, std::string hint) {
    found.push_back({std::move(keys), std::move(message), std::move(hint)});
  };
  if (is_narrow(w.training.precision)) {
    check_narrow(w, add);
  }
  check_trained(w, add);
  return found;
}

}  // namespace danlu
