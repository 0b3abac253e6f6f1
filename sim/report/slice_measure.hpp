// What a rank does while it plays a slice of a program as one task: measured once for all passes
// that are copies of it.
#pragma once

#include <utility>
#include <vector>

#include "sim/report/activity.hpp"
#include "sim/report/report.hpp"

namespace danlu {

/// What all communications of one sort (TaskGraph::communications) took.
struct SortSum {
  double count = 0;
  Seconds time, exposed;

  void add(const SortSum& other, double times = 1) {
    count += times * other.count;
    time += times * other.time;
    exposed += times * other.exposed;
  }
};

/// At every instant it computes, exchanges, or waits for its host or for peers.
struct SliceMeasure {
  ComputeTime compute_time;
  Coverage compute, exchanging, hidden;  // hidden: both at once
  IdArray<Axis, Seconds, kAxes> exchanging_along{}, hidden_along{};
  IdArray<Axis, Seconds, kAxes> exposed_along{};  // each instant once (kExposedParts)
  Seconds for_host;
  Intervals waits;  // of a lane of a joint run, for peers
  std::vector<std::pair<CommunicationId, SortSum>> by_sort;
};

/// Of a run with such inner times (ActivityReader::times_of), from its origin on.
SliceMeasure measure_slice(const TaskGraph& graph, TaskId run, const SegmentTimes& times);

}  // namespace danlu
