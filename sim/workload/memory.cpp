#include "sim/workload/memory.hpp"

#include <algorithm>
#include <numeric>

#include "sim/schedule/schedule.hpp"
#include "sim/workload/kernels.hpp"
#include "sim/workload/model_blocks.hpp"

namespace danlu {
namespace {

/// Weights that are split over data-parallel ranks.
struct SplitWeights {
  double gathered = 0;  // bytes, when they are whole
  double trained = 0;   // parameters

  SplitWeights& operator+=(const SplitWeights& other) {
    gathered += other.gathered;
    trained += other.trained;
    return *this;
  }
};
SplitWeights split_weights(const Workload& w, const Block& block) {
  SplitWeights sum;
  for (const Weight* weight : weights_of(block)) {
    if (!shard_axes(w.parallelism, weight->copies).empty()) {
      sum += {weight->held * gathered_bytes(w, *weight), weight->trained ? weight->held : 0};
    }
  }
  return sum;
}

/// What is gathered of split weights, and not yet scattered of a unit's gradients. Weights that are
/// given up after forward are there for the unit that computes and those gathered ahead of it; what
/// a stage holds of the model's ends, and otherwise everything, stays until backward.
Bytes gathered(const Workload& w, const ModelBlocks& model, int stage) {
  const ParallelismSpec& p = w.parallelism;
  if (p.zero < 2) {
    return {};
  }
  const bool gives_up = p.sharding.reshard == Reshard::AfterForward;
  double kept = 0;
  double passing = 0;
  double gradients = 0;
  for (int chunk = 0; chunk < w.training.chunks; ++chunk) {
    const PlacedChunk at{stage, chunk};
    const bool in_root = !p.sharding.ends_are_units;
    const bool passes_head = !in_root && !p.sharding.keeps_root;
    std::vector<double> units;
    const auto ahead = static_cast<std::size_t>(p.sharding.prefetch) + 1;
    const auto pass = [&](const SplitWeights& unit) {
      units.push_back(unit.gathered);
      gradients = std::max(gradients, unit.trained);
      passing = std::max(
          passing,
          std::accumulate(units.end() - static_cast<std::ptrdiff_t>(std::min(ahead, units.size())),
                          units.end(), 0.0));
      kept += gives_up ? 0 : unit.gathered;
    };
    const auto add_end = [&](const Block& end, bool passes) {
      const SplitWeights weights = split_weights(w, end);
      if (passes) {
        pass(weights);
      } else {
        kept += weights.gathered;
      }
    };
    if (w.placement().is_first(at)) {
      add_end(model.embedding, !in_root);
    }
    for (const auto& layers : units_of(layers_of(w, model, at), p.sharding.unit_layers)) {
      SplitWeights unit;
      for (const LayerKindId layer : layers) {
        unit += split_weights(w, model.kinds[layer]);
      }
      pass(unit);
    }
    if (w.placement().is_last(at)) {
      add_end(model.head, passes_head);
    }
  }
  Bytes bytes{gradients * element_bytes(w.training.precision)};
  if (p.zero >= 3) {
    bytes += Bytes{kept + (gives_up ? passing : 0)};
  }
  return bytes;
}

}  // namespace

std::vector<HeldBlock> blocks_of(const Workload& w, const ModelBlocks& model, int stage) {
  std::vector<HeldBlock> found;
  for (int chunk = 0; chunk < w.training.chunks; ++chunk) {
    const PlacedChunk at{stage, chunk};
    for (const LayerKindId kind : layers_of(w, model, at)) {
      found.push_back({&model.kinds[kind], true});
    }
    if (w.placement().is_first(at)) {
      found.push_back({&model.embedding});
    }
    if (w.placement().is_last(at)) {
      found.push_back({&model.head});
    }
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
  return (training.narrow_weights ? 0 : wide) + 2 * quantisation_of(training).bytes;
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
    Bytes kept, for_weights, again, logits, buffers, copied, on_the_way;
  };
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
    }
    if (w.placement().is_last({stage, chunk})) {
      const RankShape shape(w);
      of.logits = Bytes{shape.tokens * shape.vocab * w.training.logit_bytes *
                        (1 + w.model.prediction_layers)};
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
    now.again = now.buffers = Bytes{};
    Bytes on_the_way;
    for (auto action = first; action != end; ++action) {
      const OfChunk own = chunk_of(*action);
      if (action->is_forward()) {
        now.activations += own.kept;
        now.on_host += own.copied;
        now.logits += own.logits;
        ++now.forwards;
      }
      now.again += action->gives_gradient() ? own.again : Bytes{};
      now.buffers += own.buffers;
      on_the_way += own.on_the_way;
    }
    held.push_back(now);
    held.back().activations += on_the_way;
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

MemoryUse stage_memory(const Workload& w, const ModelBlocks& model, int stage) {
  const std::vector<HeldDuring> moments = memory_over_time(w, model, stage);
  MemoryUse use{.moment = *std::max_element(
                    moments.begin(), moments.end(),
                    [](const HeldDuring& a, const HeldDuring& b) { return a.total() < b.total(); }),
                .gathered = gathered(w, model, stage),
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
      use.gradients +=
          Bytes{w.offload.gradients_in_backward
                    ? 0
                    : updated.parameters * gradient_bytes(w.training) / shards.gradients};
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

const MemoryUse& fullest(const std::vector<MemoryUse>& stages) {
  return *std::max_element(
      stages.begin(), stages.end(),
      [](const MemoryUse& a, const MemoryUse& b) { return a.peak() < b.peak(); });
}

MemoryUse memory_use(const Workload& w) {
  return fullest(memory_by_stage(w));
}

Bytes zero_memory(double parameters, double ranks, int stage, double gradient_bytes) {
  const double weights = 2 / (stage >= 3 ? ranks : 1);
  const double gradients = gradient_bytes / (stage >= 2 ? ranks : 1);
  const double optimizer = 12 / (stage >= 1 ? ranks : 1);
  return {parameters * (weights + gradients + optimizer)};
}

}  // namespace danlu
