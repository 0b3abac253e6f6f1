// Inside sim/report: the times of a slice in a trace, in microseconds with three decimals.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <string>

#include "sim/base/units.hpp"

namespace danlu {

/// Begin and end are rounded alike, to nanoseconds, and the duration is what lies between them:
/// where one slice begins as another ends, they touch and never overlap.
struct TraceTime {
  TraceTime(Seconds from, Seconds to) {
    constexpr double kNano = 1e9;
    const long long first = std::llround(from.value * kNano);
    begin = microseconds(first);
    duration = microseconds(std::llround(to.value * kNano) - first);
  }
  static std::string microseconds(long long nanoseconds) {
    return fmt::format("{}.{:03}", nanoseconds / 1000, nanoseconds % 1000);
  }

  std::string begin, duration;
};

}  // namespace danlu
