#include "sim/report/slice_measure.hpp"

#include <algorithm>
#include <map>

namespace danlu {
namespace {

/// One communication of ranks that compute as given.
SortSum one(Interval interval, const Coverage& compute) {
  const Seconds time = interval.finish - interval.start;
  return {1, time, time - compute.within(interval)};
}

}  // namespace

SliceMeasure measure_slice(const TaskGraph& graph, TaskId run, const SegmentTimes& times) {
  const ProgramSlice& slice = graph.tasks[run].slice;
  const PlayedProgram& played = graph.programs[slice.program];
  ComputeTime compute_time;
  std::vector<Interval> computing;
  IdArray<Axis, std::vector<Interval>, kAxes> exchanging_along;
  std::map<CommunicationId, std::vector<Interval>> by_sort;
  for (std::size_t i = slice.first; i < slice.last; ++i) {
    const std::size_t at = i - slice.first;
    const Interval whole{times.start[at], times.finish[at]};
    const Segment& segment = played.program.segments[i];
    if (segment.is_compute) {
      computing.push_back(whole);
      compute_time += compute_in_run(graph, slice, at, times);
      compute_time[ComputePart::Contention] += times.longer[at];
    } else {
      const CommunicationId sort = played.communications[i].value();
      exchanging_along[graph.communications[sort].axis].push_back(whole);
      by_sort[sort].push_back(whole);
    }
  }
  const Intervals compute = unite(std::move(computing));
  std::vector<Interval> all;
  for (const std::vector<Interval>& along : exchanging_along) {
    all.insert(all.end(), along.begin(), along.end());
  }
  const Intervals exchanging = unite(std::move(all));
  SliceMeasure measured{.compute_time = compute_time,
                        .compute = Coverage(compute),
                        .exchanging = Coverage(exchanging),
                        .hidden = Coverage(intersect(compute, exchanging))};
  Intervals taken = compute;
  for (const auto& [axis, part] : kExposedParts) {
    if (exchanging_along[axis].empty()) {
      continue;
    }
    const Intervals along = unite(std::move(exchanging_along[axis]));
    const Intervals exposed = subtract(along, taken);
    measured.exchanging_along[axis] = measure_of(along);
    measured.hidden_along[axis] = measure_of(intersect(compute, along));
    measured.exposed_along[axis] = measure_of(exposed);
    taken.insert(taken.end(), exposed.begin(), exposed.end());
    taken = unite(std::move(taken));
  }
  if (graph.tasks[run].joint) {
    measured.waits = subtract({{Seconds{}, times.total}}, taken);
  } else {
    measured.for_host = std::max(Seconds{}, times.total - measure_of(taken));
  }
  for (const auto& [sort, intervals] : by_sort) {
    SortSum sum;
    for (const Interval& interval : intervals) {
      sum.add(one(interval, measured.compute));
    }
    measured.by_sort.emplace_back(sort, sum);
  }
  return measured;
}

}  // namespace danlu
