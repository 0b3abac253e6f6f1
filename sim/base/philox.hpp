// Random numbers by number. A counter-based generator turns (seed, draw, stream, n) into the n-th
// number of a stream, so that a number never depends on what else was drawn, on threads or on the
// order of anything.
//
// Philox4x32-10: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
//
//   key     = seed                      (64 bits)
//   counter = draw | stream name | n    (32 + 64 + 32 bits)
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace danlu {

/// One block of Philox4x32-10.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                    std::array<std::uint32_t, 2> key);

/// The name of a stream as a number: what is drawn, for whom, and for which of several.
std::uint64_t stream_name(std::string_view owner, std::string_view what, std::uint64_t which = 0);
/// stream_name(owner, what, which) from stream_name(owner, what).
std::uint64_t continued_stream(std::uint64_t stream, std::uint64_t which);

/// All streams of one draw: a trial of a campaign, a step of several.
class RandomStreams {
 public:
  RandomStreams(std::uint64_t seed, std::uint32_t draw) : seed_(seed), draw_(draw) {}

  /// The n-th pair of a stream, each between 0 and 1 and neither.
  std::array<double, 2> uniforms(std::uint64_t stream, std::uint32_t n) const;
  /// The n-th number of a stream that is normal with mean 0 and variance 1.
  double normal(std::uint64_t stream, std::uint32_t n) const;

 private:
  std::uint64_t seed_;
  std::uint32_t draw_;
};

}  // namespace danlu
