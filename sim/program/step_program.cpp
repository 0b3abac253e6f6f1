#include "sim/program/step_program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "sim/workload/memory.hpp"

namespace danlu {
namespace {

class StageWriter {
 public:
  StageWriter(const Workload& w, const ModelBlocks& model, StepProgram& step)
      : w_(w), model_(model), mesh_(w.parallelism.mesh()), step_(step) {}

  StageProgram write(int stage) {
    made_ = {};
    add_passes(stage);
    add_reductions(stage);
    const Placement placement = w_.placement();
    const bool holds_table = stage == placement.first_stage() || stage == placement.last_stage();
    if (placement.first_stage() != placement.last_stage() && w_.model.tied_embeddings &&
        holds_table) {
      const double table = w_.model.rank_vocab(w_.parallelism.tensor) * w_.model.hidden;
      add({.name = "sum embedding gradients",
           .sort = kEmbeddingGroups,
           .bytes = {table * w_.training.gradient_bytes}});
    }
    add_update(stage);
    return std::move(made_);
  }

 private:
  void add_passes(int stage) {
    for (const Action& action : w_.actions(stage)) {
      made_.passes.push_back({action, program({stage, action.chunk}, action.kind)});
    }
    for (int chunk = 0; w_.parallelism.overlap_data && chunk < w_.training.chunks; ++chunk) {
      made_.passes[last_backward(chunk)].cut_at_layers = true;
    }
  }

  ProgramId program(PlacedChunk at, ActionKind kind) {
    const auto [known, is_new] = programs_.try_emplace(std::pair(at, kind));
    if (is_new) {
      const auto [same, is_first] = programs_of_chunks_.try_emplace(
          std::pair(chunk_at(w_, model_, at), kind), step_.programs.next_id());
      if (is_first) {
        step_.programs.push_back(make_program(w_, model_, same->first.first, kind));
      }
      known->second = same->second;
    }
    return known->second;
  }

  /// What the gradients of weights that are split so are summed over.
  GroupSort replicas(AxisSet split) const {
    return {mesh_.split(kDataAxes.without(split)), Span::All};
  }
  /// Of weights that are split themselves beside others that are not.
  static std::string named(std::string_view what, AxisSet split) {
    return split.empty() ? std::string(what)
                         : fmt::format("{} of {}", what, name_of(GroupSort{split}.axis()));
  }

  /// One at the end, or a bucket for each layer behind the last backward pass.
  void add_reductions(int stage) {
    for (const GradientBucket& bucket : gradient_buckets(w_, model_, stage)) {
      const GroupSort sort = replicas(bucket.split);
      if (sort.axes.empty()) {
        continue;
      }
      EndStep reduce{
          .name = named("reduce gradients", bucket.split),
          .sort = sort,
          .op = w_.parallelism.zero > 0 ? CollectiveOp::ReduceScatter : CollectiveOp::AllReduce,
          .bytes = {bucket.parameters * w_.training.gradient_bytes}};
      if (bucket.chunk) {
        reduce.layer = {last_backward(bucket.chunk->chunk), bucket.layer};
      }
      add(std::move(reduce));
    }
  }

  /// The pass that finishes the gradients of a chunk's weights.
  PassId last_backward(int chunk) const {
    PassId last{};
    for (const PassId id : made_.passes.ids()) {
      const Action& action = made_.passes[id].action;
      last = action.frees() && action.chunk == chunk ? id : last;
    }
    return last;
  }

  /// Adam reads the gradient, reads and writes master weights and both moments in fp32, and writes
  /// the weights where they are not the master copy itself. With ZeRO-1 a rank updates its share,
  /// and gathers the others'.
  void add_update(int stage) {
    const bool sharded = w_.parallelism.zero > 0;
    const AdamBytes adam = adam_bytes(w_.training);
    const double copied = adam.state == 16 ? 8.0 : 0.0;  // fp32 copies of gradients, both ways
    const double moved = adam.gradient + copied + 24.0 + (adam.weight == 2 ? 2.0 : 0.0);
    const std::map<AxisSet, double> held = stage_weights(w_, model_, stage);
    double updated = 0;
    for (const auto& [split, parameters] : held) {
      updated += parameters / (sharded ? mesh_.size(replicas(split).axes) : 1);
    }
    add({.name = "optimizer", .sort = std::nullopt, .bytes = {updated * moved}});
    for (const auto& [split, parameters] : held) {
      if (sharded && !replicas(split).axes.empty()) {
        add({.name = named("gather parameters", split),
             .sort = replicas(split),
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
  Mesh mesh_;
  StepProgram& step_;
  StageProgram made_;
  std::map<std::pair<PlacedChunk, ActionKind>, ProgramId> programs_;
  std::map<std::pair<Chunk, ActionKind>, ProgramId> programs_of_chunks_;
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

/// What a chunk holds of the model's ends goes with its last bucket, or its first where that is only
/// the head; with one of its own where the chunk has no layers.
void add_ends(const Workload& w, const ModelBlocks& model, PlacedChunk at,
              std::vector<GradientBucket>& buckets) {
  const bool first = w.placement().is_first(at);
  const bool last = w.placement().is_last(at);
  if (!first && !last) {
    return;
  }
  const auto whole = [](const GradientBucket& bucket) { return bucket.split.empty(); };
  if (std::none_of(buckets.begin(), buckets.end(), whole)) {
    buckets.push_back({{}, 0, at, 0});
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
      add_once(found, {segment.op, segment.bytes});
    }
  });
  for (const EndStep& end : own.ends) {
    if (end.sort == sort) {
      add_once(found, {end.op, end.bytes});
    }
  }
  return found;
}

std::vector<GradientBucket> gradient_buckets(const Workload& w, const ModelBlocks& model,
                                             int stage) {
  std::vector<GradientBucket> buckets;
  if (!w.parallelism.overlap_data) {
    for (const auto& [split, parameters] : stage_weights(w, model, stage)) {
      buckets.push_back({split, parameters});
    }
    return buckets;
  }
  for (int chunk = w.training.chunks; chunk-- > 0;) {
    const PlacedChunk at{stage, chunk};
    const std::vector<LayerKindId> layers = layers_of(w, model, at);
    std::vector<GradientBucket> own;
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const LayerKindId kind = layers[layers.size() - 1 - i];
      for (const auto& [split, parameters] : weights_by_split(model.kinds[kind])) {
        own.push_back({split, parameters, at, i});
      }
    }
    add_ends(w, model, at, own);
    buckets.insert(buckets.end(), own.begin(), own.end());
  }
  return buckets;
}

}  // namespace danlu
