#include "sim/cluster/throttle.hpp"

#include <algorithm>
#include <cmath>

namespace danlu {

Seconds Throttle::time(Seconds start, Seconds healthy) const {
  const Seconds hot = period * share;
  const Seconds cool = period - hot;
  const double whole = std::floor(healthy / (hot / slowdown + cool));
  Seconds left = healthy - (hot / slowdown + cool) * whole;
  Seconds taken = period * whole;
  Seconds at{std::fmod(start.value + phase * period.value, period.value)};  // in its period
  while (left > Seconds{}) {
    const bool is_hot = at < hot;
    const double factor = is_hot ? slowdown : 1;
    const Seconds stretch = (is_hot ? hot : period) - at;
    const Seconds needed = left * factor;
    if (needed <= stretch) {
      return taken + needed;
    }
    taken += stretch;
    left -= stretch / factor;
    at = is_hot ? hot : Seconds{};
  }
  return taken;
}

Seconds Throttle::done(Seconds start, Seconds length) const {
  const Seconds hot = period * share;
  const auto until = [&](double at) {  // from the beginning of a period
    const double whole = std::floor(at / period.value);
    const Seconds rest{at - whole * period.value};
    return (hot / slowdown + period - hot) * whole + std::min(rest, hot) / slowdown +
           std::max(Seconds{}, rest - hot);
  };
  const double begin = std::fmod(start.value + phase * period.value, period.value);
  return until(begin + length.value) - until(begin);
}

}  // namespace danlu
