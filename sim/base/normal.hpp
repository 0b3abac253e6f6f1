// Normal numbers, each from a random word by its quantile, so quickly that a step may ask for
// millions:
//
//   word  | 11 bits: the cell | 21 bits: where in it |
//
// In a cell the quantile is taken for a straight line, which is within 1e-3 of it; in the eight at
// either end, where it is steep, it is computed.
#pragma once

#include <array>
#include <cstdint>

namespace danlu {

class NormalQuantiles {
 public:
  /// The table, made when it is first asked for.
  static const NormalQuantiles& table();

  double of(std::uint32_t word) const {
    const std::uint32_t cell = word >> kWithin;
    if (cell - kSteep >= kCells - 2 * kSteep) {
      return quantile((word + 0.5) * 0x1p-32);
    }
    const double within = ((word & ((1U << kWithin) - 1U)) + 0.5) / (1U << kWithin);
    return from_[cell] + (from_[cell + 1] - from_[cell]) * within;
  }
  /// Below which a share of all numbers is, between 0 and 1 and neither.
  static double quantile(double share);

 private:
  NormalQuantiles();

  static constexpr unsigned kWithin = 21;
  static constexpr unsigned kCells = 1U << (32 - kWithin);
  static constexpr unsigned kSteep = 8;

  std::array<double, kCells + 1> from_{};  // where the cells begin
};

}  // namespace danlu
