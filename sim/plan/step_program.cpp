#include "sim/plan/step_program.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "sim/workload/memory.hpp"

namespace danlu {
namespace {

class StageWriter {
 public:
  StageWriter(const Workload& w, const ModelBlocks& model, StepProgram& step)
      : w_(w), model_(model), step_(step) {}

  StageProgram write(int stage) {
    made_ = {.parameters = rank_parameters(w_, model_, stage)};
    add_passes(stage);
    add_reductions(stage);
    if (w_.parallelism.pipeline > 1 && w_.model.tied_embeddings && holds_table(stage)) {
      const double table = w_.model.rank_vocab(w_.parallelism.tensor) * w_.model.hidden;
      add({.name = "sum embedding gradients",
           .sort = kEmbeddingGroups,
           .bytes = {table * w_.training.gradient_bytes}});
    }
    add_update();
    return std::move(made_);
  }

 private:
  bool holds_table(int stage) const {
    return stage == w_.placement().first_stage() || stage == w_.placement().last_stage();
  }

  void add_passes(int stage) {
    std::vector<int> forward_programs;  // by chunk
    std::vector<int> backward_programs;
    for (int chunk = 0; chunk < w_.training.chunks; ++chunk) {
      forward_programs.push_back(program({stage, chunk}, true));
      backward_programs.push_back(program({stage, chunk}, false));
    }
    for (const Action& action : w_.actions(stage)) {
      const PlacedChunk at{stage, action.chunk};
      const auto number = static_cast<int>(made_.passes.size());
      const bool last = w_.parallelism.overlap_data && action.frees() &&
                        action.microbatch == w_.microbatches() - 1;
      const bool forward = action.is_forward();
      const std::vector<int>& programs = forward ? forward_programs : backward_programs;
      made_.passes.push_back({action, programs[static_cast<std::size_t>(action.chunk)], last});
      const std::optional<PlacedChunk> to =
          forward || action.gives_gradient() ? w_.placement().receiver(at, forward) : std::nullopt;
      if (to) {
        (forward ? made_.activations : made_.gradients).push_back({number, *to});
      }
    }
  }

  int program(PlacedChunk at, bool forward) {
    const auto [known, is_new] = programs_.try_emplace(std::pair(forward, chunk_at(w_, model_, at)),
                                                       static_cast<int>(step_.programs.size()));
    if (is_new) {
      step_.programs.push_back(forward ? forward_program(w_, model_, known->first.second)
                                       : backward_program(w_, model_, known->first.second));
    }
    return known->second;
  }

  /// One at the end, or a bucket for each layer behind the last backward pass.
  void add_reductions(int stage) {
    if (w_.parallelism.data == 1) {
      return;
    }
    const bool sharded = w_.parallelism.zero > 0;
    EndStep reduce{.name = "reduce gradients",
                   .sort = kReplicaGroups,
                   .op = sharded ? CollectiveOp::ReduceScatter : CollectiveOp::AllReduce};
    int bucket = 0;
    for (const Bytes bytes : gradient_buckets(w_, model_, stage)) {
      reduce.bytes = bytes;
      if (w_.parallelism.overlap_data) {
        const int per_chunk = w_.layers_per_chunk(stage);
        reduce.layer = {last_backward(w_.training.chunks - 1 - bucket / per_chunk),
                        bucket % per_chunk};
        ++bucket;
      }
      add(reduce);
    }
  }

  /// The pass that finishes the gradients of a chunk's weights.
  int last_backward(int chunk) const {
    const auto found =
        std::find_if(made_.passes.rbegin(), made_.passes.rend(), [&](const StagePass& pass) {
          return pass.action.frees() && pass.action.chunk == chunk &&
                 pass.action.microbatch == w_.microbatches() - 1;
        });
    return static_cast<int>(made_.passes.rend() - found) - 1;
  }

  /// Adam reads the gradient, reads and writes master weights and both moments in fp32, and writes
  /// the weights where they are not the master copy itself. With ZeRO-1 a rank updates its share,
  /// and gathers the others'.
  void add_update() {
    const bool sharded = w_.parallelism.zero > 0;
    const AdamBytes adam = adam_bytes(w_.training);
    const double copied = adam.state == 16 ? 8.0 : 0.0;  // fp32 copies of gradients, both ways
    const double moved = adam.gradient + copied + 24.0 + (adam.weight == 2 ? 2.0 : 0.0);
    const double shards = sharded ? w_.parallelism.data : 1;
    add({.name = "optimizer", .sort = std::nullopt, .bytes = {made_.parameters / shards * moved}});
    if (sharded && w_.parallelism.data > 1) {
      add({.name = "gather parameters",
           .sort = kReplicaGroups,
           .op = CollectiveOp::AllGather,
           .bytes = {made_.parameters * element_bytes(w_.training.precision)}});
    }
  }

  /// Each waits for the one before.
  void add(EndStep step) {
    if (!made_.ends.empty()) {
      step.after = {static_cast<int>(made_.ends.size()) - 1};
    }
    made_.ends.push_back(std::move(step));
  }

  const Workload& w_;
  const ModelBlocks& model_;
  StepProgram& step_;
  StageProgram made_;
  std::map<std::pair<bool, Chunk>, int> programs_;
};

void add_once(std::vector<Demand>& demands, const Demand& demand) {
  if (std::find(demands.begin(), demands.end(), demand) == demands.end()) {
    demands.push_back(demand);
  }
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
  return step;
}

std::vector<Demand> demands(const StepProgram& step, GroupSort sort, int stage) {
  const StageProgram& own = step.stages[static_cast<std::size_t>(stage)];
  std::vector<Demand> found;
  std::vector<bool> seen(step.programs.size());
  for (const StagePass& pass : own.passes) {
    const auto program = static_cast<std::size_t>(pass.program);
    if (sort.span != Span::All || seen[program]) {
      continue;
    }
    seen[program] = true;
    for (const Segment& segment : step.programs[program].segments) {
      if (!segment.is_compute && segment.axis == sort.axis) {
        add_once(found, {segment.op, segment.bytes});
      }
    }
  }
  for (const EndStep& end : own.ends) {
    if (end.sort == sort) {
      add_once(found, {end.op, end.bytes});
    }
  }
  return found;
}

std::vector<Bytes> gradient_buckets(const Workload& w, const ModelBlocks& model, int stage) {
  const double gradient = w.training.gradient_bytes;
  if (!w.parallelism.overlap_data) {
    return {Bytes{rank_parameters(w, model, stage) * gradient}};
  }
  double ends = 0;
  std::vector<Bytes> buckets;
  for (int chunk = w.training.chunks; chunk-- > 0;) {
    const PlacedChunk at{stage, chunk};
    const std::vector<int> layers = layers_of(w, model, at);
    for (auto kind = layers.rbegin(); kind != layers.rend(); ++kind) {
      buckets.push_back({weight_of(model.kinds[static_cast<std::size_t>(*kind)]).held * gradient});
    }
    ends += w.placement().is_first(at) ? weight_of(model.embedding).held : 0;
    ends += w.placement().is_last(at) ? weight_of(model.head).held : 0;
  }
  const bool first = stage == w.placement().first_stage();
  (first ? buckets.back() : buckets.front()) += Bytes{ends * gradient};
  return buckets;
}

}  // namespace danlu
