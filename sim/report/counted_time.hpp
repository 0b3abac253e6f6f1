// Measures sets of time in a step of which rounds were counted (sim/tasks/counted_rounds.hpp): what
// lies in the round that repeats counts as often as the step has it.
#pragma once

#include "sim/report/intervals.hpp"
#include "sim/tasks/counted_rounds.hpp"

namespace danlu {

class CountedTime {
 public:
  explicit CountedTime(const CountedRounds& rounds)
      : round_{rounds.start, rounds.start + rounds.period}, more_(rounds.more) {}

  Seconds of(const Intervals& set) const {
    return more_ == 0 ? measure_of(set) : measure_of(set) + measure_of(in_round(set)) * more_;
  }
  Seconds of(const Coverage& set) const {
    return more_ == 0 ? set.total() : set.total() + set.within(round_) * more_;
  }
  /// Of `set` what lies in one of the intervals.
  Seconds of(const Coverage& set, const Intervals& within) const {
    return more_ == 0 ? set.within(within)
                      : set.within(within) + set.within(in_round(within)) * more_;
  }

 private:
  Intervals in_round(const Intervals& set) const { return intersect(set, {round_}); }

  Interval round_;
  double more_;
};

}  // namespace danlu
