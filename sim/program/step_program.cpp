#include "sim/program/step_program.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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
    open_.clear();
    first_forward_.clear();
    add_passes(stage);
    add_reductions(stage);
    add_tensor_sums(stage);
    const Placement placement = w_.placement();
    const std::vector<int> tables = w_.table_stages();
    if (w_.parallelism.gathers_ahead()) {
      add_gathers_ahead(stage);
    }
    const bool holds_table = std::find(tables.begin(), tables.end(), stage) != tables.end();
    if (placement.has_copies()) {
      add_copies(stage);
    }
    const bool trains_table = trained_weight_of(model_.embedding).held > 0;
    if (tables.size() > 1 && holds_table && trains_table) {
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
    std::optional<PassKey> first_of_pair;
    for (const Action& action : actions) {
      const bool last = action.frees() && --backwards[action.chunk] == 0;
      const PassKey key{
          {stage, action.chunk}, action.kind, exchanges_of(action, first[action.chunk], last)};
      if (first_of_pair) {
        made_.passes.back().beside = action;
        made_.passes.back().program = program(*first_of_pair, key);
        first_of_pair.reset();
      } else if (action.with_next) {
        made_.passes.push_back({.action = action});
        first_of_pair = key;
      } else {
        const bool cut = last && w_.parallelism.overlap_data && !sums_within_passes();
        made_.passes.push_back({.action = action, .program = program(key), .cut_at_layers = cut});
      }
      if (action.is_forward()) {
        if (first[action.chunk]) {
          first_forward_.emplace_back(action.chunk, made_.passes.last_id());
        }
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
      made.gathers_layers = (splits && (first || sharding.reshard != Reshard::AfterStep)) ||
                            (w_.parallelism.gathers_updated() && first);
      made.gathers_root = made.gathers_layers;
    } else if (action.gives_gradient()) {
      made.gathers_layers = splits && sharding.reshard == Reshard::AfterForward;
      made.gathers_root = made.gathers_layers && !sharding.keeps_root;
    }
    made.reduces = sums_within_passes() && action.frees() &&
                   (last || sharding.reduce == Reduce::EveryMicrobatch);
    return made;
  }

  /// What an action does: kind and exchanges, of a chunk by its place or by what it holds.
  using PassKey = std::tuple<PlacedChunk, ActionKind, UnitExchanges>;
  using ProgramKey = std::tuple<Chunk, ActionKind, UnitExchanges>;

  ProgramKey program_key(const PassKey& pass) const {
    const auto& [at, kind, made] = pass;
    return {chunk_at(w_, model_, at), kind, made};
  }
  Program made(const ProgramKey& key) const {
    const auto& [chunk, kind, exchanges] = key;
    return make_program(w_, model_, chunk, kind, exchanges);
  }
  /// One of a pair, kept for all pairs that have it.
  const Program& made_of(const ProgramKey& key) {
    const auto [known, is_new] = actions_.try_emplace(key);
    if (is_new) {
      known->second = made(key);
    }
    return known->second;
  }

  /// Of an action, or of two side by side.
  ProgramId program(const PassKey& pass, const std::optional<PassKey>& beside = {}) {
    const auto [known, is_new] = programs_.try_emplace(std::pair(pass, beside));
    if (is_new) {
      const ProgramKey key = program_key(pass);
      const std::optional<ProgramKey> second =
          beside ? std::optional(program_key(*beside)) : std::nullopt;
      const auto [same, is_first] =
          programs_of_chunks_.try_emplace(std::pair(key, second), step_.programs.next_id());
      if (is_first) {
        step_.programs.push_back(second ? paired(made_of(key), made_of(*second)) : made(key));
      }
      known->second = same->second;
    }
    return known->second;
  }

  static std::string named(std::string_view what, AxisSet copies) {
    return copies == kDataAxes ? std::string(what) : fmt::format("{} of experts", what);
  }

  /// One at the end, or a bucket for each layer behind the last backward pass: these queue up by
  /// groups, whose communicators know nothing of each other.
  void add_reductions(int stage) {
    if (sums_within_passes()) {
      return;
    }
    std::vector<std::pair<GroupSort, EndId>> queues;  // the last of each
    for (const GradientBucket& bucket : gradient_buckets(w_, model_, stage)) {
      std::optional<EndId> of_bucket;
      for (const GradientSum& sum : gradient_sums(w_.parallelism, bucket.copies)) {
        const bool scattered_before = sum.share < 1;
        EndStep reduce{
            .name = named(scattered_before ? "sum shards" : "reduce gradients", bucket.copies),
            .sort = GroupSort{sum.axes, Span::All},
            .op = sum.op,
            .bytes = {bucket.parameters * w_.training.gradient_bytes * sum.share}};
        if (!bucket.chunk) {
          add(std::move(reduce));
          continue;
        }
        reduce.layer = {last_backward_[bucket.chunk->chunk], bucket.layer};
        const auto queue = std::find_if(queues.begin(), queues.end(),
                                        [&](const auto& one) { return one.first == *reduce.sort; });
        if (queue != queues.end()) {
          reduce.after = {queue->second};
        }
        if (of_bucket) {
          reduce.after.push_back(*of_bucket);
        }
        const EndId id = made_.ends.next_id();
        (queue != queues.end() ? *queue : queues.emplace_back(*reduce.sort, id)).second = id;
        of_bucket = id;
        made_.ends.push_back(std::move(reduce));
      }
    }
    for (const auto& [sort, last] : queues) {
      open_.push_back(last);
    }
  }

  /// Over tensor ranks, of what each of them holds whole and has summed over its own tokens.
  void add_tensor_sums(int stage) {
    const ParallelismSpec& p = w_.parallelism;
    if (!p.sums_whole || !p.sequence || p.tensor == 1) {
      return;
    }
    double held = 0;
    for (const HeldBlock& on_stage : blocks_of(w_, model_, stage)) {
      for (const Weight* weight : weights_of(*on_stage.block)) {
        const double part = weight->trained ? weight->partial : 0;
        held += part / shards_of(p, weight->copies).gradients;
      }
    }
    if (held > 0) {
      add({.name = "sum over tensor ranks",
           .sort = GroupSort{Axis::Tensor, Span::All},
           .bytes = {held * gradient_bytes(w_.training)}});
    }
  }

  /// Two stages that hold the same parts, each in another copy of the model, sum their gradients.
  void add_copies(int stage) {
    double held = 0;
    for (const auto& [copies, parameters] : trained_weights(w_, model_, stage)) {
      held += parameters / shards_of(w_.parallelism, copies).gradients;
    }
    if (held == 0) {
      return;
    }
    add({.name = "sum gradients of both copies",
         .sort = kCopyGroups,
         .bytes = {held * w_.training.gradient_bytes}});
  }

  /// Where state is split a rank updates its shard, and gathers the others' if it holds whole
  /// weights. What narrow products use of them is made at once, for all passes of the next step.
  void add_update(int stage) {
    EndStep passes{.name = "passes over gradients", .sort = std::nullopt};
    EndStep update{.name = "optimizer", .sort = std::nullopt};
    std::map<AxisSet, double> momentum;  // bytes of matrices, by their weights' copies
    std::map<AxisSet, double> gathered;
    double cast = 0;
    double on_host = 0;  // parameters, where the CPUs update them
    for (const HeldBlock& held : blocks_of(w_, model_, stage)) {
      for (const Operator* op : operators_of(*held.block)) {
        const Updated updated = updated_by(w_.training, *op, held.is_layer, w_.model.hidden);
        add_to(update, updated, *op);
        passes.bytes +=
            gradient_pass_bytes(w_.training, w_.parallelism, op->weight.copies, updated.parameters);
        on_host += updated.parameters / shards_of(w_.parallelism, op->weight.copies).optimizer;
        if (updated.gathered > 0) {
          momentum[op->weight.copies] += updated.gathered * 2;
        }
      }
      for (const Weight* weight : weights_of(*held.block)) {
        if (weight->trained && weight->held > 0) {
          gathered[weight->copies] += weight->held * updated_bytes(w_, *weight);
          cast += weight->narrow ? weight->held * cast_bytes() : 0;
        }
      }
    }
    if (update.bytes == Bytes{}) {
      return;
    }
    if (passes.bytes > Bytes{}) {
      add(std::move(passes));
    }
    gather_shards("gather momentum", momentum);
    w_.offload.optimizer ? add_host_update(on_host) : add(std::move(update));
    if (w_.parallelism.zero < 3) {
      if (!w_.parallelism.overlaps_updated()) {
        gather_shards("gather parameters", gathered);
      }
      place_pieces(stage);
    }
    if (cast > 0) {
      add({.name = "cast weights", .sort = std::nullopt, .bytes = {cast}});
    }
  }

  void add_to(EndStep& update, const Updated& updated, const Operator& op) const {
    const double shards = shards_of(w_.parallelism, op.weight.copies).optimizer;
    const bool writes = has_master(w_.training) && !casts_on_gather(w_.parallelism);
    const double written = writes ? updated_bytes(w_, op.weight) : 0;
    update.bytes += moved_by(w_.training, updated, written) / shards;
    for (const auto& [kernel, times] : updated.products) {
      const auto same = std::find_if(update.products.begin(), update.products.end(),
                                     [&](const Repeated& one) { return one.kernel == kernel; });
      if (same == update.products.end()) {
        update.products.push_back({kernel, times / shards});
      } else {
        same->times += times / shards;
      }
    }
  }

  /// Bytes that quantising an updated weight moves; none where gathers for passes do it.
  double cast_bytes() const {
    const Quantisation how = quantisation_of(w_.training);
    if (w_.parallelism.zero >= 3) {
      return 0;
    }
    if (w_.training.narrow_weights) {
      return how.transposes ? 2 * how.bytes : 0;  // of what the optimizer wrote
    }
    return how.reads * element_bytes(w_.training.precision) + how.copies() * how.bytes;
  }

  /// What every rank has a shard of, by the weights' copies.
  void gather_shards(std::string_view what, const std::map<AxisSet, double>& bytes) {
    for (const auto& [copies, whole] : bytes) {
      const AxisSet axes = shard_axes(w_.parallelism, copies);
      if (!axes.empty()) {
        add({.name = named(what, copies),
             .sort = GroupSort{axes, Span::All},
             .op = CollectiveOp::AllGather,
             .bytes = {whole}});
      }
    }
  }

  /// Updated weights of the step before, a chunk after the other as they are first used.
  ///
  ///   gathers   chunk 0 | chunk 1 | chunk 2
  ///   passes            | F0 F0 F0 F1 F1 ..
  void add_gathers_ahead(int stage) {
    std::map<AxisSet, EndId> queues;  // the last of each: groups know nothing of each other
    for (const auto& [chunk, pass] : first_forward_) {
      std::map<AxisSet, double> gathered;
      for (const HeldBlock& held : blocks_of(w_, model_, PlacedChunk{stage, chunk})) {
        for (const Weight* weight : weights_of(*held.block)) {
          if (weight->trained && weight->held > 0) {
            gathered[weight->copies] += weight->held * updated_bytes(w_, *weight);
          }
        }
      }
      for (const auto& [copies, whole] : gathered) {
        const AxisSet axes = shard_axes(w_.parallelism, copies);
        if (axes.empty()) {
          continue;
        }
        EndStep gather{.name = named("gather parameters", copies),
                       .sort = GroupSort{axes, Span::All},
                       .op = CollectiveOp::AllGather,
                       .bytes = {whole},
                       .ahead_of = pass};
        const auto [last, is_first] = queues.try_emplace(axes);
        if (!is_first) {
          gather.after = {last->second};
        }
        last->second = made_.ends.push_back(std::move(gather));
      }
    }
  }

  /// Every tensor's part of every rank, by a copy of its own.
  void place_pieces(int stage) {
    double pieces = 0;
    for (const HeldBlock& held : blocks_of(w_, model_, stage)) {
      for (const Weight* weight : weights_of(*held.block)) {
        const int ranks = shards_of(w_.parallelism, weight->copies).optimizer;
        pieces += weight->trained && weight->held > 0 && ranks > 1 ? ranks : 0;
      }
    }
    const Seconds piece = w_.host.on_its_cpu().piece;
    if (pieces > 0 && piece > Seconds{}) {
      add({.name = "place parameters", .sort = std::nullopt, .launched = pieces * piece});
    }
  }

  /// In pieces: gradients down, update by the CPUs, weights up, each behind the piece before it.
  void add_host_update(double updated) {
    const int pieces = w_.offload.pieces;
    const std::size_t first = w_.offload.gradients_in_backward ? 1 : 0;  // these are there by then
    std::array<std::vector<EndId>, 3> previous{};
    previous[first] = open_;
    for (int piece = 0; piece < pieces; ++piece) {
      const double share = updated / pieces;
      const std::array steps{
          EndStep{.name = "gradients to host",
                  .sort = kToHost,
                  .op = CollectiveOp::SendReceive,
                  .bytes = {share * gradient_bytes(w_.training)}},
          EndStep{.name = "optimizer on host", .sort = std::nullopt, .on_host = share},
          EndStep{.name = "weights from host",
                  .sort = kFromHost,
                  .op = CollectiveOp::SendReceive,
                  .bytes = {share * element_bytes(w_.training.precision)}}};
      std::optional<EndId> before;
      for (std::size_t i = first; i < steps.size(); ++i) {
        EndStep step = steps[i];
        step.after = previous[i];
        if (before) {
          step.after.push_back(*before);
        }
        before = made_.ends.push_back(std::move(step));
        previous[i] = {*before};
      }
    }
    open_ = {made_.ends.last_id()};
  }

  /// Each waits for the one before.
  void add(EndStep step) {
    step.after = std::move(open_);
    open_ = {made_.ends.push_back(std::move(step))};
  }

  const Workload& w_;
  const ModelBlocks& model_;
  StepProgram& step_;
  StageProgram made_;
  std::vector<EndId> open_;  // of the end: what comes next waits for these
  std::vector<std::pair<int, PassId>> first_forward_;  // of each chunk, in order
  std::map<int, PassId> last_backward_;    // by chunk: what finishes the gradients of its weights
  std::map<ProgramKey, Program> actions_;  // of pairs, one by one
  std::map<std::pair<PassKey, std::optional<PassKey>>, ProgramId> programs_;
  std::map<std::pair<ProgramKey, std::optional<ProgramKey>>, ProgramId> programs_of_chunks_;
};

