#include "sim/tasks/step_draft.hpp"

#include <algorithm>
#include <type_traits>

#include "sim/tasks/communication.hpp"

namespace danlu {

std::size_t StageGroup::lane_of(RankClassId ranks) const {
  const auto at = std::find(rank_classes.begin(), rank_classes.end(), ranks);
  return fused ? 0 : static_cast<std::size_t>(at - rank_classes.begin());
}

Tasks& StageGroup::ends_of(RankClassId ranks) {
  const auto at = std::find(rank_classes.begin(), rank_classes.end(), ranks);
  return ends[static_cast<std::size_t>(at - rank_classes.begin())];
}

StepDraft::StepDraft(const Workload& workload, const Cluster& cluster, Disturbed disturbed)
    : w_(workload), cluster_(cluster), disturbed_(disturbed), step_(make_step_program(workload)) {
  for (int kind = 0; kind < cluster.spec.kinds(); ++kind) {
    timers_.emplace_back(cluster.spec.gpu_of(kind), workload.training.precision);
  }
  plan_.fold = fold(workload, step_, cluster);
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
    channels_.push_back(graph().channels.push_back(std::move(channel)));
  }
}

void StepDraft::add_stage_groups() {
  group_of_class_.resize(folded().rank_classes.size());
  std::vector<std::vector<GroupSort>> within;  // by stage
  for (std::size_t stage = 0; stage < step_.stages.size(); ++stage) {
    within.push_back(sorts_within(step_, static_cast<int>(stage)));
  }
  IdVector<RankClassId, std::vector<GroupClassId>> groups_of_class(folded().rank_classes.size());
  for (const GroupClassId id : folded().groups.ids()) {
    const std::vector<RankClassId>& classes = group(id).rank_classes;
    const std::vector<GroupSort>& sorts = within[static_cast<std::size_t>(ranks(classes[0]).stage)];
    if (std::find(sorts.begin(), sorts.end(), group(id).sort) != sorts.end()) {
      for (const RankClassId ranks : classes) {
        groups_of_class[ranks].push_back(id);
      }
    }
  }
  // Those with groups first, in the groups' order; whom a group joins comes with it.
  const auto add_joined = [&](RankClassId first) {
    StageGroup joined{.stage = ranks(first).stage};
    const auto add_ranks = [&](RankClassId id) {
      std::optional<StageGroupId>& known = group_of_class_[id];
      if (!known) {
        known = stage_groups_.next_id();
        joined.rank_classes.push_back(id);
      }
    };
    add_ranks(first);
    for (std::size_t at = 0; at < joined.rank_classes.size(); ++at) {
      for (const GroupClassId id : groups_of_class[joined.rank_classes[at]]) {
        if (std::find(joined.groups.begin(), joined.groups.end(), id) == joined.groups.end()) {
          joined.groups.push_back(id);
          const std::vector<RankClassId>& classes = group(id).rank_classes;
          std::for_each(classes.begin(), classes.end(), add_ranks);
        }
      }
    }
    joined.fused = can_fuse(joined);
    joined.joint = !joined.fused && can_join(joined);
    joined.open = !joined.fused && !joined.joint && can_open(joined);
    joined.fused |= joined.open;
    stage_groups_.push_back(std::move(joined));
  };
  for (const GroupClass& found : folded().groups) {
    const RankClassId first = found.rank_classes[0];
    if (!group_of_class_[first] && !groups_of_class[first].empty()) {
      add_joined(first);
    }
  }
  for (const RankClassId id : folded().rank_classes.ids()) {
    if (!group_of_class_[id]) {
      add_joined(id);
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

/// Whether how long its kernels take is known before the step, and its ranks make the same
/// exchanges together.
bool StepDraft::meets(const StageGroup& passing) const {
  const std::vector<RankClassId>& classes = passing.rank_classes;
  return std::all_of(classes.begin(), classes.end(),
                     [&](RankClassId id) { return !ranks(id).throttle; }) &&
         std::all_of(passing.groups.begin(), passing.groups.end(), [&](GroupClassId id) {
           return group(id).rank_classes.size() == classes.size();
         });
}

/// Whether they are also equally fast, or one class.
bool StepDraft::goes_in_step(const StageGroup& passing) const {
  const std::vector<RankClassId>& classes = passing.rank_classes;
  return meets(passing) &&
         (classes.size() == 1 || std::all_of(classes.begin(), classes.end(), [&](RankClassId id) {
            return ranks(id).speeds == ranks(classes[0]).speeds && !ranks(id).jitters;
          }));
}

/// The passes of several classes of ranks are joint runs if no other class is on the links of their
/// exchanges, whose own members run at the same time and are counted, and none of these flaps.
bool StepDraft::can_join(const StageGroup& passing) const {
  return disturbed_ != Disturbed::LanesBySegment && passing.rank_classes.size() > 1 &&
         w_.collectives != CollectiveMode::Stepwise && w_.fold != FoldMode::Bound &&
         meets(passing) &&
         std::all_of(passing.groups.begin(), passing.groups.end(), [&](GroupClassId id) {
           return !group(id).flaps && (durations_known() || group(id).is_private);
         });
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
  const std::vector<RankClassId>& classes = passing.rank_classes;
  if (!goes_in_step(passing)) {
    return false;
  }
  return durations_known() ||
         std::all_of(passing.groups.begin(), passing.groups.end(), [&](GroupClassId id) {
           const GroupClass& found = group(id);
           return !found.flaps && (classes.size() == 1 ? found.is_private : found.is_alone);
         });
}

/// A pass that may be disturbed is one task that the player can open if nothing but links can
/// disturb it: no other exchange of its ranks takes from one class of them and not from others, no
/// two groups of a sort meet on a link, and the parts of one exchange follow one another.
bool StepDraft::can_open(const StageGroup& passing) const {
  if (disturbed_ != Disturbed::Open || w_.collectives == CollectiveMode::Stepwise ||
      durations_known() || !cluster_.flaps.empty() || !goes_in_step(passing) ||
      ranks(passing.rank_classes[0]).jitters) {
    return false;
  }
  const IdVector<EndId, EndStep>& ends = stage(passing.stage).ends;
  const bool all_behind = std::none_of(
      ends.begin(), ends.end(), [](const EndStep& end) { return end.layer || end.ahead_of; });
  if (passing.rank_classes.size() > 1 && !all_behind) {
    return false;
  }
  std::map<std::pair<FoldedLinkId, GroupSort>, GroupClassId> owners;
  for (const GroupClassId id : passing.groups) {
    if (group(id).shapes.size() > 1) {
      return false;
    }
    for (const CarriedPattern& carried : group(id).shapes.front().patterns) {
      if (carried.key.op == CollectiveOp::Dispatch) {
        return false;
      }
      for (const FoldedLoad& load : folded().patterns[carried.pattern_class].loads) {
        const auto [owner, is_new] = owners.try_emplace({load.link, group(id).sort}, id);
        if (!is_new && owner->second != id) {
          return false;
        }
      }
    }
  }
  return true;
}

void StepDraft::make_room(const StepSize& size) {
  const auto tasks = static_cast<std::size_t>(2 * size.tasks);  // lanes may begin with a task more
  std::vector<Task> items;
  items.reserve(tasks);
  graph().tasks = IdVector<TaskId, Task>(std::move(items));
  graph().participants.reserve(tasks, tasks);
}

/// Whether it is more than a time, as a launch is, or what is brief.
bool StepDraft::crosses_links(const CommunicationPart& part) const {
  return part.pattern && !folded().patterns[*part.pattern].loads.empty();
}

CommunicationId StepDraft::communication(GroupClassId id, const Demand& demand) {
  const auto [known, is_new] = communications_.try_emplace(
      std::tuple(id, demand.op, demand.bytes.value), graph().communications.next_id());
  if (is_new) {
    graph().communications.push_back(describe_communication(w_, cluster_, folded(), id, demand));
  }
  return known->second;
}

PlacedCommunication StepDraft::add_communication(CommunicationId id, NameId name,
                                                 std::optional<Action> action) {
  const Communication& communication = graph().communications[id];
  IdVector<PartId, TaskId> tasks;
  for (const PartId part_id : communication.parts.ids()) {
    const CommunicationPart& part = communication.parts[part_id];
    Task task{
        .kind = TaskKind::Communication,
        .duration = durations_known() ? part.alone : part.latency,
        .bytes = durations_known() ? Bytes{} : part.stream,
        .channel = crosses_links(part) ? std::optional(channels_[*part.pattern]) : std::nullopt,
        .communication = id,
        .part = part_id,
        .name = name,
        .action = action};
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

void StepDraft::end_strand() {
  std::vector<TaskId>& begins = plan_.strands.back().begins;
  begins.push_back(graph().tasks.next_id());
  if (begins.front() == begins.back()) {
    plan_.strands.pop_back();
  }
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
