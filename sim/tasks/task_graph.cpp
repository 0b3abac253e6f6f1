#include "sim/tasks/task_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/graph/compressed_sparse_row_graph.hpp>
#include <boost/graph/topological_sort.hpp>
#include <iterator>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

Adjacency adjacency(const TaskGraph& graph, bool forward) {
  return Adjacency::sorted(graph.tasks.size(), [&](const auto& put) {
    for (const auto& [before, after] : graph.edges) {
      put(forward ? before : after, forward ? after : before);
    }
  });
}

/// A task on a cycle of a graph that has one: peel off what waits for nothing, again and again;
/// every task left waits for another one left, so walking back among those ends in a cycle.
TaskId task_on_cycle(const TaskGraph& graph) {
  const Adjacency after = adjacency(graph, true);
  const Adjacency before = adjacency(graph, false);
  IdVector<TaskId, std::size_t> waits_for(graph.tasks.size());
  std::vector<TaskId> free;
  for (const TaskId task : waits_for.ids()) {
    waits_for[task] = before.of(task).size();
    if (waits_for[task] == 0) {
      free.push_back(task);
    }
  }
  for (std::size_t i = 0; i < free.size(); ++i) {
    for (const TaskId next : after.of(free[i])) {
      if (--waits_for[next] == 0) {
        free.push_back(next);
      }
    }
  }
  const auto is_left = [&](TaskId task) { return waits_for[task] > 0; };
  const auto left =
      std::find_if(waits_for.begin(), waits_for.end(), [](std::size_t count) { return count > 0; });
  TaskId at = waits_for.id_at(left);
  for (std::size_t step = 0; step < graph.tasks.size(); ++step) {
    const auto earlier = before.of(at);
    at = *std::find_if(earlier.begin(), earlier.end(), is_left);
  }
  return at;
}

}  // namespace

PatternClassId Communication::slowest_pattern() const {
  return std::max_element(parts.begin(), parts.end(),
                          [](const CommunicationPart& a, const CommunicationPart& b) {
                            return (a.pattern ? a.alone : Seconds{-1}) <
                                   (b.pattern ? b.alone : Seconds{-1});
                          })
      ->pattern.value();
}

NameId TaskGraph::named(std::string_view name) {
  const auto known = std::find(names.begin(), names.end(), name);
  return known == names.end() ? names.push_back(std::string(name)) : names.id_at(known);
}

TaskId TaskGraph::add(const Task& task, std::span<const RankClassId> taking_part) {
  participants.add(taking_part);
  return tasks.push_back(task);
}

TaskId TaskGraph::add(const Task& task, std::initializer_list<RankClassId> taking_part) {
  return add(task, std::span(taking_part.begin(), taking_part.size()));
}

const Throttle* TaskGraph::throttle_of(TaskId id) const {
  if (throttles.empty() || participants.of(id).empty() || tasks[id].on_host) {
    return nullptr;
  }
  const std::optional<Throttle>& found = throttles[participants.of(id).front()];
  return found ? &*found : nullptr;
}

const JitterFactors* TaskGraph::jitter_of(TaskId id) const {
  if (jitter.empty() || participants.of(id).empty() || tasks[id].on_host) {
    return nullptr;
  }
  const std::optional<JitterFactors>& found = jitter[participants.of(id).front()];
  return found ? &*found : nullptr;
}

double TaskGraph::stretch_of(TaskId id) const {
  const JitterFactors* factors = jitter_of(id);
  return factors != nullptr ? factors->of(tasks[id].draw) : 1;
}

std::vector<double> TaskGraph::stretches_of(TaskId id, std::vector<double> room) const {
  room.clear();
  if (const JitterFactors* factors = jitter_of(id)) {
    const auto& [program, first, last] = tasks[id].slice;
    JitterFactors::From drawn(*factors, tasks[id].draw);
    room.reserve(last - first);
    for (std::size_t i = first; i < last; ++i) {
      room.push_back(programs[program].program->segments[i].is_compute ? drawn.next() : 1);
    }
  }
  return room;
}

Seconds TaskGraph::compute_time(TaskId id, Seconds start) const {
  const Seconds cool = tasks[id].duration * stretch_of(id);
  const Throttle* throttle = throttle_of(id);
  return throttle != nullptr ? throttle->time(start, cool) : cool;
}

Seconds TaskGraph::run_time(TaskId id, Seconds lead, const std::vector<TakenFrom>& beside) const {
  const Task& task = tasks[id];
  const bool waits = task.launched != LaunchedBy::Ahead;
  if (!beside.empty() || jitter_of(id) != nullptr ||
      (waits && programs[task.slice.program].costs.contends())) {
    return run_times(task.slice, waits ? std::optional(lead) : std::nullopt, beside,
                     stretches_of(id))
        .total;
  }
  return waits ? std::max(task.duration, task.with_host - lead) : task.duration;
}

SegmentTimes TaskGraph::run_times(const ProgramSlice& slice, std::optional<Seconds> lead,
                                  const std::vector<TakenFrom>& beside,
                                  std::vector<double> stretch) const {
  const PlayedProgram& played = programs[slice.program];
  return std::move(play_together(*played.program, slice.first, slice.last,
                                 {{.costs = &played.costs,
                                   .lead = lead,
                                   .beside = beside,
                                   .stretch = std::move(stretch)}})[0]);
}

std::vector<SegmentTimes>& TaskGraph::joint_times(LaneSlicesId id, std::vector<LaneStart>& lanes,
                                                  LanePlayer& player) const {
  const std::vector<ProgramSlice>& slices = lane_slices[id].slices;
  for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
    lanes[lane].costs = &programs[slices[lane].program].costs;
  }
  const auto& [played, first, last] = slices[0];
  return player.play(*programs[played].program, first, last, lanes);
}

std::string TaskGraph::describe(TaskId id) const {
  const Task& task = tasks[id];
  std::string text = fmt::format("task {} ({}", index(id), name_of(task));
  if (task.action) {
    text += ", " + task.action->text() + (task.beside ? " beside " + task.beside->text() : "");
  }
  if (!participants.of(id).empty()) {
    std::vector<std::size_t> numbers;
    for (const RankClassId ranks : participants.of(id)) {
      numbers.push_back(index(ranks));
    }
    text += fmt::format(", rank class {}", fmt::join(numbers, "+"));
  }
  return text + ")";
}

Adjacency successors(const TaskGraph& graph) {
  return adjacency(graph, true);
}
Adjacency predecessors(const TaskGraph& graph) {
  return adjacency(graph, false);
}

std::vector<TaskId> topological_order(const TaskGraph& graph) {
  using Graph = boost::compressed_sparse_row_graph<boost::directedS>;
  std::vector<std::pair<std::size_t, std::size_t>> edges;
  edges.reserve(graph.edges.size());
  for (const auto& [before, after] : graph.edges) {
    edges.emplace_back(index(before), index(after));
  }
  const Graph boost_graph(boost::edges_are_unsorted_multi_pass, edges.begin(), edges.end(),
                          graph.tasks.size());
  std::vector<std::size_t> reversed;
  reversed.reserve(graph.tasks.size());
  try {
    boost::topological_sort(boost_graph, std::back_inserter(reversed));
  } catch (const boost::not_a_dag&) {
    throw InternalError("the task graph has a cycle through " +
                        graph.describe(task_on_cycle(graph)));
  }
  std::vector<TaskId> order;
  order.reserve(reversed.size());
  std::transform(reversed.rbegin(), reversed.rend(), std::back_inserter(order), make_id<TaskId>);
  return order;
}

}  // namespace danlu
