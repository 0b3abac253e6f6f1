#include "sim/engine/least_rest.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace danlu {
namespace {

/// What tasks take at least. One class, since slices of programs are played once each.
class Leasts {
 public:
  explicit Leasts(const TaskGraph& graph) : graph_(graph) {}

  Seconds of(TaskId id) {
    const Task& task = graph_.tasks[id];
    switch (task.kind) {
      case TaskKind::Compute:
        return task.duration * graph_.stretch_of(id);
      case TaskKind::Run:
        return graph_.jitter_of(id) != nullptr ? of_slice(task.slice, graph_.stretches_of(id))
                                               : of_slice(task.slice);
      case TaskKind::Communication:
        return task.duration + (task.bytes > Bytes{} ? flow(task) : Seconds{});
      case TaskKind::Host:
        return task.duration;
    }
    return {};
  }

 private:
  Seconds of_slice(const ProgramSlice& slice) {
    const auto [known, is_new] = slices_.try_emplace(slice);
    if (is_new) {
      known->second = of_slice(slice, {});
    }
    return known->second;
  }

  Seconds of_slice(const ProgramSlice& slice, std::vector<double> stretch) const {
    const PlayedProgram& played = graph_.programs[slice.program];
    const SegmentCosts costs{.durations = played.costs.durations};
    return play_together(*played.program, slice.first, slice.last,
                         {{.costs = &costs, .stretch = std::move(stretch)}})[0]
        .total;
  }

  Seconds flow(const Task& task) const {
    if (!graph_.changes.empty()) {
      return {};  // its links may have more later
    }
    Seconds longest;
    for (const ChannelLoad& load : graph_.channels[*task.channel].loads) {
      longest = std::max(longest, load.weight * (task.bytes / graph_.links[load.link].capacity));
    }
    return longest;
  }

  const TaskGraph& graph_;
  std::map<ProgramSlice, Seconds> slices_;
};

}  // namespace

IdVector<TaskId, Seconds> least_times(const TaskGraph& graph) {
  Leasts leasts(graph);
  IdVector<TaskId, Seconds> times;
  for (const TaskId task : graph.tasks.ids()) {
    times.push_back(leasts.of(task));
  }
  return times;
}

IdVector<TaskId, Seconds> least_rests(const TaskGraph& graph) {
  Leasts leasts(graph);
  const Adjacency after = successors(graph);
  IdVector<TaskId, Seconds> rests(graph.tasks.size());
  const std::vector<TaskId> order = topological_order(graph);
  for (auto task = order.rbegin(); task != order.rend(); ++task) {  // Clang 14 has no reverse view
    Seconds behind;
    for (const TaskId next : after.of(*task)) {
      behind = std::max(behind, rests[next]);
    }
    rests[*task] = leasts.of(*task) + behind;
  }
  return rests;
}

}  // namespace danlu
