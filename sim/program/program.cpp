#include "sim/program/program.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "sim/program/walk.hpp"
#include "sim/workload/shard_units.hpp"

namespace danlu {
namespace {

/// What arrived from another stage in slices is put together over the tensor ranks.
Block arrival(const Workload& w, double arrays) {
  Block block;
  if (w.parallelism.scatter_gather && !w.parallelism.sequence) {
    block.steps.emplace_back(Exchange{.bytes = arrays * RankShape(w).boundary(),
                                      .forward = Way{"gather arrival", CollectiveOp::AllGather}});
  }
  return block;
}

/// Copies what the first layers of a chunk keep to the host and back (offload.hpp): a layer's while
/// the next one is computed, and there while the one before it is, so that two are on the GPU.
class Copies {
 public:
  Copies(const OffloadSpec& offload, bool forward, const std::vector<Stretch>& stretches)
      : forward_(forward) {
    for (const Stretch& stretch : stretches) {
      if (stretch.is_layer && stretch.begins_block) {
        kept_.push_back(kept_by(*stretch.block));
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

/// Writes a pass: its blocks, and beside them what their units exchange (shard_units.hpp). The root
/// unit is there all through the pass.
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
    const Block arriving = arrival(w_, forward ? chunk.arrays : chunk.gradients);
    const UnitsOfPass pass =
        units_of_pass(w_, model_, {chunk.layers, chunk.first, chunk.last, chunk.decodes}, order());
    const std::vector<std::size_t> gathered =
        made_.gathers_root ? gather(pass.root) : std::vector<std::size_t>{};
    begin(pass.units);
    arrive(pass.root, gathered);
    const bool begins_here = forward ? chunk.first && !chunk.decodes : chunk.last;
    if (!begins_here && kind_ != ActionKind::Weight && (forward || chunk.takes_gradient)) {
      walk_.forward(arriving);
    }
    Copies copies(w_.offload, forward, pass.stretches);
    for (std::size_t i = 0; i < pass.stretches.size(); ++i) {
      const Stretch& stretch = pass.stretches[i];
      enter(pass.units, stretch.entered);
      for (const Block* block : stretch.again) {
        walk_.again(*block);
      }
      if (stretch.is_layer && stretch.begins_block) {
        copies.begin_layer(walk_);
      }
      visit(stretch);
      if (stretch.is_layer && stretch.ends_block) {
        copies.end_layer(walk_);
        walk_.end_layer();
      }
      for (auto unit = pass.units.rbegin(); unit != pass.units.rend(); ++unit) {
        if (unit->last == i) {  // inner ones first
          reduce(*unit);
        }
      }
    }
    share_amaxes(chunk);
    reduce(pass.root);
    return walk_.take();
  }

 private:
  PassOrder order() const {
    if (kind_ == ActionKind::Forward) {
      return PassOrder::Forward;
    }
    return kind_ == ActionKind::Weight ? PassOrder::Weights : PassOrder::Backward;
  }

  void visit(const Stretch& stretch) {
    switch (kind_) {
      case ActionKind::Forward:
        walk_.forward(*stretch.block, stretch.first, stretch.end);
        break;
      case ActionKind::Weight:
        walk_.weights(*stretch.block, stretch.first, stretch.end);
        break;
      default:
        walk_.backward(*stretch.block, stretch.first, stretch.end);
    }
  }

  /// Lets the first units' weights be gathered, ...
  void begin(const std::vector<ShardUnit>& units) {
    const bool forward = kind_ == ActionKind::Forward;
    const int most = w_.parallelism.sharding.units_ahead(forward);
    for (int ahead = 0; ahead < most; ++ahead) {
      gather_next(units);
    }
  }
  /// ... and that of one more as a unit is entered, when one has been computed and is given up.
  void enter(const std::vector<ShardUnit>& units, std::size_t upto) {
    for (; entered_ < upto; ++entered_) {
      gather_next(units);
      if (entered_ < units.size()) {
        arrive(units[entered_], gathered_[entered_]);
      }
    }
  }
  void gather_next(const std::vector<ShardUnit>& units) {
    const std::size_t next = gathered_.size();
    const bool forward = kind_ == ActionKind::Forward;
    const bool stays = next < units.size() && units[next].stays;
    const bool gathers = (stays ? made_.gathers_root : made_.gathers_layers) &&
                         next < units.size() && (forward || units[next].takes_gradient);
    gathered_.push_back(gathers ? gather(units[next]) : std::vector<std::size_t>{});
  }

  /// Lets compute wait for a unit's weights, which are then copied to their places, if the plan
  /// says so.
  void arrive(const ShardUnit& unit, const std::vector<std::size_t>& gathered) {
    walk_.wait_for(gathered);
    if (gathered.empty() || !copies()) {
      return;
    }
    double bytes = 0;
    for (const auto& [copies, held] : unit.gathered) {
      bytes += held;
    }
    walk_.pass("copy weights", memory_pass(2 * bytes));
  }
  bool copies() const { return w_.training.splits(UnfusedPart::Gathers); }

  std::vector<std::size_t> gather(const ShardUnit& unit) {
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
  void reduce(const ShardUnit& unit) {
    if (!made_.reduces) {
      return;
    }
    copy_gradients(unit);
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

  /// Copies gradients that are scattered next to where they are from, in the width in which they
  /// travel. Where a unit is one flat array they are joined to it, then made as wide, and divided:
  /// autograd's gradient of torch.split, and .to(reduce_dtype) and _div_if_needed of PyTorch's
  /// torch/distributed/fsdp/_runtime_utils.py, whose stream is that of exchanges, but whose kernels
  /// take the multiprocessors and the memory of compute beside them.
  void copy_gradients(const ShardUnit& unit) {
    const bool flat = w_.training.splits(UnfusedPart::Flat);
    if (!copies() && !flat) {
      return;
    }
    const double travel = w_.parallelism.sharding.reduce_bytes;
    const bool kept = w_.parallelism.sharding.reduce == Reduce::OncePerStep;
    const double made = kept ? travel : element_bytes(w_.training.precision);
    const double widened = made == travel ? 0 : made + travel;
    const double each = flat ? 2 * made + widened + 2 * travel : made + travel;
    double bytes = 0;
    for (const auto& [copies, held] : unit.trained) {
      const std::vector<GradientSum> sums = gradient_sums(w_.parallelism, copies);
      const bool scatters = std::any_of(sums.begin(), sums.end(), [](const GradientSum& sum) {
        return sum.op == CollectiveOp::ReduceScatter;
      });
      bytes += scatters ? held * each : 0;
    }
    if (bytes > 0) {
      walk_.pass("copy gradients", memory_pass(bytes));
    }
  }

  /// With delayed scaling: the largest values of this pass, for the scales of the next.
  void share_amaxes(const Chunk& chunk) {
    const AxisSet axes = amax_axes(w_.training);
    if (chunk.layers.empty() || kind_ == ActionKind::Weight ||
        w_.parallelism.mesh().size(axes) == 1) {
      return;
    }
    const bool forward = kind_ == ActionKind::Forward;
    const Bytes bytes = static_cast<double>(chunk.layers.size()) * amaxes_of_layer(forward);
    walk_.wait_briefly("share amaxes", axes, {CollectiveOp::AllReduce, bytes});
  }

  const Workload& w_;
  const ModelBlocks& model_;
  ActionKind kind_;
  UnitExchanges made_;
  Walk walk_;
  std::vector<std::vector<std::size_t>> gathered_;  // by unit: what ends its gathers
  std::size_t entered_ = 0;                         // units
};

}  // namespace

Chunk chunk_at(const Workload& w, const ModelBlocks& model, PlacedChunk at) {
  const std::optional<PlacedChunk> before = w.placement().receiver(at, false);
  return {.layers = layers_of(w, model, at),
          .first = w.embeds(at),
          .last = w.placement().is_last(at),
          .takes_gradient = takes_gradient(w, model, at),
          .decodes = w.decodes(at),
          .arrays = before ? w.arrays_behind(*before) : 1,
          .gradients = w.arrays_behind(at)};
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
