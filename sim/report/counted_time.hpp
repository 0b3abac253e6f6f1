// Measures sets of time in a step of which rounds were counted (sim/tasks/counted_rounds.hpp): what
// lies in the round that repeats counts as often as the step has it.
#pragma once

#include "sim/report/intervals.hpp"
#include "sim/tasks/counted_rounds.hpp"

namespace danlu {

class CountedTime {
 public:
  /// Of time in which ranks of the class are.
  CountedTime(const CountedRounds& rounds, RankClassId ranks) : more_(rounds.more) {
    if (rounds.more > 0) {
      const CountedRounds::Pace& pace = rounds.paces[rounds.groups[ranks]];
      begin_ = pace.begin;
      round_ = {pace.start, pace.start + pace.period};
    }
  }

  /// When they began in what was played.
  Seconds begin() const { return begin_; }

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

  double more_;
  Seconds begin_;
  Interval round_;
};

}  // namespace danlu
