// 64-bit hashes for comparing things by content. Two different ones among a million collide with a
// chance of 3 in 100 million.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace danlu {

/// Mixes `value` into `seed` (the finaliser of splitmix64).
inline std::uint64_t mix(std::uint64_t seed, std::uint64_t value) {
  std::uint64_t z = seed ^ (value + 0x9e3779b97f4a7c15ULL + (seed << 6) + (seed >> 2));
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}
inline std::uint64_t mix(std::uint64_t seed, double value) {
  return mix(seed, std::bit_cast<std::uint64_t>(value));
}
inline std::uint64_t mix(std::uint64_t seed, int value) {
  return mix(seed, static_cast<std::uint64_t>(value));
}
template <typename Enum>
requires std::is_enum_v<Enum> std::uint64_t mix(std::uint64_t seed, Enum value) {
  return mix(seed, static_cast<std::uint64_t>(value));
}

}  // namespace danlu
