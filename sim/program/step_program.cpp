#include "sim/program/step_program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "sim/workload/memory.hpp"

namespace danlu {
namespace {

/// Writes what one stage does. One class, since its end waits for passes that it noted on the way.
class StageWriter {
 public:
  StageWriter(const Workload& w, const ModelBlocks& model, StepProgram& step)
      : w_(w), model_(model), step_(step) {}

  StageProgram write(int stage) {
    made_ = {};
    add_passes(stage);
    add_reductions(stage);
    const Placement placement = w_.placement();
    const bool holds_table = placement.holds_first(stage) || placement.holds_last(stage);
    const bool tied_to_itself = placement.holds_last(placement.first_stage());
    if (placement.has_copies()) {
      add_copies(stage);
    }
    if (!tied_to_itself && w_.model.tied_embeddings && holds_table) {
      const double table = w_.model.rank_vocab(w_.parallelism.tensor) * w_.model.hidden;
      const int shards = shards_of(w_.parallelism, kDataAxes).gradients;
      add({.name = "sum embedding gradients",
           .sort = kEmbeddingGroups,
           .bytes = {table / shards * w_.training.gradient_bytes}});
    }
    add_update(stage);
    return std::move(made_);
  }

 private:
  void add_passes(int stage) {
    const std::vector<Action> actions = w_.actions(stage);
    std::vector<bool> first(w_.training.chunks, true);  // forward pass, by chunk
    std::vector<int> backwards(w_.training.chunks);     // that are still to come
    for (const Action& action : actions) {
      backwards[action.chunk] += action.frees() ? 1 : 0;
    }
    for (const Action& action : actions) {
      const bool last = action.frees() && --backwards[action.chunk] == 0;
      const bool cut = last && w_.parallelism.overlap_data && !sums_within_passes();
      const UnitExchanges made = exchanges_of(action, first[action.chunk], last);
      made_.passes.push_back({action, program({stage, action.chunk}, action.kind, made), cut});
      if (action.is_forward()) {
        first[action.chunk] = false;
      }
      if (last) {
        last_backward_[action.chunk] = made_.passes.last_id();
      }
    }
  }

  /// Whether gradients are reduced in backward passes, unit by unit; else at the end of the step.
  bool sums_within_passes() const { return w_.parallelism.zero >= 2; }

  /// `first`: forward pass of its chunk; `last`: that leaves gradients to it.
  UnitExchanges exchanges_of(const Action& action, bool first, bool last) const {
    const ShardingSpec& sharding = w_.parallelism.sharding;
    const bool splits = w_.parallelism.zero >= 3;
    UnitExchanges made;
    if (action.is_forward()) {
      made.gathers_layers = splits && (first || sharding.reshard != Reshard::AfterStep);
      made.gathers_root = made.gathers_layers;
    } else if (action.gives_gradient()) {
      made.gathers_layers = splits && sharding.reshard == Reshard::AfterForward;
      made.gathers_root = made.gathers_layers && !sharding.keeps_root;
    }
    made.reduces = sums_within_passes() && action.frees() &&
                   (last || sharding.reduce == Reduce::EveryMicrobatch);
    return made;
  }

  ProgramId program(PlacedChunk at, ActionKind kind, const UnitExchanges& made) {
    const auto [known, is_new] = programs_.try_emplace(std::tuple(at, kind, made));
    if (is_new) {
      const auto [same, is_first] = programs_of_chunks_.try_emplace(
          std::tuple(chunk_at(w_, model_, at), kind, made), step_.programs.next_id());
      if (is_first) {
        step_.programs.push_back(
            make_program(w_, model_, std::get<Chunk>(same->first), kind, made));
      }
      known->second = same->second;
    }
    return known->second;
  }

  static std::string named(std::string_view what, AxisSet copies) {
    return copies == kDataAxes ? std::string(what) : fmt::format("{} of experts", what);
  }

  /// One at the end, or a bucket for each layer behind the last backward pass.
  void add_reductions(int stage) {
    if (sums_within_passes()) {
      return;
    }
    for (const GradientBucket& bucket : gradient_buckets(w_, model_, stage)) {
      for (const GradientSum& sum : gradient_sums(w_.parallelism, bucket.copies)) {
        const bool scattered_before = sum.share < 1;
        EndStep reduce{
            .name = named(scattered_before ? "sum shards" : "reduce gradients", bucket.copies),
            .sort = GroupSort{sum.axes, Span::All},
            .op = sum.op,
            .bytes = {bucket.parameters * w_.training.gradient_bytes * sum.share}};
        if (bucket.chunk) {
          reduce.layer = {last_backward_[bucket.chunk->chunk], bucket.layer};
        }
        add(std::move(reduce));
      }
    }
  }

