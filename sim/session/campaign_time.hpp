// Times of a campaign are of whole nanoseconds.
#pragma once

#include <cmath>

#include "sim/base/units.hpp"

namespace danlu {

/// To the precision of SimGrid's clock, so that what differs in the last bits (a folded and an
/// unfolded step, say) makes the same campaign.
inline Seconds to_nanoseconds(Seconds time) {
  constexpr double kNano = 1e9;
  return {std::round(time.value * kNano) / kNano};
}

}  // namespace danlu
