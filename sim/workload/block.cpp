#include "sim/workload/block.hpp"

#include <algorithm>

namespace danlu {

std::vector<const Operator*> operators_of(const Block& block) {
  std::vector<const Operator*> found;
  for (const Step& step : block.steps) {
    if (const auto* op = std::get_if<Operator>(&step)) {
      found.push_back(op);
    }
  }
  return found;
}

Weight weight_of(const Block& block) {
  Weight sum;
  for (const Operator* op : operators_of(block)) {
    sum.whole += op->weight.whole;
    sum.held += op->weight.held;
  }
  return sum;
}

std::map<AxisSet, double> weights_by_copies(const Block& block) {
  std::map<AxisSet, double> held;
  for (const Operator* op : operators_of(block)) {
    if (op->weight.held > 0) {
      held[op->weight.copies] += op->weight.held;
    }
  }
  return held;
}

Bytes buffers_of(const Block& block) {
  Bytes sum;
  for (const Step& step : block.steps) {
    if (const auto* exchange = std::get_if<Exchange>(&step)) {
      sum += exchange->buffers;
    }
  }
  return sum;
}

Bytes kept_by(const Block& block) {
  Bytes sum = block.kept;
  for (const Operator* op : operators_of(block)) {
    sum += op->kept + op->kept_inside;
  }
  return sum;
}

Bytes made_again_by(const Block& block) {
  Bytes most;
  for (const Again& again : block.again) {
    most = std::max(most, again.bytes);
  }
  return most;
}

}  // namespace danlu
