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
  switch (op) {
    case CollectiveOp::AllReduce:
      return "all-reduce";
    case CollectiveOp::ReduceScatter:
      return "reduce-scatter";
    case CollectiveOp::AllGather:
      return "all-gather";
    case CollectiveOp::SendReceive:
      return "send";
  }
  return "";
}

}  // namespace danlu
