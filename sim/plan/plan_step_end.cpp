// The end of a step: gradients are summed over replicas, the first and the last stage sum those of
// a shared embedding, every rank updates its weights, and with ZeRO-1 gathers those of the others.
#include <algorithm>

#include "sim/plan/step_draft.hpp"
#include "sim/workload/memory.hpp"

namespace danlu {
namespace {

class StepEnd {
 public:
  explicit StepEnd(StepDraft& draft)
      : draft_(draft), w_(draft.workload()), p_(draft.workload().parallelism) {}

  void add() {
    for (std::size_t u = 0; u < draft_.folded().units.size(); ++u) {
      const int unit = static_cast<int>(u);
      const Cell& cell = draft_.cell_of(unit);
      ready_.push_back(cell.ends[cell.track_of(unit)]);
    }
    add_gradient_reduction();
    add_embedding_reduction();
    add_optimizer();
  }

 private:
  int stage_of(const PatternClass& pattern) const { return draft_.unit(pattern.units[0]).stage; }

  void wait_for_all(const std::vector<int>& units, TaskId after) {
    for (const int unit : units) {
      draft_.wait_for(ready_[static_cast<std::size_t>(unit)], after);
    }
  }
  void then(const std::vector<int>& units, TaskId last) {
    for (const int unit : units) {
      ready_[static_cast<std::size_t>(unit)].push_back(last);
    }
  }

  /// Data-parallel reduction: one at the end, or one per layer behind the last backward pass.
  void add_gradient_reduction() {
    const CollectiveOp op = p_.zero == 0 ? CollectiveOp::AllReduce : CollectiveOp::ReduceScatter;
    for (const int id : draft_.patterns_of(PatternKind::Data)) {
      const PatternClass& data = draft_.pattern(id);
      if (p_.overlap_data) {
        then(data.units, add_layer_buckets(id, data, op));
        continue;
      }
      const Bytes bytes{rank_parameters(w_, stage_of(data)) * w_.training.gradient_bytes};
      const CommunicationTasks made = draft_.add_communication(
          draft_.communication(id, CommunicationKind::Data, op, "data group", bytes),
          "reduce gradients", -1, data.units);
      wait_for_all(data.units, made.first);
      then(data.units, made.last);
    }
  }

  /// A bucket per layer, in the order in which the last backward passes finish them; the head's
  /// gradients go with the first, the embedding's, which come last, with the last.
  TaskId add_layer_buckets(int id, const PatternClass& data, CollectiveOp op) {
    const int stage = stage_of(data);
    const int per_chunk = w_.layers_per_chunk(stage);
    const int buckets = w_.stage_layers(stage);
    const double layer = layer_parameters(w_.model) / p_.tensor;
    const double ends = std::max(0.0, rank_parameters(w_, stage) - buckets * layer);
    TaskId last{};
    for (int bucket = 0; bucket < buckets; ++bucket) {
      const bool with_ends = bucket == (stage == 0 ? buckets - 1 : 0);
      const double parameters = layer + (with_ends ? ends : 0);
      const int info = draft_.communication(id, CommunicationKind::Data, op, "data group",
                                            Bytes{parameters * w_.training.gradient_bytes});
      const int chunk = w_.training.chunks - 1 - bucket / per_chunk;
      const auto layer_at = static_cast<std::size_t>(bucket % per_chunk);
      const CommunicationTasks made =
          draft_.add_communication(info, "reduce gradients", -1, data.units);
      for (const int unit : data.units) {
        const Pass& pass = draft_.pass_of(unit, {false, chunk, w_.microbatches() - 1});
        draft_.wait_for(pass.layer_exits[layer_at][draft_.cell_of(unit).track_of(unit)],
                        made.first);
      }
      if (bucket > 0) {
        draft_.graph().add_edge(last, made.first);
      }
      last = made.last;
    }
    return last;
  }

  /// A tied embedding lives on the first and the last stage; its gradients are summed.
  void add_embedding_reduction() {
    for (const int id : draft_.patterns_of(PatternKind::Embedding)) {
      const PatternClass& embedding = draft_.pattern(id);
      const Bytes bytes{static_cast<double>(w_.model.vocab) * w_.model.hidden / p_.tensor *
                        w_.training.gradient_bytes};
      const CommunicationTasks made = draft_.add_communication(
          draft_.communication(id, CommunicationKind::Data, CollectiveOp::AllReduce,
                               "embedding group", bytes),
          "sum embedding gradients", -1, embedding.units);
      wait_for_all(embedding.units, made.first);
      then(embedding.units, made.last);
    }
  }

  /// Adam reads the gradient, reads and writes master weights and both moments in fp32, and writes
  /// the weights where they are not the master copy itself.
  void add_optimizer() {
    const double shards = p_.zero == 0 ? 1 : p_.data;
    const double weight = element_bytes(w_.training.precision);
    const double moved = w_.training.gradient_bytes + 24.0 + (weight == 2 ? 2.0 : 0.0);
    std::vector<TaskId> updated;
    for (std::size_t u = 0; u < draft_.folded().units.size(); ++u) {
      const RankClass& unit = draft_.folded().units[u];
      const double parameters = rank_parameters(w_, unit.stage) / shards;
      const ComputeTime time = slowest(unit.speeds, [&](int kind) {
        return draft_.timer(kind).optimizer_time({parameters * moved});
      });
      const TaskId task = draft_.graph().add({.kind = TaskKind::Compute,
                                              .duration = time.total(),
                                              .name = "optimizer",
                                              .compute = time},
                                             {static_cast<int>(u)});
      draft_.wait_for(ready_[u], task);
      updated.push_back(task);
    }
    if (p_.zero == 0) {
      return;
    }
    for (const int id : draft_.patterns_of(PatternKind::Data)) {
      const PatternClass& data = draft_.pattern(id);
      const Bytes bytes{rank_parameters(w_, stage_of(data)) * weight};
      const CommunicationTasks made = draft_.add_communication(
          draft_.communication(id, CommunicationKind::Data, CollectiveOp::AllGather, "data group",
                               bytes),
          "gather parameters", -1, data.units);
      for (const int unit : data.units) {
        draft_.graph().add_edge(updated[static_cast<std::size_t>(unit)], made.first);
      }
    }
  }

  StepDraft& draft_;
  const Workload& w_;
  const ParallelismSpec& p_;
  std::vector<Tasks> ready_;  // by unit: what the optimizer waits for
};

}  // namespace

void add_step_end(StepDraft& draft) {
  StepEnd(draft).add();
}

}  // namespace danlu
