#include "sim/base/philox.hpp"

#include <cmath>
#include <numbers>

namespace danlu {
namespace {

/// 53 bits of two words as a number in (0, 1).
constexpr double unit(std::uint32_t high, std::uint32_t low) {
  const std::uint64_t bits = (std::uint64_t{high} << 32U | low) >> 11U;
  return (static_cast<double>(bits) + 0.5) * 0x1p-53;
}

/// FNV-1a, 64 bits (RFC 9923).
struct Fnv {
  std::uint64_t hash = 0xcbf29ce484222325U;

  void add(std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3U; }
  void add(std::string_view text) {
    for (const char c : text) {
      add(static_cast<std::uint8_t>(c));
    }
    add(std::uint8_t{0});
  }
};

}  // namespace

std::uint64_t stream_name(std::string_view owner, std::string_view what, std::uint64_t which) {
  Fnv fnv;
  fnv.add(owner);
  fnv.add(what);
  return continued_stream(fnv.hash, which);
}

std::uint64_t continued_stream(std::uint64_t stream, std::uint64_t which) {
  Fnv fnv{stream};
  for (; which > 0; which >>= 8U) {
    fnv.add(static_cast<std::uint8_t>(which));
  }
  return fnv.hash;
}

std::array<double, 2> RandomStreams::uniforms(std::uint64_t stream, std::uint32_t n) const {
  const std::array<std::uint32_t, 4> words = this->words(stream, n);
  return {unit(words[0], words[1]), unit(words[2], words[3])};
}

std::array<double, 2> RandomStreams::normals(std::uint64_t stream, std::uint32_t n) const {
  const auto [u, v] = uniforms(stream, n);
  const double radius = std::sqrt(-2 * std::log(u));
  const double angle = 2 * std::numbers::pi * v;
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

}  // namespace danlu