/// Which pass goes on with what a pass made: by direction, chunk and microbatch.
using Takers = std::map<std::tuple<bool, int, int>, PassId>;

/// Calls `visit` with each action of a pass, and whether it is the second of a pair.
template <typename Visit>
void for_actions(const StagePass& pass, const Visit& visit) {
  visit(pass.action, false);
  if (pass.beside) {
    visit(*pass.beside, true);
  }
}

Takers takers_of(const StageProgram& stage) {
  Takers takers;
  for (const PassId id : stage.passes.ids()) {
    for_actions(stage.passes[id], [&](const Action& action, bool) {
      if (action.is_forward() || action.gives_gradient()) {
        takers[{action.is_forward(), action.chunk, action.microbatch}] = id;
      }
    });
  }
  return takers;
}

/// What goes from stage to stage; a stage that is its own next in the model's order sends nothing.
void add_sends(const Workload& w, const ModelBlocks& model, StepProgram& step) {
  std::vector<Takers> takers;
  for (const StageProgram& stage : step.stages) {
    takers.push_back(takers_of(stage));
  }
  const Placement placement = w.placement();
  std::vector<bool> takes;  // a gradient, by part of the model: asked once and not for each pass
  for (int part = 0; part < placement.parts(); ++part) {
    takes.push_back(takes_gradient(w, model, placement.holder(part)));
  }
  for (int from = 0; from < placement.stages(); ++from) {
    StageProgram& stage = step.stages[static_cast<std::size_t>(from)];
    for (const PassId id : stage.passes.ids()) {
      for_actions(stage.passes[id], [&](const Action& action, bool beside) {
        const bool forward = action.is_forward();
        const PlacedChunk at{from, action.chunk};
        const std::optional<PlacedChunk> to =
            forward || action.gives_gradient() ? placement.receiver(at, forward) : std::nullopt;
        const bool sends = forward || (to && takes[static_cast<std::size_t>(placement.part(*to))]);
        if (to && to->stage != from && sends) {
          const Takers& there = takers[static_cast<std::size_t>(to->stage)];
          stage.sends.push_back({id, beside, placement.goes_on(at, forward),
                                 there.at({forward, to->chunk, action.microbatch}),
                                 w.arrays_behind(forward ? at : *to)});
        }
      });
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
  const bool first = w.embeds(at);
  const bool last = w.placement().is_last(at);
  const double held = (first ? trained_weight_of(model.embedding).held : 0) +
                      (last ? trained_weight_of(model.head).held : 0);
  if (held == 0) {
    return;
  }
  const auto whole = [](const GradientBucket& bucket) { return bucket.copies == kDataAxes; };
  if (std::none_of(buckets.begin(), buckets.end(), whole)) {
    buckets.push_back({kDataAxes, 0, at, 0});
  }
  GradientBucket& taking = first ? *std::find_if(buckets.rbegin(), buckets.rend(), whole)
                                 : *std::find_if(buckets.begin(), buckets.end(), whole);
  taking.parameters += held;
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
  add_sends(w, model, step);
  return step;
}

std::vector<GroupSort> sorts_within(const StepProgram& step, int stage) {
  std::vector<GroupSort> found;
  for_exchanges_within(step, step.stage(stage),
                       [&](const Segment& segment) { add_once(found, segment.sort()); });
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
    if (sort == segment.sort()) {
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
    for (const auto& [copies, parameters] : trained_weights(w, model, stage)) {
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
      for (const auto& [copies, parameters] : trained_by_copies(model.kinds[kind])) {
        own.push_back({copies, parameters, at, i});
      }
    }
    add_ends(w, model, at, own);
    buckets.insert(buckets.end(), own.begin(), own.end());
  }
  return buckets;
}

}  // namespace danlu
