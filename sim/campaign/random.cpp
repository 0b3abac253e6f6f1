#include "sim/campaign/random.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace danlu {
namespace {

constexpr int kRounds = 10;

/// High and low half of a product.
constexpr std::array<std::uint32_t, 2> multiply(std::uint32_t a, std::uint32_t b) {
  const std::uint64_t product = std::uint64_t{a} * b;
  return {static_cast<std::uint32_t>(product >> 32U), static_cast<std::uint32_t>(product)};
}

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

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> x,
                                    std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const auto [high0, low0] = multiply(0xD2511F53U, x[0]);
    const auto [high1, low1] = multiply(0xCD9E8D57U, x[2]);
    x = {high1 ^ x[1] ^ key[0], low1, high0 ^ x[3] ^ key[1], low0};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return x;
}

std::uint64_t stream_name(std::string_view owner, std::string_view what, std::uint64_t which) {
  Fnv fnv;
  fnv.add(owner);
  fnv.add(what);
  for (; which > 0; which >>= 8U) {
    fnv.add(static_cast<std::uint8_t>(which));
  }
  return fnv.hash;
}

std::array<double, 2> Dice::uniforms(std::uint64_t stream, std::uint32_t n) const {
  const auto words = philox(
      {n, static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32U), trial_},
      {static_cast<std::uint32_t>(seed_), static_cast<std::uint32_t>(seed_ >> 32U)});
  return {unit(words[0], words[1]), unit(words[2], words[3])};
}

double Dice::uniform(std::uint64_t stream, std::uint32_t n) const {
  return uniforms(stream, n)[0];
}

Seconds Dice::draw(const Duration& duration, std::uint64_t stream, std::uint32_t n) const {
  switch (duration.kind) {
    case Duration::Kind::Constant:
      break;
    case Duration::Kind::Exponential:
      return duration.mean * -std::log(uniform(stream, n));
    case Duration::Kind::Weibull:
      return weibull_quantile(duration.mean, duration.shape, uniform(stream, n));
    case Duration::Kind::LogNormal: {
      const auto [u, v] = uniforms(stream, n);  // Box and Muller: one normal number
      const double normal = std::sqrt(-2 * std::log(u)) * std::cos(2 * std::numbers::pi * v);
      const double sigma = duration.shape;
      return duration.mean * std::exp(sigma * normal - sigma * sigma / 2);
    }
    case Duration::Kind::Empirical: {
      const auto count = static_cast<double>(duration.samples.size());
      return duration.samples[static_cast<std::size_t>(uniform(stream, n) * count)];
    }
  }
  return duration.mean;
}

Seconds weibull_quantile(Seconds mean, double shape, double survival) {
  return mean / std::tgamma(1 + 1 / shape) * std::pow(-std::log(survival), 1 / shape);
}

double chance_beyond(const Duration& duration, Seconds limit) {
  switch (duration.kind) {
    case Duration::Kind::Constant:
      break;
    case Duration::Kind::Exponential:
      return std::exp(-(limit / duration.mean));
    case Duration::Kind::Weibull: {
      const double scaled = limit / duration.mean * std::tgamma(1 + 1 / duration.shape);
      return std::exp(-std::pow(scaled, duration.shape));
    }
    case Duration::Kind::LogNormal: {
      const double sigma = duration.shape;
      const double z = (std::log(limit / duration.mean) + sigma * sigma / 2) / sigma;
      return std::erfc(z / std::numbers::sqrt2) / 2;
    }
    case Duration::Kind::Empirical: {
      const auto& samples = duration.samples;
      const auto longer =
          std::count_if(samples.begin(), samples.end(), [&](Seconds s) { return s > limit; });
      return static_cast<double>(longer) / static_cast<double>(samples.size());
    }
  }
  return duration.mean > limit ? 1 : 0;
}

}  // namespace danlu
