// Rounds of a step that were counted instead of played (sim/tasks/rounds.hpp). The times of tasks
// are those of a step of fewer microbatches, one round of which repeats `more` times:
//
//   played     | warm-up | round | round | round |    cool-down |
//                                start   start + period
//   the step   | warm-up | round | round | round | .. more .. |    cool-down |
#pragma once

#include <algorithm>
#include <vector>

#include "sim/base/ids.hpp"
#include "sim/base/units.hpp"

namespace danlu {

struct CountedRounds {
  /// What follows one another in a step: the passes of ranks, the sends from one stage to the next.
  struct Strand {
    TaskId begin{}, end{};
    TaskId first{}, last{};  // of these, those of the round, `last` not among them
  };

  int more = 0;          // 0: the whole step was played
  int microbatches = 0;  // of a round
  Seconds start, period;
  Seconds end;  // of what was played
  std::vector<Strand>
      strands{};  // in the order of their tasks; those of the step's end are of none

  /// That of a task; null: it is of none.
  const Strand* strand_of(TaskId task) const {
    const auto next = std::partition_point(
        strands.begin(), strands.end(), [&](const Strand& strand) { return strand.begin <= task; });
    return next == strands.begin() || std::prev(next)->end <= task ? nullptr : &*std::prev(next);
  }
  /// How often the step has such a task.
  int times(TaskId task) const {
    const Strand* const of = more == 0 ? nullptr : strand_of(task);
    return of != nullptr && of->first <= task && task < of->last ? 1 + more : 1;
  }
};

}  // namespace danlu
