// Inside sim/program: what waits for what in a slice of a program.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "sim/program/program.hpp"

namespace danlu {

/// By segment of a slice those that it waits for, all of which stand before it: what it says, and
/// the one before it in its stream. Both are counted from the start of the slice.
class SliceWaits {
 public:
  /// Instead of those of another slice.
  void find(const Program& program, std::size_t first, std::size_t last) {
    waits_.clear();
    ends_.clear();
    last_of_stream_.clear();
    for (std::size_t i = first; i < last; ++i) {
      const Segment& segment = program.segments[i];
      for (const std::size_t before : segment.after) {
        if (before >= first) {
          waits_.push_back(static_cast<std::uint32_t>(before - first));
        }
      }
      const GroupSort stream = segment.stream();
      const auto at = static_cast<std::uint32_t>(i - first);
      const auto known = std::find_if(last_of_stream_.begin(), last_of_stream_.end(),
                                      [&](const auto& one) { return one.first == stream; });
      if (known == last_of_stream_.end()) {
        last_of_stream_.emplace_back(stream, at);
      } else {
        waits_.push_back(std::exchange(known->second, at));
      }
      ends_.push_back(waits_.size());
    }
  }

  std::span<const std::uint32_t> of(std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::span(waits_).subspan(begin, ends_[i] - begin);
  }

 private:
  std::vector<std::uint32_t> waits_;
  std::vector<std::size_t> ends_;                                    // by segment, in `waits_`
  std::vector<std::pair<GroupSort, std::uint32_t>> last_of_stream_;  // of which there are few
};

}  // namespace danlu
