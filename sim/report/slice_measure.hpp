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

/// Goes through a slice once, from each moment at which one of its streams begins or ends something
/// to the next. One class, since it keeps its room from slice to slice, and of each program which
/// segments compute the same.
class SliceMeasurer {
 public:
  explicit SliceMeasurer(const TaskGraph& graph) : graph_(graph), alike_(graph.programs.size()) {}

  /// Of a run with such inner times (ActivityReader::times_of), from its origin on.
  SliceMeasure measure(TaskId run, const SegmentTimes& times);

 private:
  /// When a segment begins and ends, and what an exchange is.
  struct Stretch {
    Interval whole;
    CommunicationId sort{};
    Axis axis{};
  };
  /// Stretches one after the other.
  struct Stream {
    GroupSort groups;
    bool computes = false;
    std::vector<Stretch> stretches{};
    std::size_t next = 0;
    bool goes_on = false;  // the next one has begun
    Seconds exposed{};     // of which nothing computed beside so long
  };
  struct Sets {
    Intervals compute, exchanging, hidden, idle;
  };
  /// Segments that compute the same have a number; by number the first of them.
  struct Alike {
    std::vector<std::size_t> number;  // by segment of the program
    std::vector<std::size_t> first;
  };
  struct Count {
    double segments = 0, stretch = 0;  // sums
  };

  void sort_out(const ProgramSlice& slice, const SegmentTimes& times);
  void add_compute(const ProgramSlice& slice, const SegmentTimes& times, ComputeTime& sum);
  const Alike& alike_in(PlayedProgramId program);
  Seconds next_moment() const;
  void go_on(Stream& stream, Seconds now);
  void add_piece(Interval piece, SliceMeasure& measured, Sets& sets);

  const TaskGraph& graph_;
  IdVector<PlayedProgramId, Alike> alike_;
  std::vector<Stream> streams_;
  std::vector<Count> counts_;  // by Alike::number
  std::vector<std::pair<CommunicationId, SortSum>> sums_;
};

}  // namespace danlu
