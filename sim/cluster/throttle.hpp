// A GPU that throttles when it is hot: for a share of every period its kernels take `slowdown`
// times as long.
//
//   speed      1 |      .------------.      .------
//   1 / slowdown |------'            '------'
//                |<hot ->|<- cool -->|        period = hot + cool, hot = share x period
//
// Healthy work w begun at time t ends when the integral of the speed from t on reaches w. A whole
// period does hot / slowdown + cool of it, so whole periods are divided out and three stretches at
// most are left: exact, and as quick for a day as for a second.
#pragma once

#include <compare>

#include "sim/base/units.hpp"

namespace danlu {

struct Throttle {
  double slowdown = 1;
  Seconds period;
  double share = 0;  // of a period that is hot
  double phase = 0;  // the part of a period that is over when the step begins, 0 to 1

  /// How long what takes `healthy` on a cool GPU takes from `start` on.
  Seconds time(Seconds start, Seconds healthy) const;
  /// How much of it is done in a time from `start` on.
  Seconds done(Seconds start, Seconds length) const;
  auto operator<=>(const Throttle&) const = default;  // NOLINT(modernize-use-nullptr)
};

}  // namespace danlu
