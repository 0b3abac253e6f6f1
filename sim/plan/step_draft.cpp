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

std::size_t Cell::track_of(int unit) const {
  return fused ? 0
               : static_cast<std::size_t>(std::find(units.begin(), units.end(), unit) -
                                          units.begin());
}

StepDraft::StepDraft(const Workload& workload, const Cluster& cluster)
    : w_(workload), cluster_(cluster), model_(build_model(workload)) {
  for (int kind = 0; kind < cluster.spec.kinds(); ++kind) {
    timers_.emplace_back(cluster.spec.gpu_of(kind), workload.training.precision);
  }
  plan_.fold = fold(workload, cluster);
  graph().units = static_cast<int>(folded().units.size());
  add_channels();
  add_changes();
  add_cells();
  for (int stage = 0; stage < w_.parallelism.pipeline; ++stage) {
    const std::vector<Action> actions = w_.actions(stage);
    positions_.emplace_back(pass_number(w_, {ActionKind::Weight, w_.training.chunks, 0}));
    for (std::size_t i = 0; i < actions.size(); ++i) {
      positions_.back()[pass_number(w_, actions[i])] = i;
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
  for (const int id : groups_of(kTensorGroups)) {
    add({.stage = unit(group(id).units[0]).stage, .units = group(id).units, .tensor_group = id});
  }
  for (std::size_t u = 0; u < folded().units.size(); ++u) {
    if (cell_of_unit_[u] < 0) {
      add({.stage = folded().units[u].stage, .units = {static_cast<int>(u)}});
    }
  }
}

/// Where links of the small system flap. One that is down keeps a capacity that the engine can
/// share, of no consequence: what it carries in a month takes 3 us when the link is up.
void StepDraft::add_changes() {
  constexpr double kDown = 1e-12;
  for (std::size_t i = 0; i < folded().links.size(); ++i) {
    const FoldedLink& link = folded().links[i];
    for (const ShareChange& change : share_changes(cluster_.flaps_of(link.representative))) {
      graph().changes.push_back(
          {change.time, static_cast<int>(i), link.capacity * std::max(change.share, kDown)});
    }
  }
}

/// A pass is one task of known length if nobody can disturb its collectives, none of their links
/// flaps, and its ranks are equally fast all through the step. With one class of ranks it is enough
/// that no other class is on its links: its own members run at the same time and are counted. With
/// several it must have its links to itself, which does not depend on how finely the others are
/// folded.
bool StepDraft::can_fuse(const Cell& cell) const {
  if (w_.collectives == CollectiveMode::Stepwise && cell.tensor_group >= 0) {
    return false;
  }
  const bool equally_fast = std::all_of(cell.units.begin(), cell.units.end(), [&](int id) {
    return unit(id).is_even() && unit(id).speeds == unit(cell.units[0]).speeds;
  });
  if (!equally_fast) {
    return false;
  }
  if (durations_known() || cell.tensor_group < 0) {
    return true;
  }
  const GroupClass& tensor = group(cell.tensor_group);
  if (tensor.flaps) {
    return false;
  }
  return cell.units.size() == 1 ? tensor.is_private : tensor.is_alone;
}

std::vector<int> StepDraft::groups_of(GroupSort sort) const {
  std::vector<int> found;
  for (std::size_t id = 0; id < folded().groups.size(); ++id) {
    if (folded().groups[id].sort == sort) {
      found.push_back(static_cast<int>(id));
    }
  }
  return found;
}

const Pass& StepDraft::pass_of(int unit, const Action& action) {
  const Cell& cell = cell_of(unit);
  return cell.passes[positions_[static_cast<std::size_t>(cell.stage)][pass_number(w_, action)]];
}

int StepDraft::communication(int id, CommunicationKind kind, CollectiveOp op, std::string_view name,
                             Bytes bytes) {
  const auto key = std::tuple(id, static_cast<int>(op), bytes.value);
  const auto [known, is_new] =
      infos_.try_emplace(key, static_cast<int>(graph().communications.size()));
  if (is_new) {
    CommunicationInfo info = describe_communication(w_, cluster_, folded(), id, {op, bytes});
    info.kind = kind;
    info.group = name;
    graph().communications.push_back(std::move(info));
  }
  return known->second;
}

PlacedCommunication StepDraft::add_communication(int info, NameId name, int microbatch) {
  Tasks tasks;
  const std::size_t parts = graph().communications[static_cast<std::size_t>(info)].parts.size();
  for (std::size_t i = 0; i < parts; ++i) {
    const CommunicationPart& part = graph().communications[static_cast<std::size_t>(info)].parts[i];
    Task task{.kind = TaskKind::Communication,
              .duration = durations_known() ? part.alone : part.latency,
              .bytes = durations_known() ? Bytes{} : part.stream,
              .channel = part.pattern,
              .info = info,
              .part = static_cast<int>(i),
              .name = name,
              .microbatch = microbatch};
    tasks.push_back(graph().add(task, part.units));
    for (const int before : part.after) {
      graph().add_edge(tasks[static_cast<std::size_t>(before)], tasks.back());
    }
  }
  PlacedCommunication placed{tasks.front(), {}};
  for (const std::vector<int>& ends : graph().communications[static_cast<std::size_t>(info)].ends) {
    Tasks& last = placed.last.emplace_back();
    for (const int part : ends) {
      last.push_back(tasks[static_cast<std::size_t>(part)]);
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
