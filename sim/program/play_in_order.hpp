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

#include <optional>
#include <vector>

#include "sim/program/play.hpp"

namespace danlu {

/// play_together(), or nothing where the order is not that of time.
std::optional<std::vector<SegmentTimes>> play_in_order(const Program& program, std::size_t first,
                                                       std::size_t last,
                                                       const std::vector<LaneStart>& lanes);

}  // namespace danlu
