#include "sim/plan/step_draft.hpp"

#include <algorithm>

namespace danlu {
namespace {

std::size_t pass_number(const Workload& w, const StageOp& op) {
  const int chunk = (op.forward ? 0 : w.training.chunks) + op.chunk;
  return static_cast<std::size_t>(chunk) * static_cast<std::size_t>(w.microbatches()) +
         static_cast<std::size_t>(op.microbatch);
}

}  // namespace

std::size_t Cell::track_of(int unit) const {
  return fused ? 0
               : static_cast<std::size_t>(std::find(units.begin(), units.end(), unit) -
                                          units.begin());
}

StepDraft::StepDraft(const Workload& workload, const Cluster& cluster)
    : w_(workload), cluster_(cluster) {
  for (int kind = 0; kind < cluster.spec.kinds(); ++kind) {
    timers_.emplace_back(cluster.spec.gpu_of(kind), workload.training.precision);
  }
  plan_.fold = fold(workload, cluster, RankLayout(workload.parallelism));
  graph().units = static_cast<int>(folded().units.size());
  add_channels();
  add_cells();
  for (int stage = 0; stage < w_.parallelism.pipeline; ++stage) {
    const std::vector<StageOp> ops =
        schedule_ops(w_.training.schedule, stage, w_.parallelism.pipeline, w_.training.chunks,
                     w_.microbatches());
    positions_.emplace_back(ops.size());
    for (std::size_t i = 0; i < ops.size(); ++i) {
      positions_.back()[pass_number(w_, ops[i])] = i;
    }
  }
}

void StepDraft::add_channels() {
  for (const FoldedLink& link : folded().links) {
    graph().links.push_back({link.capacity});
  }
  for (const PatternClass& pattern : folded().patterns) {
    Channel channel;
    for (const FoldedLoad& load : pattern.loads) {
      channel.loads.push_back({load.link, load.weight});
    }
    graph().channels.push_back(std::move(channel));
  }
}

void StepDraft::add_cells() {
  cell_of_unit_.assign(folded().units.size(), -1);
  const auto add = [this](Cell cell) {
    for (const int unit : cell.units) {
      cell_of_unit_[static_cast<std::size_t>(unit)] = static_cast<int>(cells_.size());
    }
    cell.fused = can_fuse(cell);
    cells_.push_back(std::move(cell));
  };
  for (const int id : patterns_of(PatternKind::Tensor)) {
    add({.stage = unit(pattern(id).units[0]).stage,
         .units = pattern(id).units,
         .tensor_pattern = id});
  }
  for (std::size_t u = 0; u < folded().units.size(); ++u) {
    if (cell_of_unit_[u] < 0) {
      add({.stage = folded().units[u].stage, .units = {static_cast<int>(u)}});
    }
  }
}

/// A pass is one task of known length if nobody can disturb its collectives and its ranks are
/// equally fast. With one class of ranks it is enough that no other class is on its links: its own
/// members run at the same time and are counted. With several it must have its links to itself,
/// which does not depend on how finely the others are folded.
bool StepDraft::can_fuse(const Cell& cell) const {
  if (w_.collectives == CollectiveMode::Stepwise && cell.tensor_pattern >= 0) {
    return false;
  }
  const bool equally_fast = std::all_of(cell.units.begin(), cell.units.end(), [&](int id) {
    return unit(id).speeds == unit(cell.units[0]).speeds;
  });
  if (!equally_fast) {
    return false;
  }
  if (durations_known() || cell.tensor_pattern < 0) {
    return true;
  }
  const PatternClass& tensor = pattern(cell.tensor_pattern);
  return cell.units.size() == 1 ? tensor.is_private : tensor.is_alone;
}

std::vector<int> StepDraft::patterns_of(PatternKind kind) const {
  std::vector<int> found;
  for (std::size_t id = 0; id < folded().patterns.size(); ++id) {
    if (folded().patterns[id].kind == kind) {
      found.push_back(static_cast<int>(id));
    }
  }
  return found;
}

const Pass& StepDraft::pass_of(int unit, StageOp op) {
  const Cell& cell = cell_of(unit);
  return cell.passes[positions_[static_cast<std::size_t>(cell.stage)][pass_number(w_, op)]];
}

RingCost StepDraft::cost(CollectiveOp op, const Pattern& shape, Bytes bytes,
                         BytesPerSecond rate) const {
  return op == CollectiveOp::SendReceive
             ? transfer_cost(cluster_.topology_among(shape.ranks), shape, bytes)
             : ring_cost(cluster_, shape, op, bytes, rate);
}

/// How it is carried out, and how long one takes at the rate that its links leave it: all of the
/// class's share; with durations known in advance the slowest member's, alone or guaranteed.
void StepDraft::set_cost(int id, CommunicationInfo& info) const {
  const PatternClass& described = pattern(id);
  info.alone = Seconds{-1};
  for (const PatternShape& shape : described.shapes) {
    const BytesPerSecond rate = w_.collectives == CollectiveMode::Formula ? shape.alone
                                : w_.fold == FoldMode::Bound              ? shape.guaranteed
                                                                          : described.rate;
    const RingCost shape_cost = cost(info.op, shape.pattern, info.bytes_per_rank, rate);
    const Seconds alone = shape_cost.latency + shape_cost.stream / rate;
    if (alone > info.alone) {
      info.choice = shape_cost.choice;
      info.latency = shape_cost.latency;
      info.stream = shape_cost.stream;
      info.alone = alone;
    }
  }
}

int StepDraft::communication(int id, CommunicationKind kind, CollectiveOp op,
                             std::string_view group, Bytes bytes) {
  const auto key = std::tuple(id, static_cast<int>(op), bytes.value);
  const auto [known, is_new] =
      infos_.try_emplace(key, static_cast<int>(graph().communications.size()));
  if (is_new) {
    CommunicationInfo info{
        .kind = kind,
        .op = op,
        .group = group,
        .group_size = static_cast<int>(pattern(id).shapes[0].pattern.ranks.size()),
        .bytes_per_rank = bytes,
        .pattern = id};
    set_cost(id, info);
    graph().communications.push_back(info);
  }
  return known->second;
}

CommunicationTasks StepDraft::add_communication(int info, std::string_view name, int microbatch,
                                                const std::vector<int>& units) {
  const CommunicationInfo& described = graph().communications[static_cast<std::size_t>(info)];
  const int steps = tasks_per_communication(w_.collectives, described);
  Task task{.kind = TaskKind::Communication,
            .duration = described.alone / steps,
            .channel = described.pattern,
            .info = info,
            .name = name,
            .microbatch = microbatch};
  if (!durations_known()) {
    task.duration = described.latency / steps;
    task.bytes = described.stream / steps;
  }
  const TaskId first = graph().add(task, units);
  TaskId last = first;
  for (int step = 1; step < steps; ++step) {
    const TaskId next = graph().add(task, units);
    graph().add_edge(last, next);
    last = next;
  }
  return {first, last};
}

void StepDraft::wait_for(const Tasks& before, TaskId after) {
  for (const TaskId task : before) {
    graph().add_edge(task, after);
  }
}

void StepDraft::let_go_on(TaskId before, const Tasks& after) {
  for (const TaskId task : after) {
    graph().add_edge(before, task);
  }
}

}  // namespace danlu
