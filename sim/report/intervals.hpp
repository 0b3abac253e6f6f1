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

/// How much of any stretch lies in a set, in logarithmic time.
class Coverage {
 public:
  explicit Coverage(const Intervals& set);
  Seconds within(Interval stretch) const { return until(stretch.finish) - until(stretch.start); }

 private:
  Seconds until(Seconds time) const;

  const Intervals& set_;
  std::vector<Seconds> before_;  // by interval: measure of the set before it
};

}  // namespace danlu
