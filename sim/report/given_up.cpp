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
  for (const ChannelLoad& load :
       plan.graph.channels[static_cast<std::size_t>(task.channel)].loads) {
    const FoldedLink& link = plan.fold.links[static_cast<std::size_t>(load.link)];
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
      if (graph.tasks[index(task)].kind == TaskKind::Communication) {
        find(task);
      }
    }
  }

  Seconds of(std::size_t task) const { return found_[task]; }

 private:
  bool takes_part(TaskId task, int unit) const {
    const std::vector<int>& units = graph_.participants[index(task)];
    return std::find(units.begin(), units.end(), unit) != units.end();
  }
  /// Parts of one communication follow one another.
  bool are_one(TaskId a, TaskId b) const {
    const Task& first = graph_.tasks[index(a)];
    const Task& second = graph_.tasks[index(b)];
    return first.kind == TaskKind::Communication && second.kind == TaskKind::Communication &&
           first.info == second.info && first.microbatch == second.microbatch &&
           first.part < second.part;
  }

  void find(TaskId task) {
    Seconds& first = found_[index(task)];
    for (const int unit : graph_.participants[index(task)]) {
      if (const std::optional<Seconds> there = end_of_others(task, unit, task)) {
        first = std::min(first, *there);
      }
    }
    for (const TaskId before : before_.of(task)) {
      if (are_one(before, task)) {
        first = std::min(first, found_[index(before)]);
      }
    }
    // A receiver is there when nothing but this keeps it from what comes next.
    for (const TaskId next : after_.of(task)) {
      for (const int unit : graph_.participants[index(task)]) {
        if (takes_part(next, unit) && !are_one(task, next)) {
          first = std::min(first, end_of_others(next, unit, task).value_or(Seconds{}));
        }
      }
    }
  }

  /// When all that `task` waits for on this unit, but for `without`, has ended; none if it waits
  /// for nothing else.
  std::optional<Seconds> end_of_others(TaskId task, int unit, TaskId without) const {
    std::optional<Seconds> last;
    for (const TaskId before : before_.of(task)) {
      if (before != without && !are_one(before, without) && takes_part(before, unit)) {
        last = std::max(last.value_or(Seconds{}), timeline_.finish[index(before)]);
      }
    }
    return last;
  }

  const TaskGraph& graph_;
  const Timeline& timeline_;
  Adjacency before_;
  Adjacency after_;
  std::vector<Seconds> found_;
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
  for (std::size_t i = 0; i < plan.graph.tasks.size(); ++i) {
    const Task& task = plan.graph.tasks[i];
    if (task.kind != TaskKind::Communication) {
      continue;
    }
    const Seconds began = arrivals.of(i) + task.duration;
    const Seconds end = timeline.finish[i];
    if (end - began <= timeout || (first && first->at < began + timeout)) {
      continue;
    }
    std::optional<Flap> flap =
        flap_during(cluster, plan, task, timeline.start[i] + task.duration, end);
    const bool waits = !flap;
    const auto other = std::find_if(flaps.begin(), flaps.end(),
                                    [&](const Flap& one) { return goes_between(one, began, end); });
    if (waits && other != flaps.end()) {
      flap = *other;
    }
    const bool sooner = !first || began + timeout < first->at || (first->waits && !waits);
    if (flap && sooner) {
      const auto info = static_cast<std::size_t>(task.info);
      first = GivenUp{plan.graph.name_of(task),
                      std::string(plan.graph.communications[info].group),
                      task.microbatch,
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
