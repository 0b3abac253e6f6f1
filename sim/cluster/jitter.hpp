// Kernels that jitter: no two of a kind take equally long. Each stretch of kernels that is planned
// as one takes a log-normal factor of mean 1 and standard deviation `spread`:
//
//   factor = exp(sigma z - sigma^2 / 2)    sigma^2 = ln(1 + spread^2)    z normal, from a stream
//
// The n-th stretch of a GPU draws the n-th number of that GPU's own stream, so that a factor
// depends on nothing else, and can be drawn again at any time instead of being kept. Numbers are
// drawn four at a time.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <map>

#include "sim/base/ids.hpp"
#include "sim/base/normal.hpp"
#include "sim/base/philox.hpp"

namespace danlu {

struct Jitter {
  double spread = 0;
  std::uint64_t seed = 1;
  std::map<int, int> gpus{};  // ranges, from first to last; none: all of them

  bool shakes(int gpu) const;
  bool operator==(const Jitter&) const = default;
};

/// The factors of one rank in one draw of a step.
class JitterFactors {
  static constexpr std::uint32_t kWords = 4;

 public:
  JitterFactors(const Jitter& jitter, int draw, RankId rank);

  /// Of its n-th stretch of kernels.
  double of(std::uint32_t n) const { return factor(words(n)[n % kWords]); }
  /// Of those from the n-th on, one after the other: each four are drawn once.
  class From {
   public:
    From(const JitterFactors& factors, std::uint32_t n)
        : factors_(factors), n_(n), words_(factors.words(n)) {}
    double next() {
      const std::uint32_t word = words_[n_ % kWords];
      if (++n_ % kWords == 0) {
        words_ = factors_.words(n_);
      }
      return factors_.factor(word);
    }

   private:
    const JitterFactors& factors_;
    std::uint32_t n_;
    std::array<std::uint32_t, kWords> words_;
  };

 private:
  std::array<std::uint32_t, kWords> words(std::uint32_t n) const {
    return streams_.words(stream_, n / kWords);
  }
  double factor(std::uint32_t word) const {
    return std::exp(deviation_ * normals_.of(word) - deviation_ * deviation_ / 2);
  }

  const NormalQuantiles& normals_ = NormalQuantiles::table();
  RandomStreams streams_;
  std::uint64_t stream_;
  double deviation_;  // of the logarithm
};

}  // namespace danlu