  /// Two stages that hold the same parts, each in another copy of the model, sum their gradients.
  void add_copies(int stage) {
    double held = 0;
    for (const auto& [copies, parameters] : stage_weights(w_, model_, stage)) {
      held += parameters / shards_of(w_.parallelism, copies).gradients;
    }
    add({.name = "sum gradients of both copies",
         .sort = kCopyGroups,
         .bytes = {held * w_.training.gradient_bytes}});
  }

  /// Adam reads the gradient, reads and writes master weights and both moments in fp32, and writes
  /// the weights where they are not the master copy itself. Where state is split a rank updates its
  /// shard, and gathers the others' if it holds whole weights.
  void add_update(int stage) {
    const AdamBytes adam = adam_bytes(w_.training);
    const double copied = adam.state == 16 ? 8.0 : 0.0;  // fp32 copies of gradients, both ways
    const bool writes_copy = adam.weight == 2 && !casts_on_gather(w_.parallelism);
    const double moved = adam.gradient + copied + 24.0 + (writes_copy ? 2.0 : 0.0);
    const std::map<AxisSet, double> held = stage_weights(w_, model_, stage);
    double updated = 0;
    for (const auto& [copies, parameters] : held) {
      updated += parameters / shards_of(w_.parallelism, copies).optimizer;
    }
    add({.name = "optimizer", .sort = std::nullopt, .bytes = {updated * moved}});
    for (const auto& [copies, parameters] : held) {
      const AxisSet axes = shard_axes(w_.parallelism, copies);
      if (!axes.empty() && w_.parallelism.zero < 3) {
        add({.name = named("gather parameters", copies),
             .sort = GroupSort{axes, Span::All},
             .op = CollectiveOp::AllGather,
             .bytes = {parameters * element_bytes(w_.training.precision)}});
      }
    }
  }

  /// Each waits for the one before.
  void add(EndStep step) {
    if (!made_.ends.empty()) {
      step.after = {made_.ends.last_id()};
    }
    made_.ends.push_back(std::move(step));
  }

