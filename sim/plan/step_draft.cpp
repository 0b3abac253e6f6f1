#include "sim/plan/step_draft.hpp"

#include <algorithm>

#include "sim/plan/communication.hpp"

namespace danlu {
std::size_t StageGroup::lane_of(int unit) const {
  return fused ? 0
               : static_cast<std::size_t>(std::find(units.begin(), units.end(), unit) -
                                          units.begin());
}

StepDraft::StepDraft(const Workload& workload, const Cluster& cluster)
    : w_(workload), cluster_(cluster), step_(make_step_program(workload)) {
  for (int kind = 0; kind < cluster.spec.kinds(); ++kind) {
    timers_.emplace_back(cluster.spec.gpu_of(kind), workload.training.precision);
  }
  plan_.fold = fold(workload, step_, cluster);
  graph().units = static_cast<int>(folded().units.size());
  add_channels();
  add_changes();
  add_stage_groups();
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

void StepDraft::add_stage_groups() {
  group_of_unit_.assign(folded().units.size(), -1);
  std::vector<std::vector<GroupSort>> within;
  for (std::size_t stage = 0; stage < step_.stages.size(); ++stage) {
    within.push_back(sorts_within(step_, static_cast<int>(stage)));
  }
  std::vector<std::vector<int>> groups_of_unit(folded().units.size());
  const std::vector<GroupClass>& groups = folded().groups;
  for (std::size_t id = 0; id < groups.size(); ++id) {
    const auto stage = static_cast<std::size_t>(unit(groups[id].units[0]).stage);
    if (std::find(within[stage].begin(), within[stage].end(), groups[id].sort) !=
        within[stage].end()) {
      for (const int unit : groups[id].units) {
        groups_of_unit[static_cast<std::size_t>(unit)].push_back(static_cast<int>(id));
      }
    }
  }
  // Those with groups first, in the groups' order; whom a group joins comes with it.
  const auto add_joined = [&](int first) {
    StageGroup joined{.stage = unit(first).stage};
    const auto add_unit = [&](int unit) {
      int& known = group_of_unit_[static_cast<std::size_t>(unit)];
      if (known < 0) {
        known = static_cast<int>(stage_groups_.size());
        joined.units.push_back(unit);
      }
    };
    add_unit(first);
    for (std::size_t at = 0; at < joined.units.size(); ++at) {
      for (const int id : groups_of_unit[static_cast<std::size_t>(joined.units[at])]) {
        if (std::find(joined.groups.begin(), joined.groups.end(), id) == joined.groups.end()) {
          joined.groups.push_back(id);
          std::for_each(group(id).units.begin(), group(id).units.end(), add_unit);
        }
      }
    }
    joined.fused = can_fuse(joined);
    stage_groups_.push_back(std::move(joined));
  };
  for (const GroupClass& found : groups) {
    const auto first = static_cast<std::size_t>(found.units[0]);
    if (group_of_unit_[first] < 0 && !groups_of_unit[first].empty()) {
      add_joined(found.units[0]);
    }
  }
  for (std::size_t u = 0; u < folded().units.size(); ++u) {
    if (group_of_unit_[u] < 0) {
      add_joined(static_cast<int>(u));
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
bool StepDraft::can_fuse(const StageGroup& passing) const {
  if (w_.collectives == CollectiveMode::Stepwise && !passing.groups.empty()) {
    return false;
  }
  const bool equally_fast = std::all_of(passing.units.begin(), passing.units.end(), [&](int id) {
    return unit(id).is_even() && unit(id).speeds == unit(passing.units[0]).speeds;
  });
  const bool one_of_each_sort =  // then all lanes make the same exchanges together
      std::all_of(passing.groups.begin(), passing.groups.end(),
                  [&](int id) { return group(id).units.size() == passing.units.size(); });
  if (!equally_fast || !one_of_each_sort) {
    return false;
  }
  return durations_known() ||
         std::all_of(passing.groups.begin(), passing.groups.end(), [&](int id) {
           const GroupClass& found = group(id);
           return !found.flaps && (passing.units.size() == 1 ? found.is_private : found.is_alone);
         });
}

int StepDraft::communication(int id, const Demand& demand) {
  const auto key = std::tuple(id, static_cast<int>(demand.op), demand.bytes.value);
  const auto [known, is_new] =
      infos_.try_emplace(key, static_cast<int>(graph().communications.size()));
  if (is_new) {
    graph().communications.push_back(describe_communication(w_, cluster_, folded(), id, demand));
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
