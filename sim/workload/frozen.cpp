// Frozen weights as passes over blocks. What is not trained has no gradient, no optimizer state and
// nothing to be reduced; and where nothing before it is trained either, nothing is computed
// backward:
//
//   embedding   layer 0          layer 1              head      LoRA: all but adapters (*) frozen
//   frozen      q* k v* ... up*  q* k v* ...          frozen
//   no backward   ^ its weights' gradients, no input's   input gradients all the way down to there
//
// A frozen product needs no input in backward, so it keeps none. What is below the lowest weight
// that is trained keeps nothing, is not computed again, gathers nothing, and no stage sends it a
// gradient.
#include <algorithm>

#include "sim/workload/layers.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

bool is_frozen(const TrainingSpec& training, FrozenPart part) {
  return training.lora.is_there() ||
         std::find(training.frozen.begin(), training.frozen.end(), part) != training.frozen.end();
}

FrozenPart part_of(const Operator& op) {
  if (!op.is_product()) {
    return FrozenPart::Norms;
  }
  return op.part == ModelPart::Attention ? FrozenPart::Attention : FrozenPart::Mlp;
}

/// `kept_by_maker`: who made the input needs it in backward, too.
void freeze(Operator& op, bool kept_by_maker) {
  if (op.is_product()) {
    op.is_frozen_product = true;
    op.weight_gradient = {};
    op.kept = kept_by_maker ? op.kept : Bytes{};
  }
  op.weight.trained = false;
}

/// Freezes the operators of which `frozen` is true.
template <typename Frozen>
void freeze(Block& block, const Frozen& frozen) {
  bool kept_by_maker = false;
  for (Step& step : block.steps) {
    if (auto* op = std::get_if<Operator>(&step)) {
      if (frozen(*op)) {
        freeze(*op, kept_by_maker);
      }
      kept_by_maker = op->needs_output;
    }
  }
}

bool is_trained(const Operator& op) {
  return (op.weight.trained && (op.weight.held > 0 || !op.weight_gradient.empty())) ||
         op.adapter.held > 0;
}

bool trains_any(const Block& block) {
  const std::vector<const Operator*> operators = operators_of(block);
  return std::any_of(operators.begin(), operators.end(),
                     [](const Operator* op) { return is_trained(*op); });
}

/// Drops the products that make the input's gradient, as wide as that. What an adapter's weights
/// need of its output stays, and so do passes over memory: casts of the gradient are for both.
void drop_input_gradient(Operator& op) {
  const auto product = std::find_if(op.forward.begin(), op.forward.end(), [](const Kernel& kernel) {
    return kernel.kind == KernelKind::Gemm;
  });
  std::erase_if(op.input_gradient, [&](const Kernel& kernel) {
    return kernel.kind == KernelKind::Gemm && kernel.n == product->k;
  });
}

/// `below`: something before the block is trained.
void stop_gradients(Block& block, bool below) {
  block.gives_gradient = below;
  bool needed = below;  // the gradient of what comes into the step
  for (std::size_t i = 0; i < block.steps.size(); ++i) {
    if (auto* exchange = std::get_if<Exchange>(&block.steps[i])) {
      const auto* next =
          i + 1 < block.steps.size() ? std::get_if<Operator>(&block.steps[i + 1]) : nullptr;
      const bool for_weight = next != nullptr && !next->weight_gradient.empty();
      exchange->again &= for_weight || (needed && next != nullptr && !next->is_product());
      if (!needed) {
        exchange->backward = std::nullopt;
      }
      continue;
    }
    auto& op = std::get<Operator>(block.steps[i]);
    const bool trained = is_trained(op);
    if (!needed && !trained) {
      op.input_gradient = {};
      op.kept = op.kept_inside = {};
    } else if (!needed && op.is_product()) {
      drop_input_gradient(op);
    }
    needed |= trained;
  }
  block.takes_gradient = needed;
}

}  // namespace

void freeze_weights(const Workload& w, ModelBlocks& model) {
  const TrainingSpec& t = w.training;
  if (!t.trains_less()) {
    return;
  }
  for (Block* table : {&model.embedding, &model.decoder_embedding}) {
    freeze(*table, [&](const Operator&) { return is_frozen(t, FrozenPart::Embedding); });
  }
  freeze(model.head, [&](const Operator& op) {
    return is_frozen(t, op.is_product() ? FrozenPart::Head : FrozenPart::Norms);
  });
  const auto whole = [&](std::size_t layer) { return static_cast<int>(layer) < t.frozen_layers; };
  vary_layers(model, whole, [&](bool all, Block& block) {
    freeze(block, [&](const Operator& op) { return all || is_frozen(t, part_of(op)); });
  });
}

void stop_gradients(const Workload& w, ModelBlocks& model) {
  if (!w.training.trains_less()) {
    return;
  }
  bool below = trains_any(model.embedding);
  stop_gradients(model.embedding, false);
  stop_gradients(model.decoder_embedding, false);
  std::vector<bool> before_layer;
  for (const LayerKindId kind : model.kind_of_layer) {
    before_layer.push_back(below);
    below = below || trains_any(model.kinds[kind]);
  }
  vary_layers(
      model, [&](std::size_t layer) { return static_cast<bool>(before_layer[layer]); },
      [](bool is_below, Block& block) { stop_gradients(block, is_below); });
  stop_gradients(model.head, below);
}

}  // namespace danlu
