// Recomputation as a pass over the layers. A part is a stretch of operators that backward runs
// forward once more, so that what they made is not kept. Parts are those of Megatron-LM
// (--recompute-modules, megatron/core/transformer/transformer_config.py):
//
//   part        run again             kept no more                    kept all the same
//   core_attn   attention             scores, softmax, their masks    queries, keys, values, output
//   mla_up_proj latent up             queries, keys, values           the narrow array, normed
//   layernorm   both norms            their outputs                   their inputs
//   act         activation            its output                      its input
//   mlp         up, activation, down  inputs of activation and down   the input of up
//   moe_act     experts' activation   its output                      its input
//   moe         router to the sum     what is kept between            the input of the router
//   full        the whole layer       everything                      the layer's input
//
//   alternate   all but attention and     its input, attention's output, outputs of
//               every second product      every other product
//
// Alternate is torchtitan's selection by operator (torchtitan/distributed/activation_checkpoint.py,
// selective_ac_option op): of the matrix products of a layer, counted as its modules call them (q,
// k, v, output, gate, up, down), the first, third and so on are kept, as are attention's output
// and what tensor ranks scatter; grouped products of experts are not among them. So ranks of a
// sequence exchange keys and values once more for backward alone, which they do without it, too.
//
// A fused kernel keeps no scores: core_attn then runs it once more, and saves nothing that counts
// here (its log-sum-exp, 4 bytes a token and head, does not). In the first layers of a chunk alone
// it is Megatron's method block; with units of n layers, which keep the first one's input, its
// method uniform. Early stop is PyTorch's (torch.utils.checkpoint, use_reentrant=False, since 2.1):
// forward is run as far as something is kept of it, so that the last product is not, whose output
// nothing in backward needs.
#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "sim/base/error.hpp"
#include "sim/workload/layers.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

/// A stretch of a layer, from an operator to another, as often as there is one. Who takes its
/// output keeps that, unless it is made again for it.
struct PartRow {
  RecomputePart part{};
  const char* first;
  const char* last;
  bool makes_output_again = false;
};
constexpr std::array kParts{
    PartRow{RecomputePart::CoreAttention, kAttention, kAttention},
    PartRow{RecomputePart::LatentUp, kLatentUp, kLatentUp, true},  // with kRotary
    PartRow{RecomputePart::LayerNorm, kNorm, kNorm, true},
    PartRow{RecomputePart::Mlp, kMlpUp, kMlpDown},
    PartRow{RecomputePart::Activation, kActivation, kActivation, true},
    PartRow{RecomputePart::ExpertActivation, kExpertActivation, kExpertActivation, true},
    PartRow{RecomputePart::Experts, kRouter, kExpertSum},
};

Operator* operator_in(Block& block, std::size_t at) {
  return at < block.steps.size() ? std::get_if<Operator>(&block.steps[at]) : nullptr;
}
/// The operator that follows, past exchanges; there is one.
std::size_t next_operator(Block& block, std::size_t at) {
  do {
    ++at;
    check(at < block.steps.size(), "an output that no operator takes");
  } while (operator_in(block, at) == nullptr);
  return at;
}
/// The end of the exchanges that go with the operator before `at`.
std::size_t past_exchanges(Block& block, std::size_t at) {
  while (at < block.steps.size() && operator_in(block, at) == nullptr) {
    ++at;
  }
  return at;
}
/// The beginning of those that go with the one at `at`.
std::size_t with_exchanges(Block& block, std::size_t at) {
  while (at > 0 && operator_in(block, at - 1) == nullptr) {
    --at;
  }
  return at;
}

Bytes dropped(Bytes& kept) {
  return std::exchange(kept, Bytes{});
}

/// Where running the operator at `first` again begins: with what a product exchanges before it, or
/// with the keys and values of other ranks. Those are then there for backward, too.
std::size_t beginning_of(Block& block, std::size_t first) {
  if (operator_in(block, first)->is_product()) {
    return with_exchanges(block, first);
  }
  auto* into = first > 0 ? std::get_if<Exchange>(&block.steps[first - 1]) : nullptr;
  if (into != nullptr && (into->again || into->rounds > 1)) {
    into->again = false;
    return first - 1;
  }
  return first;
}

