#include "sim/program/program.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "sim/program/walk.hpp"
#include "sim/workload/memory.hpp"

namespace danlu {
namespace {

/// What arrived from another stage in slices is put together over the tensor ranks.
Block arrival(const Workload& w, int arrays) {
  Block block;
  if (w.parallelism.scatter_gather && !w.parallelism.sequence) {
    block.steps.emplace_back(Exchange{.bytes = arrays * RankShape(w).boundary(),
                                      .forward = Way{"gather arrival", CollectiveOp::AllGather}});
  }
  return block;
}

/// A layer, and in backward those before it that are computed again as it begins.
struct Visit {
  const Block* block = nullptr;
  std::vector<const Block*> again{};
};

/// Weights that travel together, with the blocks that they belong to as the pass visits them.
struct Unit {
  std::vector<Visit> visits;
  std::map<AxisSet, double> gathered;  // bytes, by the weights' copies
  std::map<AxisSet, double> trained;   // parameters, likewise
  bool takes_gradient = false;
  bool is_layers = true;  // else one of the model's ends

  void add(const Workload& w, const Block& block) {
    visits.push_back({&block});
    for (const Weight* weight : weights_of(block)) {
      gathered[weight->copies] += weight->held * gathered_bytes(w, *weight);
    }
    for (const auto& [copies, held] : trained_by_copies(block)) {
      trained[copies] += held;
    }
    takes_gradient |= block.takes_gradient;
  }
};

/// Copies what the first layers of a chunk keep to the host and back (offload.hpp): a layer's while
/// the next one is computed, and there while the one before it is, so that two are on the GPU.
class Copies {
 public:
  Copies(const OffloadSpec& offload, bool forward, const std::vector<Unit>& units)
      : forward_(forward) {
    for (const Unit& unit : units) {
      for (const Visit& layer : unit.is_layers ? unit.visits : std::vector<Visit>{}) {
        kept_.push_back(kept_by(*layer.block));
      }
    }
    const std::size_t copied =
        std::min(kept_.size(), static_cast<std::size_t>(offload.activation_layers));
    first_ = forward ? 0 : kept_.size() - copied;
    end_ = first_ + copied;
  }

  void begin_layer(Walk& walk) {
    if (forward_) {
      if (is_copied(at_ - kLayersOnTheWay)) {
        walk.wait_for({made_[at_ - kLayersOnTheWay]});
      }
      return;
    }
    for (; made_.size() < end_ - first_ && first_ + made_.size() <= at_ + 1;) {
      made_.push_back(
          walk.add_copy("load activations", kFromHost, kept_[first_ + made_.size()], walk.ready()));
    }
    if (is_copied(at_)) {
      walk.wait_for({made_[at_ - first_]});
    }
  }
  void end_layer(Walk& walk) {
    if (forward_ && is_copied(at_)) {
      made_.push_back(walk.add_copy("offload activations", kToHost, kept_[at_], walk.ready()));
    }
    ++at_;
  }

 private:
  bool is_copied(std::size_t layer) const { return layer >= first_ && layer < end_; }

  bool forward_;
  std::vector<Bytes> kept_;  // by layer as the pass visits them, as all below
  std::size_t first_ = 0;
  std::size_t end_ = 0;
  std::size_t at_ = 0;
  std::vector<std::size_t> made_;  // copies
};

/// Writes a pass: its blocks, and beside them what their units exchange. A unit is some layers; the
/// root unit is what the chunk holds of the model's ends, and there all through the pass, unless
/// they are units as others.
///
///   exchanges   gather root | gather 1  | gather 2 |       | gather 3 |       prefetch 1
///   compute                 | embedding |     unit 1       |     unit 2       | unit 3
class PassWriter {
 public:
  PassWriter(const Workload& w, const ModelBlocks& model, ActionKind kind,
             const UnitExchanges& made)
      : w_(w), model_(model), kind_(kind), made_(made), walk_(w, kind) {}

  Program write(const Chunk& chunk) {
    const bool forward = kind_ == ActionKind::Forward;
    const bool alone = !chunk.decodes || (forward && chunk.first);  // an array, as it arrives
    const Block arriving = arrival(w_, alone ? 1 : 2);
    const bool in_root = !w_.parallelism.sharding.ends_are_units;
    Unit root;
    if (chunk.first && in_root) {
      root.add(w_, model_.embedding);
    }
    if (chunk.last && in_root) {
      root.add(w_, model_.head);
    }
    const std::vector<Unit> units = units_of_pass(chunk);
    const std::vector<std::size_t> gathered =
        made_.gathers_root ? gather(root) : std::vector<std::size_t>{};
    begin(units);
    walk_.wait_for(gathered);
    const bool begins = forward ? chunk.first && !chunk.decodes : chunk.last;
    if (!begins && kind_ != ActionKind::Weight && (forward || chunk.takes_gradient)) {
      walk_.forward(arriving);
    }
    if (in_root && (forward ? chunk.first : chunk.last)) {
      visit(forward ? model_.embedding : model_.head);
    }
    Copies copies(w_.offload, forward, units);
    for (std::size_t n = 0; n < units.size(); ++n) {
      enter(units, n);
      for (const Visit& layer : units[n].visits) {
        if (!units[n].is_layers) {
          visit(*layer.block);
          continue;
        }
        for (const Block* block : layer.again) {
          walk_.again(*block);
        }
        copies.begin_layer(walk_);
        visit(*layer.block);
        copies.end_layer(walk_);
        walk_.end_layer();
      }
      reduce(units[n]);
    }
    if (in_root && (forward ? chunk.last : chunk.first)) {
      visit(forward ? model_.head : model_.embedding);
    }
    reduce(root);
    return walk_.take();
  }

