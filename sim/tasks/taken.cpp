#include "sim/tasks/taken.hpp"

#include <algorithm>

namespace danlu {

TakenByClass::TakenByClass(const TaskGraph& graph) : graph_(graph) {
  const bool any = std::any_of(graph.communications.begin(), graph.communications.end(),
                               [](const Communication& one) { return !one.taken.nothing(); });
  if (any) {
    std::size_t classes = 0;
    for (const RankClassId ranks : graph.participants.all()) {
      classes = std::max(classes, index(ranks) + 1);
    }
    active_.resize(classes);
  }
}

bool TakenByClass::change(TaskId id, int by) {
  const Task& task = graph_.tasks[id];
  if (!any() || !task.communication || graph_.communications[*task.communication].taken.nothing()) {
    return false;
  }
  for (const RankClassId ranks : graph_.participants.of(id)) {
    std::map<CommunicationId, int>& active = active_[ranks];
    if ((active[*task.communication] += by) == 0) {
      active.erase(*task.communication);
    }
  }
  return true;
}

GpuShare TakenByClass::from(RankClassId ranks) const {
  GpuShare sum;
  for (const auto& [communication, tasks] : active_[ranks]) {
    sum = sum + graph_.communications[communication].taken;
  }
  return sum;
}

GpuShare TakenByClass::from(std::span<const RankClassId> ranks) const {
  GpuShare most;
  for (const RankClassId one : ranks) {
    most = most_of(most, from(one));
  }
  return most;
}

IdVector<RankClassId, std::vector<TakenFrom>> taken_over_time(const TaskGraph& graph,
                                                              const Timeline& timeline) {
  TakenByClass now(graph);
  IdVector<RankClassId, std::vector<TakenFrom>> taken(now.classes());
  if (!now.any()) {
    return taken;
  }
  struct Event {
    Seconds at;
    bool begins = false;
    TaskId task{};
  };
  std::vector<Event> events;
  for (const TaskId id : graph.tasks.ids()) {
    const Task& task = graph.tasks[id];
    if (task.communication && !graph.communications[*task.communication].taken.nothing() &&
        timeline.finish[id] > timeline.start[id]) {
      events.push_back({timeline.start[id], true, id});
      events.push_back({timeline.finish[id], false, id});
    }
  }
  std::sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    return std::tie(a.at, a.begins, a.task) < std::tie(b.at, b.begins, b.task);
  });
  for (const Event& event : events) {
    (void)(event.begins ? now.begin(event.task) : now.end(event.task));
    for (const RankClassId ranks : graph.participants.of(event.task)) {
      std::vector<TakenFrom>& steps = taken[ranks];
      if (steps.empty() || steps.back().at < event.at) {
        steps.push_back({event.at, {}});
      }
      steps.back().taken = now.from(ranks);
    }
  }
  return taken;
}

}  // namespace danlu
