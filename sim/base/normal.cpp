#include "sim/base/normal.hpp"

#include <boost/math/special_functions/erf.hpp>
#include <numbers>

namespace danlu {

const NormalQuantiles& NormalQuantiles::table() {
  static const NormalQuantiles made;
  return made;
}

double NormalQuantiles::quantile(double share) {
  return -std::numbers::sqrt2 * boost::math::erfc_inv(2 * share);
}

NormalQuantiles::NormalQuantiles() {
  for (unsigned cell = kSteep; cell <= kCells - kSteep; ++cell) {
    from_[cell] = quantile(static_cast<double>(cell) / kCells);
  }
}

}  // namespace danlu
