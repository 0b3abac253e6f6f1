// Inside sim/engine: the host of a run that others may disturb (open_runs.hpp). It launches segment
// after segment whatever happens to them, so that its times are known up to the next segment for
// which it waits until that may start:
//
//   host   |1|2|3|          |4|5|6|          4 is one for which it waits
//   GPU      |  1  |  2 |  3|  |  4  | ..
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "sim/engine/open_slice.hpp"

namespace danlu {

class OpenHost {
 public:
  /// None: a host that is never late.
  explicit OpenHost(std::optional<Seconds> began = {}) : free_(began) {}

  /// How long before a slice it began with it.
  std::optional<Seconds> lead(Seconds start) const {
    return free_ ? std::optional(start - *free_) : std::nullopt;
  }

  /// Goes on until it has to wait. `waits_for`: by segment, for how many others it still waits.
  void launch(const OpenSlice& slice, const std::vector<int>& waits_for, Seconds now) {
    launch(slice, waits_for, [&](std::size_t) { return now; });
  }
  /// What it did while the slice went on alone at such times.
  void catch_up(const OpenSlice& slice, const std::vector<int>& waits_for, Seconds start,
                const SegmentTimes& times) {
    launch(slice, waits_for,
           [&](std::size_t i) { return start + (times.launched[i] - slice.launches[i].time); });
  }

  /// Segments whose launch is known.
  std::size_t known() const { return launched_.size(); }
  /// When a segment is launched; kNever: not yet known.
  Seconds launched(std::size_t segment) const {
    if (!free_) {
      return -1 * kNever;
    }
    return segment < launched_.size() ? launched_[segment] : kNever;
  }

  /// What is left of the slice behind so many segments, which it has launched, is a slice now.
  void leave_behind(std::size_t segments) {
    if (free_ && segments > 0) {
      free_ = launched_[segments - 1];
    }
    launched_.clear();
  }

 private:
  template <typename Ready>
  void launch(const OpenSlice& slice, const std::vector<int>& waits_for, const Ready& ready) {
    for (std::size_t i = launched_.size(); free_ && i < slice.launches.size(); ++i) {
      const OpenSlice::Launch& next = slice.launches[i];
      if (next.waits && waits_for[i] > 0) {
        return;
      }
      free_ = (next.waits ? std::max(*free_, ready(i)) : *free_) + next.time;
      launched_.push_back(*free_);
    }
  }

  std::optional<Seconds> free_;      // when it has launched these, or begins
  std::vector<Seconds> launched_{};  // by segment
};

}  // namespace danlu
