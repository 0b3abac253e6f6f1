#include "sim/report/writers.hpp"

namespace danlu {

Difference difference(const Report& base, const Report& other) {
  Difference result{.step = other.step.time - base.step.time};
  for (std::size_t i = 0; i < kTimeParts; ++i) {
    result.parts.parts[i] = other.step.breakdown.parts[i] - base.step.breakdown.parts[i];
  }
  return result;
}

std::string_view collective_name(CollectiveOp op) {
  return kCollectiveOpNames[static_cast<std::size_t>(op)];
}

}  // namespace danlu