/// The stretch that begins at `first`. What its operators keep inside, and the inputs of all but
/// the first, is made again.
Again stretch_from(Block& block, const PartRow& row, std::size_t first) {
  std::size_t last = first;
  Bytes bytes = dropped(operator_in(block, first)->kept_inside);
  while (operator_in(block, last)->name != row.last) {
    last = next_operator(block, last);
    bytes +=
        dropped(operator_in(block, last)->kept) + dropped(operator_in(block, last)->kept_inside);
  }
  if (const Operator* next = operator_in(block, last + 1);
      row.part == RecomputePart::LatentUp && next != nullptr && next->name == kRotary) {
    ++last;
  }
  Again again{
      .first = beginning_of(block, first),
      .end = operator_in(block, last)->is_product() ? past_exchanges(block, last + 1) : last + 1};
  again.before = again.end;
  if (row.makes_output_again) {
    const std::size_t taker = next_operator(block, last);
    bytes += dropped(operator_in(block, taker)->kept);
    again.before = past_exchanges(block, taker + 1);
  }
  again.bytes = bytes;
  return again;
}

/// Stretches that touch are one.
std::vector<Again> joined(std::vector<Again> all) {
  std::sort(all.begin(), all.end(),
            [](const Again& a, const Again& b) { return a.first < b.first; });
  std::vector<Again> found;
  for (const Again& next : all) {
    if (found.empty() || next.first > found.back().end) {
      found.push_back(next);
      continue;
    }
    Again& last = found.back();
    last.end = std::max(last.end, next.end);
    last.before = std::max(last.before, next.before);
    last.bytes += next.bytes;
  }
  std::reverse(found.begin(), found.end());
  return found;
}

/// Where forward, run from `first` on, has made the last thing that is kept up to `end`: a product
/// keeps what it begins with.
std::size_t last_kept(const Block& block, std::size_t first, std::size_t end) {
  for (; end > first; --end) {
    const auto* op = std::get_if<Operator>(&block.steps[end - 1]);
    if (op == nullptr || op->kept + op->kept_inside == Bytes{}) {
      continue;
    }
    return op->is_product() ? end - 1 : end;
  }
  return end;
}

/// `whole` is the layer as it keeps everything.
void recompute_parts(const TrainingSpec& training, const Block& whole, Block& block) {
  std::vector<RecomputePart> parts = training.recompute_parts;
  if (parts.empty()) {
    parts = {RecomputePart::CoreAttention};
  }
  std::vector<Again> all;
  for (const PartRow& row : kParts) {
    for (std::size_t i = 0; i < block.steps.size(); ++i) {
      const Operator* op = operator_in(block, i);
      const bool asked = std::find(parts.begin(), parts.end(), row.part) != parts.end();
      if (asked && op != nullptr && op->name == row.first) {
        all.push_back(stretch_from(block, row, i));
      }
    }
  }
  block.again = joined(std::move(all));
  for (Again& again : block.again) {
    if (training.recompute_early_stop && again.before == again.end) {
      again.end = last_kept(whole, again.first, again.end);
    }
  }
}

