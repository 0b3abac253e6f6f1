// The random numbers of a campaign: durations by number. Each is the n-th of a stream of Philox
// (sim/base/philox.hpp) that only the seed, the trial and the stream's name decide, so that
// policies that are compared meet the same faults.
#pragma once

#include <cstdint>

#include "sim/base/philox.hpp"
#include "sim/campaign/faults_spec.hpp"

namespace danlu {

/// The streams of one trial.
class Dice {
 public:
  Dice(std::uint64_t seed, int trial) : streams_(seed, static_cast<std::uint32_t>(trial)) {}

  /// The n-th number of a stream, between 0 and 1 and neither.
  double uniform(std::uint64_t stream, std::uint32_t n) const;
  /// The n-th duration of a stream.
  Seconds draw(const Duration& duration, std::uint64_t stream, std::uint32_t n) const;

 private:
  RandomStreams streams_;
};

/// The value below which a Weibull variable of this mean is with probability 1 - survival.
Seconds weibull_quantile(Seconds mean, double shape, double survival);

/// The chance that the duration is longer than `limit`.
double chance_beyond(const Duration& duration, Seconds limit);

}  // namespace danlu
