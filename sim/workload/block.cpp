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

std::vector<const Weight*> weights_within(const Block& block, std::size_t first, std::size_t end) {
  std::vector<const Weight*> found;
  for (; first < end; ++first) {
    const auto* op = std::get_if<Operator>(&block.steps[first]);
    if (op == nullptr) {
      continue;
    }
    for (const Weight* weight : {&op->weight, &op->adapter}) {
      if (weight->whole > 0 || weight->held > 0) {
        found.push_back(weight);
      }
    }
  }
  return found;
}

std::vector<const Weight*> weights_of(const Block& block) {
  return weights_within(block, 0, block.steps.size());
}

Weight weight_of(const Block& block) {
  Weight sum;
  for (const Weight* weight : weights_of(block)) {
    sum.whole += weight->whole;
    sum.held += weight->held;
  }
  return sum;
}

Weight trained_weight_of(const Block& block) {
  Weight sum;
  for (const Weight* weight : weights_of(block)) {
    sum.whole += weight->trained ? weight->whole : 0;
    sum.held += weight->trained ? weight->held : 0;
  }
  return sum;
}

std::map<AxisSet, double> trained_by_copies(const Block& block) {
  std::map<AxisSet, double> held;
  for (const Weight* weight : weights_of(block)) {
    if (weight->trained && weight->held > 0) {
      held[weight->copies] += weight->held;
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

Bytes needed_by_weights(const Block& block, double element, double narrow) {
  Bytes sum;
  for (const Operator* op : operators_of(block)) {
    if (op->weight_gradient.empty()) {
      continue;
    }
    const double width = op->weight.narrow ? narrow : element;
    double inputs = 0;
    double outputs = 0;
    for (const Kernel& kernel : op->forward) {
      if (kernel.kind == KernelKind::Gemm) {
        inputs += kernel.batch * kernel.m * kernel.k;
        outputs += kernel.batch * kernel.m * kernel.n;
      }
    }
    sum += std::min(op->kept, Bytes{width * inputs}) + Bytes{width * outputs};
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
