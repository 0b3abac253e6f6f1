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
inline std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                           std::array<std::uint32_t, 2> key) {
  constexpr int kRounds = 10;
  auto [a, b, c, d] = counter;
  auto [even, odd] = key;
#pragma GCC unroll 10
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t first = std::uint64_t{0xD2511F53U} * a;
    const std::uint64_t second = std::uint64_t{0xCD9E8D57U} * c;
    a = static_cast<std::uint32_t>(second >> 32U) ^ b ^ even;
    b = static_cast<std::uint32_t>(second);
    c = static_cast<std::uint32_t>(first >> 32U) ^ d ^ odd;
    d = static_cast<std::uint32_t>(first);
    even += 0x9E3779B9U;
    odd += 0xBB67AE85U;
  }
  return {a, b, c, d};
}

/// The name of a stream as a number: what is drawn, for whom, and for which of several.
std::uint64_t stream_name(std::string_view owner, std::string_view what, std::uint64_t which = 0);
/// stream_name(owner, what, which) from stream_name(owner, what).
std::uint64_t continued_stream(std::uint64_t stream, std::uint64_t which);

/// All streams of one draw: a trial of a campaign, a step of several.
class RandomStreams {
 public:
  RandomStreams(std::uint64_t seed, std::uint32_t draw) : seed_(seed), draw_(draw) {}

  /// The n-th four words of a stream.
  std::array<std::uint32_t, 4> words(std::uint64_t stream, std::uint32_t n) const {
    return philox(
        {n, static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32U), draw_},
        {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32U)});
  }
  /// The n-th pair of a stream, each between 0 and 1 and neither.
  std::array<double, 2> uniforms(std::uint64_t stream, std::uint32_t n) const;
  /// The n-th pair of a stream of normal numbers, with mean 0 and variance 1 (Box and Muller).
  std::array<double, 2> normals(std::uint64_t stream, std::uint32_t n) const;

 private:
  std::uint64_t seed_;
  std::uint32_t draw_;
};

}  // namespace danlu
