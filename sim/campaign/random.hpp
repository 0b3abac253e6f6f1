// Random numbers by number. A counter-based generator turns (seed, trial, stream, n) into the n-th
// number of a stream, so that a draw never depends on what else was drawn, on threads or on the
// order of keys, and policies that are compared meet the same faults.
//
// Philox4x32-10: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
//
//   key     = seed                       (64 bits)
//   counter = trial | stream name | n    (32 + 64 + 32 bits)
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "sim/campaign/faults_spec.hpp"

namespace danlu {

/// One block of Philox4x32-10.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key);

/// The name of a stream as a number: what is drawn, for whom, and for which of several.
std::uint64_t stream_name(std::string_view owner, std::string_view what, std::uint64_t which = 0);

/// The streams of one trial.
class Dice {
 public:
  Dice(std::uint64_t seed, int trial) : seed_(seed), trial_(static_cast<std::uint32_t>(trial)) {}

  /// The n-th number of a stream, between 0 and 1 and neither.
  double uniform(std::uint64_t stream, std::uint32_t n) const;
  /// The n-th duration of a stream.
  Seconds draw(const Duration& duration, std::uint64_t stream, std::uint32_t n) const;

 private:
  std::array<double, 2> uniforms(std::uint64_t stream, std::uint32_t n) const;

  std::uint64_t seed_;
  std::uint32_t trial_;
};

/// The value below which a Weibull variable of this mean is with probability 1 - survival.
Seconds weibull_quantile(Seconds mean, double shape, double survival);

/// The chance that the duration is longer than `limit`.
double chance_beyond(const Duration& duration, Seconds limit);

}  // namespace danlu