/// Where a layer lies in its unit.
struct InUnit {
  bool first = true;
  bool last = true;
  Bytes kept;                                       // of the whole unit, if everything were
  auto operator<=>(const InUnit&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// The last layer of a unit runs the whole unit again, of which the first one keeps its input.
void recompute_whole(const TrainingSpec& training, const Block& whole, const InUnit& at,
                     Block& block) {
  for (Step& step : block.steps) {
    if (auto* op = std::get_if<Operator>(&step)) {
      op->kept = op->kept_inside = {};
    }
  }
  block.kept = at.first ? block.input : Bytes{};
  block.with_next = !at.last;
  if (at.last) {
    const std::size_t size = block.steps.size();
    const std::size_t end = training.recompute_early_stop ? last_kept(whole, 0, size) : size;
    block.again = {{0, end, size, at.kept - block.input}};
  }
}

/// Columns of the outputs of an operator's products, as torchtitan's modules have them.
std::vector<double> modules_of(const RankShape& z, const Operator& op, const Kernel& product) {
  if (op.name == kQkv) {
    return {z.query, z.key, z.value};
  }
  if (op.name.ends_with(kMlpUp) && z.model.gated_mlp) {
    return {product.n / 2, product.n / 2};
  }
  return {product.n};
}

/// Keeps every second product's output; `products` counts on.
Bytes keep_alternate(const RankShape& z, Operator& op, int& products) {
  Bytes kept;
  Kernels again;
  for (const Kernel& kernel : op.forward) {
    if (kernel.kind != KernelKind::Gemm || op.part == ModelPart::Experts) {
      again.push_back(kernel);
      continue;
    }
    for (const double columns : modules_of(z, op, kernel)) {
      if (++products % 2 == 1) {
        kept += Bytes{z.element * kernel.m * columns};
      } else {
        const Kernel wide = gemm(kernel.m, columns, kernel.k, 1, z.element);
        again.push_back(kernel.width == KernelWidth::Narrow ? narrowed(wide, kernel.operand)
                                                            : wide);
      }
    }
  }
  op.forward_again = std::move(again);
  return kept;
}

void recompute_alternate(const RankShape& z, const Block& whole, Block& block) {
  Bytes saved;
  int products = 0;
  for (Step& step : block.steps) {
    if (auto* exchange = std::get_if<Exchange>(&step)) {
      const bool scatters = exchange->axes == AxisSet(Axis::Tensor) && exchange->forward &&
                            exchange->forward->op == CollectiveOp::ReduceScatter;
      exchange->kept_once = scatters || exchange->axes == AxisSet(Axis::Context);
      continue;
    }
    auto& op = std::get<Operator>(step);
    op.kept = op.kept_inside = {};
    if (op.name == kAttention) {
      saved += Bytes{z.element * z.batch * z.queries * z.core_output};
      op.forward_again = Kernels{};  // but for rotary positions
      std::copy_if(op.forward.begin(), op.forward.end(), std::back_inserter(*op.forward_again),
                   [](const Kernel& kernel) { return kernel.kind == KernelKind::Memory; });
    } else if (op.is_product()) {
      saved += keep_alternate(z, op, products);
    }
  }
  block.kept = block.input + saved;
  const std::size_t size = block.steps.size();
  block.again = {{0, size, size, std::max(Bytes{}, kept_by(whole) - block.kept)}};
}

/// Of the layers of a chunk of `stage`, how many are computed again: its first ones.
std::size_t recomputed_layers(const Workload& w, int stage, std::size_t layers) {
  const std::vector<int>& asked = w.training.recompute_layers;
  if (asked.empty()) {
    return layers;
  }
  const std::size_t of = asked.size() == 1 ? 0 : static_cast<std::size_t>(stage);
  return std::min(layers, static_cast<std::size_t>(asked[of]));
}

}  // namespace

void recompute(const Workload& w, ModelBlocks& model) {
  const TrainingSpec& training = w.training;
  if (training.recompute == Recompute::None) {
    return;
  }
  const bool full = training.recompute == Recompute::Full;
  const RankShape shape(w);
  const std::size_t unit = full ? static_cast<std::size_t>(training.recompute_unit) : 1;
  std::vector<std::optional<InUnit>> places;  // by layer; of those that are computed again
  const Placement placement = w.placement();
  for (int part = 0; part < placement.parts(); ++part) {
    const PlacedChunk place = placement.holder(part);
    const std::vector<LayerKindId> layers = layers_of(w, model, place);
    const auto ends_here = [&](std::size_t i) { return !model.kinds[layers[i]].takes_gradient; };
    const std::size_t recomputed = recomputed_layers(w, place.stage, layers.size());
    for (std::size_t i = 0; i < layers.size(); ++i) {
      std::optional<InUnit>& at = places.emplace_back();
      if (i >= recomputed || ends_here(i)) {
        continue;
      }
      std::size_t begin = i / unit * unit;
      while (ends_here(begin)) {
        ++begin;
      }
      const std::size_t end = std::min(i / unit * unit + unit, recomputed);
      at = {.first = i == begin, .last = i + 1 == end};
      for (std::size_t layer = begin; layer < end; ++layer) {
        at->kept += kept_by(model.kinds[layers[layer]]);
      }
    }
  }
  vary_layers(
      model, [&](std::size_t layer) { return places[layer]; },
      [&](const std::optional<InUnit>& at, Block& block) {
        if (!at) {
          return;
        }
        const Block whole = block;
        if (training.recompute == Recompute::Alternate) {
          recompute_alternate(shape, whole, block);
        } else if (full) {
          recompute_whole(training, whole, *at, block);
        } else {
          recompute_parts(training, whole, block);
        }
      });
}

}  // namespace danlu
