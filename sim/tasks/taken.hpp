// What communications take from compute beside them (sim/workload/contention.hpp), class by class
// of ranks, as they begin and end.
#pragma once

#include <map>
#include <vector>

#include "sim/tasks/task_graph.hpp"

namespace danlu {

class TakenByClass {
 public:
  explicit TakenByClass(const TaskGraph& graph);

  /// Whether any communication takes anything.
  bool any() const { return !active_.empty(); }
  /// Of ranks; 0 where none takes anything.
  std::size_t classes() const { return active_.size(); }
  /// Counts a task of communication that begins, or ends. The tasks of one communication take what
  /// it takes once. False: it takes nothing.
  bool begin(TaskId task) { return change(task, 1); }
  bool end(TaskId task) { return change(task, -1); }
  /// From the ranks that lose most, who hold up those that go on in step with them.
  GpuShare from(std::span<const RankClassId> ranks) const;
  GpuShare from(RankClassId ranks) const;

 private:
  bool change(TaskId task, int by);

  const TaskGraph& graph_;
  IdVector<RankClassId, std::map<CommunicationId, int>> active_;  // empty where none takes anything
};

/// When which class of ranks has something taken from it, in a step that was played: by class,
/// sorted by time. Empty where no communication takes anything.
IdVector<RankClassId, std::vector<TakenFrom>> taken_over_time(const TaskGraph& graph,
                                                              const Timeline& timeline);

}  // namespace danlu
