#include "sim/report/given_up.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace danlu {
namespace {

bool goes_between(const Flap& flap, Seconds begin, Seconds end) {
  return flap.at < end && begin < flap.at + flap.length;
}

/// A flap of one of the links that a task's flow crosses while it goes.
std::optional<Flap> flap_during(const Cluster& cluster, const StepPlan& plan, const Task& task,
                                Seconds begin, Seconds end) {
  if (task.bytes == Bytes{}) {
    return std::nullopt;
  }
  for (const ChannelLoad& load : plan.graph.channels[task.channel.value()].loads) {
    const FoldedLink& link = plan.fold.links[load.link];
    for (const Flap& flap : cluster.flaps_of(link.representative)) {
      if (goes_between(flap, begin, end)) {
        return flap;
      }
    }
  }
  return std::nullopt;
}

/// When the first rank of each communication was there.
class ArrivalTimes {
 public:
  ArrivalTimes(const TaskGraph& graph, const Timeline& timeline)
      : graph_(graph),
        timeline_(timeline),
        before_(predecessors(graph)),
        after_(successors(graph)),
        found_(timeline.start) {
    for (const TaskId task : topological_order(graph)) {
      if (graph.tasks[task].kind == TaskKind::Communication) {
        find(task);
      }
    }
  }

  Seconds of(TaskId task) const { return found_[task]; }

 private:
  bool takes_part(TaskId task, RankClassId ranks) const {
    const std::span<const RankClassId> all = graph_.participants.of(task);
    return std::find(all.begin(), all.end(), ranks) != all.end();
  }
  /// Parts of one communication follow one another.
  bool are_one(TaskId a, TaskId b) const {
    const Task& first = graph_.tasks[a];
    const Task& second = graph_.tasks[b];
    return first.kind == TaskKind::Communication && second.kind == TaskKind::Communication &&
           first.communication == second.communication && first.action == second.action &&
           first.part < second.part;
  }

  void find(TaskId task) {
    Seconds& first = found_[task];
    for (const RankClassId ranks : graph_.participants.of(task)) {
      if (const std::optional<Seconds> there = end_of_others(task, ranks, task)) {
        first = std::min(first, *there);
      }
    }
    for (const TaskId before : before_.of(task)) {
      if (are_one(before, task)) {
        first = std::min(first, found_[before]);
      }
    }
    // A receiver is there when nothing but this keeps it from what comes next.
    for (const TaskId next : after_.of(task)) {
      for (const RankClassId ranks : graph_.participants.of(task)) {
        if (takes_part(next, ranks) && !are_one(task, next)) {
          first = std::min(first, end_of_others(next, ranks, task).value_or(Seconds{}));
        }
      }
    }
  }

  /// When all that `task` waits for on these ranks, but for `without`, has ended; none if it waits
  /// for nothing else.
  std::optional<Seconds> end_of_others(TaskId task, RankClassId ranks, TaskId without) const {
    std::optional<Seconds> last;
    for (const TaskId before : before_.of(task)) {
      if (before != without && !are_one(before, without) && takes_part(before, ranks)) {
        last = std::max(last.value_or(Seconds{}), timeline_.finish[before]);
      }
    }
    return last;
  }

  const TaskGraph& graph_;
  const Timeline& timeline_;
  Adjacency before_;
  Adjacency after_;
  IdVector<TaskId, Seconds> found_;
};

}  // namespace

std::optional<GivenUp> first_given_up(const Cluster& cluster, const StepPlan& plan,
                                      const Timeline& timeline, Seconds timeout) {
  std::optional<GivenUp> first;
  if (plan.graph.changes.empty() || timeline.end <= timeout) {
    return first;
  }
  const ArrivalTimes arrivals(plan.graph, timeline);
  const std::vector<Flap>& flaps = cluster.spec.degraded.flaps;
  for (const TaskId id : plan.graph.tasks.ids()) {
    const Task& task = plan.graph.tasks[id];
    if (task.kind != TaskKind::Communication) {
      continue;
    }
    const Seconds began = arrivals.of(id) + task.duration;
    const Seconds end = timeline.finish[id];
    if (end - began <= timeout || (first && first->at < began + timeout)) {
      continue;
    }
    std::optional<Flap> flap =
        flap_during(cluster, plan, task, timeline.start[id] + task.duration, end);
    const bool waits = !flap;
    const auto other = std::find_if(flaps.begin(), flaps.end(),
                                    [&](const Flap& one) { return goes_between(one, began, end); });
    if (waits && other != flaps.end()) {
      flap = *other;
    }
    const bool sooner = !first || began + timeout < first->at || (first->waits && !waits);
    if (flap && sooner) {
      first = GivenUp{plan.graph.name_of(task),
                      std::string(plan.graph.communications[*task.communication].group),
                      task.action,
                      flap->part_name(),
                      waits,
                      began,
                      began + timeout};
    }
  }
  return first;
}

std::vector<std::string> late_flaps(const Cluster& cluster, Seconds end) {
  std::vector<std::string> notes;
  for (const Flap& flap : cluster.spec.degraded.flaps) {
    if (flap.at >= end) {
      notes.push_back(fmt::format("the flap of {} at {} has no effect: the step ends at {}",
                                  flap.part_name(), to_text(flap.at), to_text(end)));
    }
  }
  return notes;
}

}  // namespace danlu
