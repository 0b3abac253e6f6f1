// A slice of a program played from event to event: whatever begins beside what.
#pragma once

#include <vector>

#include "sim/program/play.hpp"

namespace danlu {

/// play_together().
std::vector<SegmentTimes> play_by_events(const Program& program, std::size_t first,
                                         std::size_t last, std::vector<LaneStart> lanes);

}  // namespace danlu
