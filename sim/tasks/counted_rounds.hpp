// Rounds of a step that were counted instead of played (sim/tasks/rounds.hpp). The times of tasks
// are those of a step of fewer microbatches, one round of which repeats `more` times:
//
//   played     | warm-up | round | round | round |    cool-down |
//                                start   start + period
//   the step   | warm-up | round | round | round | .. more .. |    cool-down |
//
// Ranks that wait for each other at the step's end only, as those of a replica with a slow GPU and
// those of the others, have rounds of a length of their own. What they do at the end is played at
// the right times, so the slower began later by what their missing rounds take longer:
//
//   faster     | warm-up | round | round |    cool-down  |  end
//   slower        | warm-up | round  | round  | cool-down | end
#pragma once

#include <algorithm>
#include <vector>

#include "sim/base/id_vector.hpp"
#include "sim/base/units.hpp"

namespace danlu {

struct CountedRounds {
  /// What follows one another in a step: the passes of ranks, the sends from one stage to the next.
  struct Strand {
    PaceGroupId group{};
    TaskId begin{}, end{};
    TaskId first{}, last{};  // of these, those of the round, `last` not among them
  };
  /// Of ranks that wait for each other all through the step (sim/tasks/pace_groups.hpp).
  struct Pace {
    Seconds begin;  // of what was played of them
    Seconds start, period;
  };

  /// Tasks of the step that one that was played stands for, one after the other.
  struct Copies {
    Seconds later;  // the first one, than what was played
    int count = 1;
    Seconds period{};  // from one to the next
  };

  int more = 0;          // 0: the whole step was played
  int microbatches = 0;  // of a round
  Seconds end;           // of what was played
  Seconds later;         // the step ends, than what was played
  IdVector<PaceGroupId, Pace> paces{};
  IdVector<RankClassId, PaceGroupId> groups{};
  std::vector<Strand>
      strands{};  // in the order of their tasks; those of the step's end are of none

  /// That of a task; null: it is of none.
  const Strand* strand_of(TaskId task) const {
    const auto next = std::partition_point(
        strands.begin(), strands.end(), [&](const Strand& strand) { return strand.begin <= task; });
    return next == strands.begin() || std::prev(next)->end <= task ? nullptr : &*std::prev(next);
  }
  Copies copies(TaskId task) const {
    const Strand* const of = strand_of(task);
    if (of == nullptr || task >= of->last) {
      return {later};
    }
    const Pace& pace = paces[of->group];
    return task < of->first ? Copies{-pace.begin} : Copies{-pace.begin, 1 + more, pace.period};
  }
  /// How often the step has such a task.
  int times(TaskId task) const { return more == 0 ? 1 : copies(task).count; }
};

}  // namespace danlu
