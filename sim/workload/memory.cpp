#include "sim/workload/memory.hpp"

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "sim/schedule/schedule.hpp"
#include "sim/workload/kernels.hpp"
#include "sim/workload/model_blocks.hpp"
#include "sim/workload/shard_units.hpp"

namespace danlu {
namespace {

/// Of a unit's weights, by their copies, the sum of those that are split over data-parallel ranks.
double split_of(const ParallelismSpec& p, const std::map<AxisSet, double>& by_copies) {
  double sum = 0;
  for (const auto& [copies, amount] : by_copies) {
    sum += shard_axes(p, copies).empty() ? 0 : amount;
  }
  return sum;
}

/// What a pass holds of units, at most.
struct InPass {
  double gathered = 0;   // bytes of units that are given up within it
  double gradients = 0;  // parameters whose gradients are not yet scattered
};
/// A unit is there from its gather, so many units ahead of the one that is entered, to its last
/// stretch; gradients of the units that a stretch lies in are.
InPass in_pass(const ParallelismSpec& p, const UnitsOfPass& pass, bool forward) {
  InPass most;
  const double of_root = pass.root_has_layers ? split_of(p, pass.root.trained) : 0;
  for (std::size_t i = 0; i < pass.stretches.size(); ++i) {
    const std::size_t ahead =
        pass.stretches[i].entered + static_cast<std::size_t>(p.sharding.units_ahead(forward));
    InPass here{.gradients = of_root};
    for (std::size_t n = 0; n < std::min(ahead, pass.units.size()); ++n) {
      const ShardUnit& unit = pass.units[n];
      if (unit.last < i) {
        continue;
      }
      here.gathered += unit.stays && p.sharding.keeps_root ? 0 : split_of(p, unit.gathered);
      here.gradients += unit.first <= i ? split_of(p, unit.trained) : 0;
    }
    most.gathered = std::max(most.gathered, here.gathered);
    most.gradients = std::max(most.gradients, here.gradients);
  }
  return most;
}

/// What is gathered of split weights, and not yet scattered of a unit's gradients. Weights that are
/// given up after forward are there for the units that compute and those gathered ahead of them;
/// the root, and otherwise everything, stays until backward.
Bytes gathered(const Workload& w, const ModelBlocks& model, int stage) {
  const ParallelismSpec& p = w.parallelism;
  if (p.zero < 2) {
    return {};
  }
  const bool gives_up = p.sharding.reshard == Reshard::AfterForward;
  double kept = 0;
  InPass most;
  for (int chunk = 0; chunk < w.training.chunks; ++chunk) {
    const PlacedChunk at{stage, chunk};
    const std::vector<LayerKindId> layers = layers_of(w, model, at);
    const HeldByChunk held{layers, w.embeds(at), w.placement().is_last(at), w.decodes(at)};
    for (const PassOrder order : {PassOrder::Forward, PassOrder::Backward}) {
      const UnitsOfPass pass = units_of_pass(w, model, held, order);
      const InPass here = in_pass(p, pass, order == PassOrder::Forward);
      most.gathered = std::max(most.gathered, here.gathered);
      most.gradients = std::max(most.gradients, here.gradients);
      if (order == PassOrder::Forward) {
        kept += split_of(p, pass.root.gathered);
        for (const ShardUnit& unit : pass.units) {
          const bool stays = !gives_up || (unit.stays && p.sharding.keeps_root);
          kept += stays ? split_of(p, unit.gathered) : 0;
        }
      }
    }
  }
  Bytes bytes{most.gradients * element_bytes(w.training.precision)};
  if (p.zero >= 3) {
    bytes += Bytes{kept + (gives_up ? most.gathered : 0)};
  }
  return bytes;
}

/// 16-bit gradients of a stage's weights that are neither summed nor sent on.
Bytes beside_gradients(const Workload& w, const ModelBlocks& model, int stage) {
  const double wide = element_bytes(w.training.precision);
  double copied = 0;
  std::set<std::pair<double, double>> shapes;
  for (const HeldBlock& held : blocks_of(w, model, stage)) {
    copied += trained_weight_of(*held.block).held;
    for (const Operator* op : operators_of(*held.block)) {
      if (!held.is_layer || op->weight_gradient.empty() || !op->weight.trained) {
        continue;
      }
      for (const Kernel& kernel : op->forward) {
        if (kernel.kind == KernelKind::Gemm) {
          shapes.emplace(kernel.n, kernel.k);
        }
      }
    }
  }
  const bool sums_are_wider = gradient_bytes(w.training) > wide && w.parallelism.zero < 2;
  double empty = 0;
  for (const auto& [rows, columns] : shapes) {
    empty += rows * columns;
  }
  return Bytes{wide * ((w.training.gradient_copy && sums_are_wider ? copied : 0) +
                       (w.training.placeholders ? empty : 0))};
}

/// The most that gradients of one operator's inputs and outputs take. Of unfused attention these
/// are the scores twice, before softmax and behind it.
Bytes flowing_in(const Block& block, double element) {
  double most = 0;
  for (const Operator* op : operators_of(block)) {
    double values = 0;
    for (const Kernel& kernel : op->forward) {
      values +=
          kernel.kind == KernelKind::Gemm ? kernel.batch * kernel.m * (kernel.k + kernel.n) : 0;
    }
    most = std::max(most, values);
  }
  return Bytes{element * most};
}

/// Whether layers with backward lie there that attend to an encoder's output, which is kept once
/// for all of them.
bool keeps_encoded(const Workload& w, const ModelBlocks& model, PlacedChunk at) {
  const std::vector<LayerKindId> layers = layers_of(w, model, at);
  const int last = first_layer(w, at) + static_cast<int>(layers.size()) - 1;
  return !layers.empty() && w.model.layer_sort(last).crosses &&
         model.kinds[layers.back()].takes_gradient;
}

/// What a GPU holds beside what its framework allocates, roughly: CUDA's context with its kernels,
/// 1573 MiB (an A100, bigscience-workshop/bigscience train/tr11-176B-ml/chronicles-prequel.md), and
/// 688 MB of buffers for each of NCCL's communicators (github.com/NVIDIA/nccl/issues/964): of all
/// ranks, of each axis, of a replica, and of stages with tied embeddings; frameworks may have more.
Bytes outside_allocator(const Workload& w) {
  constexpr Bytes kContext{1573 * 1024.0 * 1024.0};
  constexpr Bytes kCommunicator{688e6};
  const ParallelismSpec& p = w.parallelism;
  int communicators = 0;
  int ranks = 1;
  for (const Degree& degree : kDegrees) {
    ranks *= p.*degree.ranks;
    communicators += p.*degree.ranks > 1 ? 1 : 0;
  }
  communicators += p.expert > 1 ? 1 : 0;
  communicators += ranks > 1 ? 1 : 0;
  communicators += p.tensor * p.pipeline > 1 ? 1 : 0;
  const bool shares = w.model.tied_embeddings || w.decoder_stage() > 0;
  communicators += shares && p.pipeline > 1 ? 1 : 0;
  return kContext + communicators * kCommunicator;
}

/// Bytes of a gradient as it is summed over microbatches. FSDP that sums over ranks once a step
/// keeps it in the width in which it will travel: to_accumulated_grad_if_needed of PyTorch's
/// distributed/fsdp/_fully_shard/_fsdp_param.py.
double accumulated_bytes(const Workload& w) {
  const bool waits =
      w.parallelism.zero >= 2 && w.parallelism.sharding.reduce == Reduce::OncePerStep;
  const double own = gradient_bytes(w.training);
  return waits ? std::max<double>(own, w.parallelism.sharding.reduce_bytes) : own;
}

}  // namespace

std::vector<HeldBlock> blocks_of(const Workload& w, const ModelBlocks& model, PlacedChunk at) {
  std::vector<HeldBlock> found;
  for (const LayerKindId kind : layers_of(w, model, at)) {
    found.push_back({&model.kinds[kind], true});
  }
  if (w.embeds(at)) {
    found.push_back({w.decodes(at) ? &model.decoder_embedding : &model.embedding});
  }
  if (w.placement().is_last(at)) {
    found.push_back({&model.head});
  }
  return found;
}

std::vector<HeldBlock> blocks_of(const Workload& w, const ModelBlocks& model, int stage) {
  std::vector<HeldBlock> found;
  for (int chunk = 0; chunk < w.training.chunks; ++chunk) {
    const std::vector<HeldBlock> own = blocks_of(w, model, PlacedChunk{stage, chunk});
    found.insert(found.end(), own.begin(), own.end());
  }
  return found;
}

std::map<AxisSet, double> trained_weights(const Workload& w, const ModelBlocks& model, int stage) {
  std::map<AxisSet, double> held;
  for (const HeldBlock& on_stage : blocks_of(w, model, stage)) {
    for (const auto& [copies, parameters] : trained_by_copies(*on_stage.block)) {
      held[copies] += parameters;
    }
  }
  return held;
}

double rank_parameters(const Workload& w, int stage) {
  const ModelBlocks model = build_model(w);
  double parameters = 0;
  for (const HeldBlock& on_stage : blocks_of(w, model, stage)) {
    parameters += weight_of(*on_stage.block).held;
  }
  return parameters;
}

double kept_bytes(const Workload& w, const Weight& weight) {
  const TrainingSpec& training = w.training;
  if (weight.four_bit) {
    return kFourBitBytes;
  }
  if (weight.trained && casts_on_gather(w.parallelism) && has_master(training)) {
    return 4;
  }
  const double wide = element_bytes(training.precision);
  if (!weight.narrow || w.parallelism.zero >= 3) {
    return wide;
  }
  const Quantisation how = quantisation_of(training);
  return (training.narrow_weights ? 0 : wide) + how.copies() * how.bytes;
}

double gathered_bytes(const Workload& w, const Weight& weight) {
  return weight.four_bit ? kFourBitBytes : w.parallelism.sharding.gather_bytes;
}

double updated_bytes(const Workload& w, const Weight& weight) {
  return weight.narrow && w.training.narrow_weights ? quantisation_of(w.training).bytes
                                                    : element_bytes(w.training.precision);
}

std::vector<HeldDuring> memory_over_time(const Workload& w, const ModelBlocks& model, int stage) {
  struct OfChunk {
    Bytes kept, for_weights, again, flowing, logits, head, buffers, copied, on_the_way;
  };
  const bool has_framework = !w.training.framework.empty();
  const double wide = element_bytes(w.training.precision);
  std::vector<OfChunk> chunks;  // of one microbatch
  for (int chunk = 0; chunk < w.training.chunks; ++chunk) {
    OfChunk& of = chunks.emplace_back();
    int copied = 0;
    for (const LayerKindId kind : layers_of(w, model, {stage, chunk})) {
      const Bytes kept = kept_by(model.kinds[kind]);
      if (copied < w.offload.activation_layers) {
        of.copied += kept;
        of.on_the_way += copied++ < kLayersOnTheWay ? kept : Bytes{};
      } else {
        of.kept += kept;
        of.for_weights += model.kinds[kind].for_weights;
      }
      of.again = std::max(of.again, made_again_by(model.kinds[kind]));
      of.buffers = std::max(of.buffers, buffers_of(model.kinds[kind]));
      of.flowing =
          std::max(of.flowing, has_framework ? flowing_in(model.kinds[kind], wide) : Bytes{});
    }
    if (keeps_encoded(w, model, {stage, chunk})) {
      of.kept += RankShape(w).block_input();
      of.for_weights += RankShape(w).block_input();
    }
    if (w.placement().is_last({stage, chunk})) {
      const RankShape shape(w, ModelHalf::Decoder);
      const double logits = shape.logits() * (1 + w.model.prediction_layers);
      of.logits = Bytes{logits * held_bytes(w.training.loss)};
      const std::vector<const Operator*> head = operators_of(model.head);
      const bool apart = (w.training.placeholders || w.training.accumulates_apart) &&
                         std::any_of(head.begin(), head.end(), [](const Operator* op) {
                           return op->part == ModelPart::Head && !op->weight_gradient.empty();
                         });
      of.head = Bytes{apart ? shape.element * (logits + shape.hidden * shape.vocab) : 0};
    }
  }
  const auto chunk_of = [&](const Action& action) {
    return chunks[static_cast<std::size_t>(action.chunk)];
  };
  const std::vector<Action> actions = w.actions(stage);
  std::vector<HeldDuring> held;
  HeldDuring now;
  for (auto first = actions.begin(); first != actions.end();) {
    const auto end = first + (first->with_next ? 2 : 1);
    now.action = *first;
    now.beside = first->with_next ? std::optional(*(end - 1)) : std::nullopt;
    now.buffers = Bytes{};
    Bytes on_the_way;
    Bytes again_after, flowing_after;  // where that is more than the logits, which are gone then
    Bytes ends_after;                  // what is there instead of logits
    for (auto action = first; action != end; ++action) {
      const OfChunk own = chunk_of(*action);
      if (action->is_forward()) {
        now.activations += own.kept;
        now.on_host += own.copied;
        now.logits += own.logits;
        ++now.forwards;
      }
      if (action->gives_gradient()) {
        const Bytes ends = std::max(own.logits, own.head);
        const bool makes_more = own.again + own.flowing > ends;
        again_after += makes_more ? own.again : Bytes{};
        flowing_after += makes_more ? own.flowing : Bytes{};
        ends_after += (makes_more ? Bytes{} : ends) - own.logits;
      }
      now.buffers += own.buffers;
      on_the_way += own.on_the_way;
    }
    held.push_back(now);
    held.back().activations += on_the_way;
    held.back().again = again_after;
    held.back().flowing = flowing_after;
    held.back().logits += ends_after;
    for (; first != end; ++first) {
      const OfChunk own = chunk_of(*first);
      const bool frees_early = w.training.frees_before_weights;
      if (frees_early && first->gives_gradient() && !first->frees()) {
        now.activations += own.for_weights - own.kept;
      }
      if (first->frees()) {
        now.activations -= frees_early && !first->gives_gradient() ? own.for_weights : own.kept;
        now.on_host -= chunk_of(*first).copied;
        now.logits -= chunk_of(*first).logits;
      }
    }
  }
  return held;
}

Bytes MemoryUse::reserved() const {
  // The median over publishers of logs that print both (tests/validation/allocator.csv).
  constexpr double kReserved = 1.05;
  return kReserved * peak();
}

MemoryUse stage_memory(const Workload& w, const ModelBlocks& model, int stage) {
  const std::vector<HeldDuring> moments = memory_over_time(w, model, stage);
  MemoryUse use{.moment = *std::max_element(
                    moments.begin(), moments.end(),
                    [](const HeldDuring& a, const HeldDuring& b) { return a.total() < b.total(); }),
                .gathered = gathered(w, model, stage),
                .framework = beside_gradients(w, model, stage),
                .outside = outside_allocator(w),
                .stage = stage};
  Bytes copied;
  // Where a rank casts what it gathers, the master weights are its weights.
  const double master = casts_on_gather(w.parallelism) && has_master(w.training) ? 4 : 0;
  for (const HeldBlock& held : blocks_of(w, model, stage)) {
    for (const Weight* weight : weights_of(*held.block)) {
      const Shards shards = shards_of(w.parallelism, weight->copies);
      use.parameters += Bytes{weight->held * kept_bytes(w, *weight) / shards.weights};
    }
    for (const Operator* op : operators_of(*held.block)) {
      const Updated updated = updated_by(w.training, *op, held.is_layer, w.model.hidden);
      const Shards shards = shards_of(w.parallelism, op->weight.copies);
      use.gradients += Bytes{w.offload.gradients_in_backward
                                 ? 0
                                 : updated.parameters * accumulated_bytes(w) / shards.gradients};
      (w.offload.optimizer ? use.host : use.optimizer) +=
          Bytes{(updated.parameters * (copied_bytes(w.training) - master) +
                 updated.moments * moment_bytes(w.training)) /
                shards.optimizer};
      use.host += Bytes{w.offload.optimizer
                            ? updated.parameters * gradient_bytes(w.training) / shards.optimizer
                            : 0};
    }
  }
  for (const HeldDuring& moment : moments) {
    copied = std::max(copied, moment.on_host);
  }
  use.host += copied;
  return use;
}

std::vector<MemoryUse> memory_by_stage(const Workload& w) {
  const ModelBlocks model = build_model(w);
  std::vector<MemoryUse> stages;
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    stages.push_back(stage_memory(w, model, stage));
  }
  return stages;
}

MemoryUse memory_use(const Workload& w) {
  const std::vector<MemoryUse> stages = memory_by_stage(w);
  return *std::max_element(
      stages.begin(), stages.end(),
      [](const MemoryUse& a, const MemoryUse& b) { return a.peak() < b.peak(); });
}

Bytes zero_memory(double parameters, double ranks, int stage, double gradient_bytes) {
  const double weights = 2 / (stage >= 3 ? ranks : 1);
  const double gradients = gradient_bytes / (stage >= 2 ? ranks : 1);
  const double optimizer = 12 / (stage >= 1 ? ranks : 1);
  return {parameters * (weights + gradients + optimizer)};
}

}  // namespace danlu
