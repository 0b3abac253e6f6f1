// Sets of time as sorted, disjoint intervals: what the overlap definitions are made of.
//
//   compute  |----------|                 [0, 10]
//   comm           |----------|  and [8, 14]:   merged [6, 14]; overlap [6, 10]; exposed [10, 14]
#pragma once

#include <vector>

#include "sim/base/units.hpp"

namespace danlu {

struct Interval {
  Seconds start, finish;
};

/// Sorted by start, disjoint, none empty.
using Intervals = std::vector<Interval>;

/// Sorts and merges what overlaps or touches; drops empty ones.
Intervals unite(std::vector<Interval> intervals);
Intervals intersect(const Intervals& a, const Intervals& b);
/// What of `a` is not in `b`.
Intervals subtract(const Intervals& a, const Intervals& b);
Seconds measure_of(const Intervals& intervals);

/// How much of any interval lies in a set, in logarithmic time. Parts of the set that repeat are
/// measured once: a stretch is solid, or a copy of a shape that starts at 0.
///
///   stretches   [2, 3] solid, [4, 9] copy of {[0, 1], [3, 5]}     set   [2, 3] [4, 5] [7, 9]
class Coverage {
 public:
  struct Stretch {
    Interval whole;
    const Coverage* shape = nullptr;  // none: solid
  };

  Coverage() = default;
  explicit Coverage(const Intervals& set);
  /// `stretches` are sorted and disjoint.
  explicit Coverage(std::vector<Stretch> stretches);

  Seconds within(Interval interval) const { return until(interval.finish) - until(interval.start); }
  Seconds within(const Intervals& intervals) const;  // in linear time
  Seconds total() const { return total_; }

 private:
  Seconds until(Seconds time) const;
  /// The same where so many stretches begin before `time`.
  Seconds until(Seconds time, std::size_t begun) const;

  std::vector<Stretch> stretches_;
  std::vector<Seconds> before_;  // by stretch: measure of the set before it
  Seconds total_;
};

}  // namespace danlu
