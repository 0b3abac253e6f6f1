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
  int stage_of(const GroupClass& group) const { return draft_.unit(group.units[0]).stage; }

  void wait_for_all(const std::vector<int>& units, TaskId after) {
    for (const int unit : units) {
      draft_.wait_for(ready_[static_cast<std::size_t>(unit)], after);
    }
  }
  /// `last` is by unit.
  void then(const std::vector<int>& units, const std::vector<Tasks>& last) {
    for (std::size_t u = 0; u < units.size(); ++u) {
      Tasks& ready = ready_[static_cast<std::size_t>(units[u])];
      ready.insert(ready.end(), last[u].begin(), last[u].end());
    }
  }

  /// Data-parallel reduction: one at the end, or one per layer behind the last backward pass.
  void add_gradient_reduction() {
    for (const int id : draft_.groups_of(kReplicaGroups)) {
      const GroupClass& data = draft_.group(id);
      if (p_.overlap_data) {
        then(data.units, add_layer_buckets(id, data));
        continue;
      }
      const Bytes bytes = gradient_buckets(w_, draft_.model(), stage_of(data)).front();
      const PlacedCommunication made = add_reduction(id, bytes);
      wait_for_all(data.units, made.first);
      then(data.units, made.last);
    }
  }

  PlacedCommunication add_reduction(int id, Bytes bytes) {
    return draft_.add_communication(
        draft_.communication(id, CommunicationKind::Data, gradient_op(w_), "data group", bytes),
        "reduce gradients");
  }

  /// A bucket per layer, in the order in which the last backward passes finish them.
  std::vector<Tasks> add_layer_buckets(int id, const GroupClass& data) {
    const int stage = stage_of(data);
    const int per_chunk = w_.layers_per_chunk(stage);
    std::vector<Tasks> last;
    int bucket = 0;
    for (const Bytes bytes : gradient_buckets(w_, draft_.model(), stage)) {
      const int chunk = w_.training.chunks - 1 - bucket / per_chunk;
      const auto layer_at = static_cast<std::size_t>(bucket % per_chunk);
      PlacedCommunication made = add_reduction(id, bytes);
      for (const int unit : data.units) {
        const Pass& pass =
            draft_.pass_of(unit, {ActionKind::Backward, chunk, w_.microbatches() - 1});
        draft_.wait_for(pass.layer_exits[layer_at][draft_.cell_of(unit).track_of(unit)],
                        made.first);
      }
      for (const Tasks& before : last) {
        draft_.wait_for(before, made.first);
      }
      last = std::move(made.last);
      ++bucket;
    }
    return last;
  }

  /// A tied embedding lives on the first and the last stage; its gradients are summed.
  void add_embedding_reduction() {
    for (const int id : draft_.groups_of(kEmbeddingGroups)) {
      const GroupClass& embedding = draft_.group(id);
      const PlacedCommunication made = draft_.add_communication(
          draft_.communication(id, CommunicationKind::Data, CollectiveOp::AllReduce,
                               "embedding group", embedding_gradients(w_)),
          "sum embedding gradients");
      wait_for_all(embedding.units, made.first);
      then(embedding.units, made.last);
    }
  }

  /// Adam reads the gradient, reads and writes master weights and both moments in fp32, and writes
  /// the weights where they are not the master copy itself.
  void add_optimizer() {
    const double shards = p_.zero == 0 ? 1 : p_.data;
    const AdamBytes adam = adam_bytes(w_.training);
    const double copied = adam.state == 16 ? 8.0 : 0.0;  // fp32 copies of gradients, both ways
    const double moved = adam.gradient + copied + 24.0 + (adam.weight == 2 ? 2.0 : 0.0);
    std::vector<TaskId> updated;
    for (std::size_t u = 0; u < draft_.folded().units.size(); ++u) {
      const RankClass& unit = draft_.folded().units[u];
      const double parameters = rank_parameters(w_, draft_.model(), unit.stage) / shards;
      const ComputeTime time = slowest(unit.speeds, [&](int kind) {
        return draft_.timer(kind).optimizer_time({parameters * moved});
      });
      const TaskId task = draft_.graph().add({.kind = TaskKind::Compute,
                                              .duration = time.total(),
                                              .name = draft_.graph().named("optimizer"),
                                              .compute = time},
                                             {static_cast<int>(u)});
      draft_.wait_for(ready_[u], task);
      updated.push_back(task);
    }
    if (p_.zero == 0) {
      return;
    }
    for (const int id : draft_.groups_of(kReplicaGroups)) {
      const GroupClass& data = draft_.group(id);
      const PlacedCommunication made = draft_.add_communication(
          draft_.communication(id, CommunicationKind::Data, CollectiveOp::AllGather, "data group",
                               gathered_parameters(w_, draft_.model(), stage_of(data))),
          "gather parameters");
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
