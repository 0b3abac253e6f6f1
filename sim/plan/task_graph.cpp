#include "sim/plan/task_graph.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/graph/compressed_sparse_row_graph.hpp>
#include <boost/graph/topological_sort.hpp>
#include <iterator>

#include "sim/base/error.hpp"

namespace danlu {
namespace {

Adjacency adjacency(const TaskGraph& graph, bool forward) {
  Adjacency lists;
  lists.offsets.assign(graph.tasks.size() + 1, 0);
  for (const auto& [before, after] : graph.edges) {
    ++lists.offsets[index(forward ? before : after) + 1];
  }
  for (std::size_t i = 1; i < lists.offsets.size(); ++i) {
    lists.offsets[i] += lists.offsets[i - 1];
  }
  lists.targets.resize(graph.edges.size());
  std::vector<std::int32_t> next(lists.offsets.begin(), lists.offsets.end() - 1);
  for (const auto& [before, after] : graph.edges) {
    const TaskId from = forward ? before : after;
    const auto slot = static_cast<std::size_t>(next[index(from)]++);
    lists.targets[slot] = forward ? after : before;
  }
  return lists;
}

/// A task on a cycle of a graph that has one: peel off what waits for nothing, again and again;
/// every task left waits for another one left, so walking back among those ends in a cycle.
TaskId task_on_cycle(const TaskGraph& graph) {
  const Adjacency after = adjacency(graph, true);
  const Adjacency before = adjacency(graph, false);
  std::vector<std::size_t> waits_for(graph.tasks.size());
  std::vector<TaskId> free;
  for (std::size_t i = 0; i < waits_for.size(); ++i) {
    waits_for[i] = before.of(make_id<TaskId>(i)).size();
    if (waits_for[i] == 0) {
      free.push_back(make_id<TaskId>(i));
    }
  }
  for (std::size_t i = 0; i < free.size(); ++i) {
    for (const TaskId next : after.of(free[i])) {
      if (--waits_for[index(next)] == 0) {
        free.push_back(next);
      }
    }
  }
  const auto is_left = [&](TaskId task) { return waits_for[index(task)] > 0; };
  const auto left =
      std::find_if(waits_for.begin(), waits_for.end(), [](std::size_t count) { return count > 0; });
  TaskId at = make_id<TaskId>(static_cast<std::size_t>(left - waits_for.begin()));
  for (std::size_t step = 0; step < graph.tasks.size(); ++step) {
    const auto earlier = before.of(at);
    at = *std::find_if(earlier.begin(), earlier.end(), is_left);
  }
  return at;
}

}  // namespace

int CommunicationInfo::slowest_pattern() const {
  return std::max_element(parts.begin(), parts.end(),
                          [](const CommunicationPart& a, const CommunicationPart& b) {
                            return (a.pattern < 0 ? Seconds{-1} : a.alone) <
                                   (b.pattern < 0 ? Seconds{-1} : b.alone);
                          })
      ->pattern;
}

NameId TaskGraph::named(std::string_view name) {
  const auto known = std::find(names.begin(), names.end(), name);
  if (known == names.end()) {
    names.emplace_back(name);
    return make_id<NameId>(names.size() - 1);
  }
  return make_id<NameId>(static_cast<std::size_t>(known - names.begin()));
}

TaskId TaskGraph::add(const Task& task, std::vector<int> units_taking_part) {
  tasks.push_back(task);
  participants.push_back(std::move(units_taking_part));
  return make_id<TaskId>(tasks.size() - 1);
}

Seconds TaskGraph::compute_time(TaskId id, Seconds start) const {
  const Task& task = tasks[index(id)];
  const Seconds cool = task.duration * task.stretch;
  if (throttles.empty() || participants[index(id)].empty()) {
    return cool;
  }
  const std::optional<Throttle>& throttle =
      throttles[static_cast<std::size_t>(participants[index(id)].front())];
  return throttle ? throttle->time(start, cool) : cool;
}

std::string TaskGraph::describe(TaskId id) const {
  const Task& task = tasks[index(id)];
  std::string text = fmt::format("task {} ({}", index(id), name_of(task));
  if (task.microbatch >= 0) {
    text += fmt::format(", microbatch {}", task.microbatch);
  }
  if (!participants[index(id)].empty()) {
    text += fmt::format(", unit {}", fmt::join(participants[index(id)], "+"));
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
