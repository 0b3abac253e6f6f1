// The least that a pass takes with compute that its exchanges slow, however late they are: played
// as alone (play.hpp), but that compute goes on as slowly as `taken` makes it while one exchange of
// the pass or several are under way. A bound, where no exchange takes less (sim/search/bound.hpp).
#pragma once

#include <vector>

#include "sim/program/program.hpp"
#include "sim/workload/contention.hpp"

namespace danlu {

/// `durations` and, of compute, `bounds` are by segment.
Seconds least_pass(const Program& program, const std::vector<Seconds>& durations,
                   const std::vector<Bounds>& bounds, GpuShare taken);

}  // namespace danlu
