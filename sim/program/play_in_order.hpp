// A slice of a program played in the order of its segments, without events: what a segment waits
// for stands before it, so each lane's next times follow from those that are known.
//
//   ready      = max(entry, ends of what it waits for, of the one before it in its stream)
//   launched   = what the host launched before (and, where it waits, ready) + its own launch
//   compute    from max(ready, launched) on, slower while known exchanges and others take from it
//   exchange   from when the last lane has come
//
// That is right as long as no exchange begins beside compute that stands before it, which it would
// have slowed: then it takes events (play.cpp). Programs launch an exchange before what goes on
// beside it, so this is rare: pairs of passes, and units of weights that are fetched ahead.
#pragma once

#include <vector>

#include "sim/program/play.hpp"
#include "sim/program/slice_waits.hpp"

namespace danlu {

/// One class, since each segment goes on from the times of those before it. It keeps its room from
/// one slice to the next, of which a step has millions where GPUs jitter.
class OrderPlayer {
 public:
  /// False where the order is not that of time; then what it has found means nothing.
  bool play(const Program& program, std::size_t first, std::size_t last,
            const std::vector<LaneStart>& lanes);

  /// By lane, of the slice that was played last.
  std::vector<SegmentTimes>& times() { return times_; }

 private:
  struct Lane {
    const LaneStart* start = nullptr;
    SegmentTimes* times = nullptr;
    bool launches = false;
    Seconds host_free{};
    Seconds computed{};    // its last stretch of compute has ended
    std::size_t step = 0;  // of what others take, the first one after `computed`

    void pass(std::size_t i, Seconds begin, Seconds end) {
      times->start[i] = begin;
      times->finish[i] = end;
      times->total = std::max(times->total, end);
    }
  };
  /// An exchange that takes from compute beside it.
  struct Taking {
    Seconds start, finish;
    GpuShare taken;
  };

  void begin(std::size_t segments, const std::vector<LaneStart>& lanes);
  Seconds come(Lane& lane, std::size_t i);
  void compute(Lane& lane, std::size_t i);
  Seconds slowed_end(Lane& lane, std::size_t i, Seconds now, Seconds left);
  bool exchange(std::size_t i);

  std::size_t first_ = 0;
  SliceWaits waits_;
  std::vector<Lane> lanes_;
  std::vector<SegmentTimes> times_;
  std::vector<Taking> taking_;  // those that may still go on beside compute
};

}  // namespace danlu
