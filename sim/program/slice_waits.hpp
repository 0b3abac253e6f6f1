// Inside sim/program: what waits for what in a slice of a program.
#pragma once

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "sim/base/lists.hpp"
#include "sim/program/program.hpp"

namespace danlu {

enum class SliceSegmentId : std::int32_t {};

/// By segment of a slice those that it waits for, all of which stand before it: what it says, and
/// the one before it in its stream.
inline Lists<SliceSegmentId, SliceSegmentId> waits_of(const Program& program, std::size_t first,
                                                      std::size_t last) {
  Lists<SliceSegmentId, SliceSegmentId> waits;
  std::map<GroupSort, std::size_t> last_of_stream;
  std::vector<SliceSegmentId> before;
  for (std::size_t i = first; i < last; ++i) {
    const Segment& segment = program.segments[i];
    before.clear();
    for (const std::size_t earlier : segment.after) {
      if (earlier >= first) {
        before.push_back(make_id<SliceSegmentId>(earlier - first));
      }
    }
    const auto [previous, is_first] = last_of_stream.try_emplace(segment.stream(), i);
    if (!is_first) {
      before.push_back(make_id<SliceSegmentId>(std::exchange(previous->second, i) - first));
    }
    waits.add(before);
  }
  return waits;
}

}  // namespace danlu
