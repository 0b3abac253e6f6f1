#include "sim/plan/step_draft.hpp"

#include <algorithm>

#include "sim/plan/communication.hpp"

namespace danlu {
namespace {

/// Of all passes of a stage, by kind, chunk and microbatch.
std::size_t pass_number(const Workload& w, const Action& action) {
  const int chunk = static_cast<int>(action.kind) * w.training.chunks + action.chunk;
  return static_cast<std::size_t>(chunk) * static_cast<std::size_t>(w.microbatches()) +
         static_cast<std::size_t>(action.microbatch);
}

}  // namespace

std::size_t Cell::track_of(RankClassId ranks) const {
  const auto at = std::find(rank_classes.begin(), rank_classes.end(), ranks);
  return fused ? 0 : static_cast<std::size_t>(at - rank_classes.begin());
}

StepDraft::StepDraft(const Workload& workload, const Cluster& cluster)
    : w_(workload), cluster_(cluster), step_(make_step_program(workload)) {
  for (int kind = 0; kind < cluster.spec.kinds(); ++kind) {
    timers_.emplace_back(cluster.spec.gpu_of(kind), workload.training.precision);
  }
  plan_.fold = fold(workload, step_, cluster);
  add_channels();
  add_changes();
  add_cells();
  for (const StageProgram& stage : step_.stages) {
    positions_.emplace_back(pass_number(w_, {ActionKind::Weight, w_.training.chunks, 0}));
    for (std::size_t i = 0; i < stage.passes.size(); ++i) {
      positions_.back()[pass_number(w_, stage.passes[i].action)] = i;
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
    channels_.push_back(graph().channels.push_back(std::move(channel)));
  }
}

void StepDraft::add_cells() {
  cell_of_class_.assign(folded().rank_classes.size(), {});
  const auto add = [this](Cell cell) {
    for (const RankClassId id : cell.rank_classes) {
      cell_of_class_[id] = cells_.size();
    }
    cell.fused = can_fuse(cell);
    cells_.push_back(std::move(cell));
  };
  for (const GroupClassId id : groups_of(kTensorGroups)) {
    const std::vector<RankClassId>& classes = group(id).rank_classes;
    add({.stage = ranks(classes[0]).stage, .rank_classes = classes, .tensor_group = id});
  }
  for (const RankClassId id : folded().rank_classes.ids()) {
    if (!cell_of_class_[id]) {
      add({.stage = ranks(id).stage, .rank_classes = {id}});
    }
  }
}

/// Where links of the small system flap. One that is down keeps a capacity that the engine can
/// share, of no consequence: what it carries in a month takes 3 us when the link is up.
void StepDraft::add_changes() {
  constexpr double kDown = 1e-12;
  for (const FoldedLinkId id : folded().links.ids()) {
    const FoldedLink& link = folded().links[id];
    for (const ShareChange& change : share_changes(cluster_.flaps_of(link.representative))) {
      graph().changes.push_back({change.time, id, link.capacity * std::max(change.share, kDown)});
    }
  }
}

/// A pass is one task of known length if nobody can disturb its collectives, none of their links
/// flaps, and its ranks are equally fast all through the step. With one class of ranks it is enough
/// that no other class is on its links: its own members run at the same time and are counted. With
/// several it must have its links to itself, which does not depend on how finely the others are
/// folded.
bool StepDraft::can_fuse(const Cell& cell) const {
  if (w_.collectives == CollectiveMode::Stepwise && cell.tensor_group) {
    return false;
  }
  const std::vector<RankClassId>& classes = cell.rank_classes;
  const bool equally_fast = std::all_of(classes.begin(), classes.end(), [&](RankClassId id) {
    return ranks(id).is_even() && ranks(id).speeds == ranks(classes[0]).speeds;
  });
  if (!equally_fast) {
    return false;
  }
  if (durations_known() || !cell.tensor_group) {
    return true;
  }
  const GroupClass& tensor = group(*cell.tensor_group);
  if (tensor.flaps) {
    return false;
  }
  return classes.size() == 1 ? tensor.is_private : tensor.is_alone;
}

std::vector<GroupClassId> StepDraft::groups_of(GroupSort sort) const {
  std::vector<GroupClassId> found;
  for (const GroupClassId id : folded().groups.ids()) {
    if (group(id).sort == sort) {
      found.push_back(id);
    }
  }
  return found;
}

const Pass& StepDraft::pass_of(RankClassId ranks, const Action& action) {
  const Cell& cell = cell_of(ranks);
  return cell.passes[positions_[static_cast<std::size_t>(cell.stage)][pass_number(w_, action)]];
}

CommunicationId StepDraft::communication(GroupClassId id, CollectiveOp op, Bytes bytes) {
  const auto [known, is_new] = communications_.try_emplace(std::tuple(id, op, bytes.value),
                                                           graph().communications.next_id());
  if (is_new) {
    graph().communications.push_back(
        describe_communication(w_, cluster_, folded(), id, {op, bytes}));
  }
  return known->second;
}

PlacedCommunication StepDraft::add_communication(CommunicationId id, NameId name, int microbatch) {
  const Communication& communication = graph().communications[id];
  IdVector<PartId, TaskId> tasks;
  for (const PartId part_id : communication.parts.ids()) {
    const CommunicationPart& part = communication.parts[part_id];
    Task task{.kind = TaskKind::Communication,
              .duration = durations_known() ? part.alone : part.latency,
              .bytes = durations_known() ? Bytes{} : part.stream,
              .channel = part.pattern ? std::optional(channels_[*part.pattern]) : std::nullopt,
              .communication = id,
              .part = part_id,
              .name = name,
              .microbatch = microbatch};
    tasks.push_back(graph().add(task, part.rank_classes));
    for (const PartId before : part.after) {
      graph().add_edge(tasks[before], tasks.back());
    }
  }
  PlacedCommunication placed{tasks.front(), {}};
  for (const std::vector<PartId>& ends : communication.ends) {
    Tasks& last = placed.last.emplace_back();
    for (const PartId part : ends) {
      last.push_back(tasks[part]);
    }
  }
  return placed;
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