 private:
  Unit end_unit(const Block& block) const {
    Unit unit{.is_layers = false};
    unit.add(w_, block);
    return unit;
  }

  /// In the order of the pass.
  std::vector<Unit> units_of_pass(const Chunk& chunk) const {
    const bool backward = kind_ == ActionKind::Backward || kind_ == ActionKind::Input;
    std::vector<Unit> units;
    std::vector<const Block*> again;
    for (const std::vector<LayerKindId>& layers :
         units_of(chunk.layers, w_.parallelism.sharding.unit_layers)) {
      Unit& unit = units.emplace_back();
      for (const LayerKindId layer : layers) {
        const Block& block = model_.kinds[layer];
        unit.add(w_, block);
        if (backward && block.with_next) {
          again.push_back(&block);
        } else {
          unit.visits.back().again = std::exchange(again, {});
        }
      }
    }
    if (w_.parallelism.sharding.ends_are_units) {
      if (chunk.first) {
        units.insert(units.begin(), end_unit(model_.embedding));
      }
      if (chunk.last) {
        units.push_back(end_unit(model_.head));
      }
    }
    if (kind_ != ActionKind::Forward) {
      std::reverse(units.begin(), units.end());
      for (Unit& unit : units) {
        std::reverse(unit.visits.begin(), unit.visits.end());
      }
    }
    return units;
  }

  void visit(const Block& block) {
    switch (kind_) {
      case ActionKind::Forward:
        walk_.forward(block);
        break;
      case ActionKind::Weight:
        walk_.weights(block);
        break;
      default:
        walk_.backward(block);
    }
  }

  /// Lets the first units' weights be gathered, ...
  void begin(const std::vector<Unit>& units) {
    for (int ahead = 0; ahead < w_.parallelism.sharding.prefetch; ++ahead) {
      gather_next(units);
    }
  }
  /// ... and that of one more as a unit begins, which gives one up that has been computed.
  void enter(const std::vector<Unit>& units, std::size_t n) {
    gather_next(units);
    walk_.wait_for(gathered_[n]);
  }
  void gather_next(const std::vector<Unit>& units) {
    const std::size_t next = gathered_.size();
    const bool forward = kind_ == ActionKind::Forward;
    // The head stays as the root unit does.
    const bool stays = next < units.size() && units[next].visits[0].block == &model_.head;
    const bool gathers = (stays ? made_.gathers_root : made_.gathers_layers) &&
                         next < units.size() && (forward || units[next].takes_gradient);
    gathered_.push_back(gathers ? gather(units[next]) : std::vector<std::size_t>{});
  }

  std::vector<std::size_t> gather(const Unit& unit) {
    std::vector<std::size_t> added;
    for (const auto& [copies, bytes] : unit.gathered) {
      const AxisSet axes = shard_axes(w_.parallelism, copies);
      if (!axes.empty()) {
        added.push_back(walk_.add_exchange({.axes = axes, .bytes = {bytes}},
                                           {"gather weights", CollectiveOp::AllGather},
                                           walk_.ready()));
      }
    }
    return added;
  }

  /// Sums the gradients of a unit that is done, beside what follows if the plan overlaps them.
  void reduce(const Unit& unit) {
    if (!made_.reduces) {
      return;
    }
    const std::vector<std::size_t> done = walk_.ready();
    for (const auto& [copies, held] : unit.trained) {
      std::vector<std::size_t> after = done;
      for (const GradientSum& sum : gradient_sums(w_.parallelism, copies)) {
        const Bytes bytes{held * w_.parallelism.sharding.reduce_bytes * sum.share};
        const bool scatters = sum.op == CollectiveOp::ReduceScatter;
        after = {walk_.add_exchange({.axes = sum.axes, .bytes = bytes},
                                    {scatters ? "scatter gradients" : "sum gradients", sum.op},
                                    std::move(after))};
      }
      if (w_.offload.gradients_in_backward) {
        const double shards = shards_of(w_.parallelism, copies).gradients;
        after = {walk_.add_copy("gradients to host", kToHost,
                                {held / shards * gradient_bytes(w_.training)}, std::move(after))};
      }
      if (!w_.parallelism.overlap_data) {
        walk_.wait_for(after);
      }
    }
  }

  const Workload& w_;
  const ModelBlocks& model_;
  ActionKind kind_;
  UnitExchanges made_;
  Walk walk_;
  std::vector<std::vector<std::size_t>> gathered_;  // by unit: what ends its gathers
};

}  // namespace

Chunk chunk_at(const Workload& w, const ModelBlocks& model, PlacedChunk at) {
  return {.layers = layers_of(w, model, at),
          .first = w.embeds(at),
          .last = w.placement().is_last(at),
          .takes_gradient = takes_gradient(w, model, at),
          .decodes = w.decoder_stage() > 0 && at.stage >= w.decoder_stage()};
}

Program make_program(const Workload& w, const ModelBlocks& model, const Chunk& chunk,
                     ActionKind kind, const UnitExchanges& made) {
  return PassWriter(w, model, kind, made).write(chunk);
}

std::vector<ComputeTime> compute_times(const Program& program, const KernelTimer& timer) {
  std::vector<ComputeTime> times;
  for (const Segment& segment : program.segments) {
    times.push_back(segment.again ? timer.recompute_time(segment.kernels)
                                  : timer.time(segment.kernels));
  }
  return times;
}

}  // namespace danlu
