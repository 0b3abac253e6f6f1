// What a rank does while it plays a slice of a program as one task: measured once for all passes
// that are copies of it.
#pragma once

#include <optional>
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
  Coverage compute, exchanging, hidden;          // hidden: both at once
  Coverage waits_for_host;                       // which sends beside it take the name of
  IdArray<Axis, Coverage, kAxes> after_sends{};  // exposed, of axes after sends (kExposedParts)
  IdArray<Axis, Seconds, kAxes> exchanging_along{}, hidden_along{};
  IdArray<Axis, Seconds, kAxes> exposed_along{};  // each instant once (kExposedParts)
  Intervals waits;                                // of a lane of a joint run, for peers
  std::vector<std::pair<CommunicationId, SortSum>> by_sort;
};

/// Goes through a slice once, from each moment at which one of its streams begins or ends something
/// to the next. One class, since it keeps its room from slice to slice, and what it knows of each
/// program.
class SliceMeasurer {
 public:
  explicit SliceMeasurer(const TaskGraph& graph) : graph_(graph), known_(graph.programs.size()) {}

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
    bool computes = false;
    std::vector<Stretch> stretches{};
    std::size_t next = 0;
    bool goes_on = false;  // the next one has begun
    Seconds moment{};      // when it begins, or ends if it goes on
    Seconds computed{};    // State::computed when it began
  };
  /// Of the moment that has been reached.
  struct State {
    Seconds time{};
    Seconds computed{};  // time before it in which something computed
    int computing = 0, exchanging = 0;
    IdArray<Axis, int, kAxes> along{};
  };
  struct Sets {
    Intervals compute, exchanging, hidden, idle;
    IdArray<Axis, Intervals, kAxes> after_sends{};
  };
  /// By segment of a program: its stream, what it is if an exchange, and if compute the number of
  /// those that compute the same; and of these the first, by number.
  struct Known {
    std::vector<std::size_t> stream;
    std::vector<CommunicationId> sort;
    std::vector<Axis> axis;
    std::vector<std::optional<std::size_t>> compute;
    std::vector<ComputeTimeId> computes;
    std::vector<GroupSort> streams;
  };
  struct Count {
    double segments = 0, stretch = 0;  // sums
  };

  void sort_out(const ProgramSlice& slice, const SegmentTimes& times);
  void add_compute(const ProgramSlice& slice, const SegmentTimes& times, ComputeTime& sum);
  const Known& known_of(PlayedProgramId program);
  Seconds next_moment() const;
  void begin(Stream& stream);
  void end(Stream& stream);
  void add_piece(Interval piece, SliceMeasure& measured, Sets& sets);

  const TaskGraph& graph_;
  IdVector<PlayedProgramId, Known> known_;
  std::vector<Stream> streams_;
  State now_;
  std::vector<Count> counts_;  // by number of Known::computes
  std::vector<std::pair<CommunicationId, SortSum>> sums_;
};

}  // namespace danlu