  const Workload& w_;
  const ModelBlocks& model_;
  StepProgram& step_;
  StageProgram made_;
  std::map<int, PassId> last_backward_;  // by chunk: what finishes the gradients of its weights
  std::map<std::tuple<PlacedChunk, ActionKind, UnitExchanges>, ProgramId> programs_;
  std::map<std::tuple<Chunk, ActionKind, UnitExchanges>, ProgramId> programs_of_chunks_;
};

/// Which pass goes on with what a pass made: by direction, chunk and microbatch.
using Takers = std::map<std::tuple<bool, int, int>, PassId>;

Takers takers_of(const StageProgram& stage) {
  Takers takers;
  for (const PassId id : stage.passes.ids()) {
    const Action& action = stage.passes[id].action;
    if (action.is_forward() || action.gives_gradient()) {
      takers[{action.is_forward(), action.chunk, action.microbatch}] = id;
    }
  }
  return takers;
}

/// What goes from stage to stage; a stage that is its own next in the model's order sends nothing.
void add_sends(const Workload& w, StepProgram& step) {
  std::vector<Takers> takers;
  for (const StageProgram& stage : step.stages) {
    takers.push_back(takers_of(stage));
  }
  const Placement placement = w.placement();
  for (int from = 0; from < placement.stages(); ++from) {
    StageProgram& stage = step.stages[static_cast<std::size_t>(from)];
    for (const PassId id : stage.passes.ids()) {
      const Action& action = stage.passes[id].action;
      const bool forward = action.is_forward();
      const PlacedChunk at{from, action.chunk};
      const std::optional<PlacedChunk> to =
          forward || action.gives_gradient() ? placement.receiver(at, forward) : std::nullopt;
      if (to && to->stage != from) {
        const Takers& there = takers[static_cast<std::size_t>(to->stage)];
        stage.sends.push_back({id, placement.goes_on(at, forward),
                               there.at({forward, to->chunk, action.microbatch})});
      }
    }
  }
}

template <typename Value>
void add_once(std::vector<Value>& values, const Value& value) {
  if (std::find(values.begin(), values.end(), value) == values.end()) {
    values.push_back(value);
  }
}

/// Calls `visit` with the exchanges of every program that the stage runs, program by program.
template <typename Visit>
void for_exchanges_within(const StepProgram& step, const StageProgram& stage, const Visit& visit) {
  IdVector<ProgramId, bool> seen(step.programs.size());
  for (const StagePass& pass : stage.passes) {
    if (seen[pass.program]) {
      continue;
    }
    seen[pass.program] = true;
    for (const Segment& segment : step.programs[pass.program].segments) {
      if (!segment.is_compute) {
        visit(segment);
      }
    }
  }
}

/// What a chunk holds of the model's ends goes with its last bucket, or its first where that is the
/// head alone; with one of its own where the chunk has no layers.
void add_ends(const Workload& w, const ModelBlocks& model, PlacedChunk at,
              std::vector<GradientBucket>& buckets) {
  const bool first = w.placement().is_first(at);
  const bool last = w.placement().is_last(at);
  if (!first && !last) {
    return;
  }
  const auto whole = [](const GradientBucket& bucket) { return bucket.copies == kDataAxes; };
  if (std::none_of(buckets.begin(), buckets.end(), whole)) {
    buckets.push_back({kDataAxes, 0, at, 0});
  }
  GradientBucket& taking = first ? *std::find_if(buckets.rbegin(), buckets.rend(), whole)
                                 : *std::find_if(buckets.begin(), buckets.end(), whole);
  taking.parameters += first ? weight_of(model.embedding).held : 0;
  taking.parameters += last ? weight_of(model.head).held : 0;
}

}  // namespace

StepProgram make_step_program(const Workload& w) {
  const ModelBlocks model = build_model(w);
  const ParallelismSpec& p = w.parallelism;
  StepProgram step;
  step.sent = RankShape(w).boundary() / (p.sequence || p.scatter_gather ? p.tensor : 1);
  StageWriter writer(w, model, step);
  for (int stage = 0; stage < p.pipeline; ++stage) {
    step.stages.push_back(writer.write(stage));
  }
  add_sends(w, step);
  return step;
}

std::vector<GroupSort> sorts_within(const StepProgram& step, int stage) {
  std::vector<GroupSort> found;
  for_exchanges_within(step, step.stage(stage), [&](const Segment& segment) {
    add_once(found, {segment.axes, Span::All});
  });
  return found;
}

std::vector<GroupSort> sorts_of(const StepProgram& step, int stage) {
  std::vector<GroupSort> found = sorts_within(step, stage);
  for (const EndStep& end : step.stage(stage).ends) {
    if (end.sort) {
      add_once(found, *end.sort);
    }
  }
  return found;
}

std::vector<Demand> demands(const StepProgram& step, GroupSort sort, int stage) {
  const StageProgram& own = step.stage(stage);
  std::vector<Demand> found;
  for_exchanges_within(step, own, [&](const Segment& segment) {
    if (sort == GroupSort{segment.axes, Span::All}) {
      add_once(found, segment.demand);
    }
  });
  for (const EndStep& end : own.ends) {
    if (end.sort == sort) {
      add_once(found, Demand{end.op, end.bytes});
    }
  }
  return found;
}

std::vector<GradientBucket> gradient_buckets(const Workload& w, const ModelBlocks& model,
                                             int stage) {
  std::vector<GradientBucket> buckets;
  if (!w.parallelism.overlap_data) {
    for (const auto& [copies, parameters] : stage_weights(w, model, stage)) {
      buckets.push_back({copies, parameters});
    }
    return buckets;
  }
  for (int chunk = w.training.chunks; chunk-- > 0;) {
    const PlacedChunk at{stage, chunk};
    const std::vector<LayerKindId> layers = layers_of(w, model, at);
    std::vector<GradientBucket> own;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const LayerKindId kind = layers[layers.size() - 1 - i];
      for (const auto& [copies, parameters] : weights_by_copies(model.kinds[kind])) {
        own.push_back({copies, parameters, at, i});
      }
    }
    add_ends(w, model, at, own);
    buckets.insert(buckets.end(), own.begin(), own.end());
  }
  return buckets;
}

}  // namespace danlu
