#include "sim/report/intervals.hpp"

#include <algorithm>

namespace danlu {

namespace {

/// What is united is mostly a few sorted lists one after another: merges them.
void sort_by_start(std::vector<Interval>& intervals) {
  const auto earlier = [](const Interval& a, const Interval& b) { return a.start < b.start; };
  using At = std::vector<Interval>::iterator;
  std::vector<At> ends;  // of sorted runs
  for (At at = intervals.begin(); at != intervals.end();) {
    at = std::is_sorted_until(at, intervals.end(), earlier);
    ends.push_back(at);
  }
  while (ends.size() > 1) {
    std::vector<At> merged;
    At begin = intervals.begin();
    for (std::size_t i = 0; i < ends.size(); i += 2) {
      const At end = ends[std::min(i + 1, ends.size() - 1)];
      std::inplace_merge(begin, ends[i], end, earlier);
      merged.push_back(begin = end);
    }
    ends = std::move(merged);
  }
}

}  // namespace

Intervals unite(std::vector<Interval> intervals) {
  sort_by_start(intervals);
  std::size_t kept = 0;
  for (const Interval& interval : intervals) {
    if (interval.finish <= interval.start) {
      continue;
    }
    if (kept > 0 && interval.start <= intervals[kept - 1].finish) {
      intervals[kept - 1].finish = std::max(intervals[kept - 1].finish, interval.finish);
    } else {
      intervals[kept++] = interval;
    }
  }
  intervals.resize(kept);
  return intervals;
}

Intervals intersect(const Intervals& a, const Intervals& b) {
  Intervals common;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const Seconds start = std::max(a[i].start, b[j].start);
    const Seconds finish = std::min(a[i].finish, b[j].finish);
    if (start < finish) {
      common.push_back({start, finish});
    }
    a[i].finish < b[j].finish ? ++i : ++j;
  }
  return common;
}

Intervals subtract(const Intervals& a, const Intervals& b) {
  Intervals rest;
  std::size_t j = 0;
  for (Interval left : a) {
    while (j < b.size() && b[j].finish <= left.start) {
      ++j;
    }
    for (std::size_t k = j; k < b.size() && b[k].start < left.finish; ++k) {
      if (left.start < b[k].start) {
        rest.push_back({left.start, b[k].start});
      }
      left.start = std::max(left.start, b[k].finish);
    }
    if (left.start < left.finish) {
      rest.push_back(left);
    }
  }
  return rest;
}

Seconds measure_of(const Intervals& intervals) {
  Seconds sum;
  for (const Interval& interval : intervals) {
    sum += interval.finish - interval.start;
  }
  return sum;
}

Coverage::Coverage(const Intervals& set)
    : Coverage([&] {
        std::vector<Stretch> solid;
        for (const Interval& interval : set) {
          solid.push_back({interval});
        }
        return solid;
      }()) {}

Coverage::Coverage(std::vector<Stretch> stretches) : stretches_(std::move(stretches)) {
  before_.reserve(stretches_.size());
  for (const auto& [whole, shape] : stretches_) {
    before_.push_back(total_);
    total_ += shape != nullptr ? shape->total() : whole.finish - whole.start;
  }
}

Seconds Coverage::within(const Intervals& intervals) const {
  Seconds sum;
  std::size_t begun = 0;  // stretches; both lists are sorted, so it only grows
  const auto until_next = [&](Seconds time) {
    while (begun < stretches_.size() && stretches_[begun].whole.start < time) {
      ++begun;
    }
    return until(time, begun);
  };
  for (const Interval& interval : intervals) {
    const Seconds before = until_next(interval.start);
    sum += until_next(interval.finish) - before;
  }
  return sum;
}

Seconds Coverage::until(Seconds time) const {
  const auto after =
      std::partition_point(stretches_.begin(), stretches_.end(),
                           [&](const Stretch& stretch) { return stretch.whole.start < time; });
  return until(time, static_cast<std::size_t>(after - stretches_.begin()));
}

Seconds Coverage::until(Seconds time, std::size_t begun) const {
  if (begun == 0) {
    return {};
  }
  const auto& [whole, shape] = stretches_[begun - 1];
  if (time >= whole.finish) {
    return before_[begun - 1] + (shape != nullptr ? shape->total() : whole.finish - whole.start);
  }
  const Seconds inside = time - whole.start;
  return before_[begun - 1] + (shape != nullptr ? shape->until(inside) : inside);
}

}  // namespace danlu
