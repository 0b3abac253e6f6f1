#include "sim/program/walk.hpp"

#include <algorithm>
#include <utility>

namespace danlu {
namespace {

/// Whether an operator only passes over memory; several in a row are one stretch of compute.
bool is_light(const Operator& op) {
  const auto passes = [](const Kernels& kernels) {
    return std::all_of(kernels.begin(), kernels.end(),
                       [](const Kernel& kernel) { return kernel.kind == KernelKind::Memory; });
  };
  return !op.is_product() && passes(op.forward) && passes(op.input_gradient);
}

const Operator* operator_at(const std::vector<Step>& steps, std::size_t i) {
  return i < steps.size() ? std::get_if<Operator>(&steps[i]) : nullptr;
}

/// Whether that runs beside an exchange before it.
bool is_beside(const std::vector<Step>& steps, std::size_t i) {
  return i < steps.size() && std::visit([](const auto& step) { return step.beside; }, steps[i]);
}

/// Whether such an operator stands there, and on the same line as `op`.
bool follows_light(const std::vector<Step>& steps, std::size_t i, const Operator& op) {
  const Operator* next = operator_at(steps, i);
  return next != nullptr && is_light(*next) && next->beside == op.beside;
}

/// Whether a product beside it can hide it. What ranks of a sequence exchange stands by itself.
bool is_of_tensor(const Exchange& exchange) {
  return exchange.axes == AxisSet(Axis::Tensor);
}

/// What runs of an operator's forward, for the first time or again.
const Kernels& forward_of(const Operator& op, bool again) {
  return again && op.forward_again ? *op.forward_again : op.forward;
}

void append(const Operator& op, Kernels Operator::*which, std::string& name, Kernels& kernels) {
  name += " and " + op.name;
  kernels.insert(kernels.end(), (op.*which).begin(), (op.*which).end());
}

}  // namespace

Walk::Walk(const Workload& w, ActionKind kind)
    : kind_(kind),
      mesh_(w.parallelism.mesh()),
      overlap_(w.parallelism.overlap_tensor),
      pieces_(overlap_ == TensorOverlap::Full ? w.parallelism.tensor_chunks : 1) {}

void Walk::run(const std::vector<Step>& steps, bool again) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto* op = std::get_if<Operator>(&steps[i]);
    routes_ = op != nullptr && op->routes;
    if (!is_beside(steps, i)) {
      end_beside();
    }
    if (op == nullptr) {
      const Exchange& exchange = std::get<Exchange>(steps[i]);
      const Operator* next = operator_at(steps, i + 1);
      if (!is_made(exchange, exchange.forward) || (again && exchange.kept_once)) {
        continue;
      }
      if (is_beside(steps, i + 1) && !exchange.beside) {
        pending_ = {add_exchange(exchange, *exchange.forward, ready_)};
      } else if (exchange.rounds > 1) {
        in_rounds(exchange, *next, /*backward=*/false, again);
        ++i;
      } else if (next != nullptr && next->is_product() && is_of_tensor(exchange)) {
        beside(exchange, *exchange.forward, *next, forward_of(*next, again),
               /*exchange_first=*/true, again);
        ++i;
      } else {
        ready_ = {add_exchange(exchange, *exchange.forward, ready_)};
      }
      continue;
    }
    const auto* after = i + 1 < steps.size() ? std::get_if<Exchange>(&steps[i + 1]) : nullptr;
    if (op->is_product() && after != nullptr && is_made(*after, after->forward) &&
        !(again && after->kept_once) && is_of_tensor(*after)) {
      beside(*after, *after->forward, *op, forward_of(*op, again), /*exchange_first=*/false, again);
      ++i;
      continue;
    }
    std::string name = op->name;
    Kernels kernels = forward_of(*op, again);
    for (; is_light(*op) && follows_light(steps, i + 1, *op); ++i) {
      append(*operator_at(steps, i + 1), &Operator::forward, name, kernels);
    }
    if (!kernels.empty()) {
      ready_ = {add_compute(std::move(name), std::move(kernels), ready_, again)};
    }
  }
  end_beside();
}

/// Backward comes to what runs beside an exchange before it comes to that, and begins it here.
void Walk::begin_beside(const std::vector<Step>& steps, std::size_t i) {
  while (is_beside(steps, i)) {
    --i;
  }
  const Exchange& exchange = std::get<Exchange>(steps[i]);
  if (is_made(exchange, exchange.backward)) {
    pending_ = {add_exchange(exchange, *exchange.backward, ready_)};
  }
}

void Walk::end_beside() {
  wait_for(std::exchange(pending_, {}));
}

void Walk::run_within(const Block& block, std::size_t first, std::size_t end, bool again) {
  if (first == 0 && end == block.steps.size()) {
    run(block.steps, again);
    return;
  }
  const auto begin = block.steps.begin();
  run({begin + static_cast<std::ptrdiff_t>(first), begin + static_cast<std::ptrdiff_t>(end)},
      again);
}

/// What backward needs from here on, with `left` steps before it.
void Walk::run_again(const Block& block, std::size_t left) {
  for (const Again& again : block.again) {
    if (again.before == left) {
      const bool part = again.before - again.first < block.steps.size();
      suffix_ = part ? " again" : "";
      run_within(block, again.first, again.end, true);
      suffix_ = "";
    }
  }
}

void Walk::backward(const Block& block, std::size_t first, std::size_t end) {
  const std::vector<Step>& steps = block.steps;
  for (std::size_t left = end; left > first;) {
    run_again(block, left);
    const std::size_t i = --left;
    const auto* op = std::get_if<Operator>(&steps[i]);
    routes_ = op != nullptr && op->routes;
    if (is_beside(steps, i) && !is_beside(steps, i + 1)) {
      begin_beside(steps, i);
    } else if (is_beside(steps, i + 1) && !is_beside(steps, i)) {
      end_beside();  // the exchange itself
      continue;
    }
    if (op == nullptr) {
      const Exchange& exchange = std::get<Exchange>(steps[i]);
      const Operator* before = i > 0 ? operator_at(steps, i - 1) : nullptr;
      if (!is_made(exchange, exchange.backward)) {
        continue;
      }
      if (before != nullptr && before->is_product() &&
          is_of_tensor(exchange)) {  // rows: its gradient arrives
        beside(exchange, *exchange.backward, *before, before->input_gradient, true, false);
        add_weight_gradient(*before);
        --left;
      } else {
        ready_ = {add_exchange(exchange, *exchange.backward, ready_)};
      }
      continue;
    }
    const auto* into = i > 0 ? std::get_if<Exchange>(&steps[i - 1]) : nullptr;
    if (op->is_product() && into != nullptr && into->backward && is_of_tensor(*into)) {
      columns(*op, *into);
      --left;
      continue;
    }
    if (into != nullptr && into->rounds > 1 && into->backward) {
      in_rounds(*into, *op, /*backward=*/true, false);
      --left;
      continue;
    }
    if (into != nullptr && into->again && is_made(*into, into->forward) &&
        (!op->is_product() || gives_weight_gradient(*op))) {
      ready_ = {add_exchange_again(*into, ready_)};
    }
    std::string name = op->name;
    Kernels kernels = op->input_gradient;
    for (; is_light(*op) && left > first && follows_light(steps, left - 1, *op); --left) {
      append(*operator_at(steps, left - 1), &Operator::input_gradient, name, kernels);
    }
    if (!kernels.empty()) {  // else nothing before it is trained
      ready_ = {add_compute(std::move(name), std::move(kernels), ready_, false)};
    }
    add_weight_gradient(*op);
  }
}

void Walk::weights(const Block& block, std::size_t first, std::size_t end) {
  const std::vector<Step>& steps = block.steps;
  for (std::size_t i = end; i-- > first;) {
    const auto* op = std::get_if<Operator>(&steps[i]);
    if (op == nullptr || op->weight_gradient.empty()) {
      continue;
    }
    routes_ = op->routes;
    const auto* into = i > 0 ? std::get_if<Exchange>(&steps[i - 1]) : nullptr;
    if (into != nullptr && into->again && is_made(*into, into->forward)) {
      ready_ = {add_exchange_again(*into, ready_)};
    }
    ready_ = {add_compute(op->name, op->weight_gradient, ready_, false)};
  }
}

void Walk::add_weight_gradient(const Operator& op) {
  if (gives_weight_gradient(op)) {
    ready_ = {add_compute(op.name, op.weight_gradient, ready_, false)};
  }
}

bool Walk::is_made(const Exchange& exchange, const std::optional<Way>& way) const {
  return way && mesh_.size(exchange.axes) > 1;
}

/// Backward of a product split by columns: its input's gradient is summed while the weight's is
/// computed, if the plan overlaps them.
void Walk::columns(const Operator& op, const Exchange& exchange) {
  if (!is_made(exchange, exchange.backward)) {
    Kernels both = op.input_gradient;
    if (gives_weight_gradient(op)) {
      both.insert(both.end(), op.weight_gradient.begin(), op.weight_gradient.end());
    }
    ready_ = {add_compute(op.name, std::move(both), ready_, false)};
    return;
  }
  const bool overlaps = overlap_ != TensorOverlap::None;
  std::vector<std::size_t> weight_needs;
  if (exchange.again && gives_weight_gradient(op)) {  // the weight's gradient needs the whole input
    weight_needs.push_back(add_exchange_again(exchange, ready_));
    if (!overlaps) {
      ready_ = weight_needs;
    }
  }
  ready_ = {add_compute(op.name, op.input_gradient, ready_, false)};
  const std::size_t sum = add_exchange(exchange, *exchange.backward, ready_);
  if (!gives_weight_gradient(op)) {
    ready_ = {sum};
    return;
  }
  weight_needs.push_back(overlaps ? ready_.front() : sum);
  const std::size_t weight = add_compute(op.name, op.weight_gradient, weight_needs, false);
  ready_ = {sum, weight};
}

/// An exchange beside a product. With TensorOverlap::Full both are cut into pieces along the
/// tokens, and the pieces of one run beside those of the other.
void Walk::beside(const Exchange& exchange, const Way& way, const Operator& op,
                  const Kernels& product, bool exchange_first, bool again) {
  if (product.empty()) {  // its output was kept
    ready_ = {add_exchange(exchange, way, ready_)};
    return;
  }
  routes_ = op.routes;
  Kernels piece = product;
  Exchange part = exchange;
  if (pieces_ > 1) {
    for (Kernel& kernel : piece) {
      kernel = piece_of(kernel, pieces_);
    }
    part.bytes = exchange.bytes / pieces_;
  }
  const std::vector<std::size_t> line = ready_;
  for (int i = 0; i < pieces_; ++i) {
    const std::vector<std::size_t> before = i == 0 ? line : std::vector<std::size_t>{};
    if (exchange_first) {
      ready_ = {add_compute(op.name, piece, {add_exchange(part, way, before)}, again)};
    } else {
      ready_ = {add_exchange(part, way, {add_compute(op.name, piece, before, again)})};
    }
  }
}

/// While the operator runs on what is there, what it needs next arrives; backward the gradients of
/// what was there before go on, too, and those of the last round one round after it:
///
///   exchange   1 | 2 | 3 |            1 | 2, gradients 0 | 3, gradients 1 | gradients 2
///   operator   0 | 1 | 2 | 3          0 |       1        |       2        |      3
void Walk::in_rounds(const Exchange& exchange, const Operator& op, bool backward, bool again) {
  for (int round = 0; round < exchange.rounds; ++round) {
    const int arrays = (round + 1 < exchange.rounds ? 1 : 0) + (backward && round > 0 ? 1 : 0);
    std::vector<std::size_t> next;
    if (arrays > 0) {
      Exchange part = exchange;
      part.bytes = exchange.bytes * arrays;
      next.push_back(add_exchange(part, backward ? *exchange.backward : *exchange.forward, ready_));
    }
    next.push_back(
        add_compute(op.name, backward ? op.input_gradient : forward_of(op, again), ready_, again));
    ready_ = next;
  }
}

std::size_t Walk::add_compute(std::string name, Kernels kernels, std::vector<std::size_t> after,
                              bool again) {
  name += suffix_;
  program_.segments.push_back({.name = std::move(name),
                               .kernels = std::move(kernels),
                               .again = again,
                               .after = std::move(after),
                               .routes = routes_});
  return size() - 1;
}

std::size_t Walk::add_exchange_again(const Exchange& exchange, std::vector<std::size_t> after) {
  Way way = *exchange.forward;
  way.name += " again";
  return add_exchange(exchange, way, std::move(after));
}

std::size_t Walk::add_exchange(const Exchange& exchange, const Way& way,
                               std::vector<std::size_t> after) {
  program_.segments.push_back({.name = way.name,
                               .is_compute = false,
                               .axes = exchange.axes,
                               .demand = {way.op, exchange.bytes * way.share, exchange.routing},
                               .after = std::move(after),
                               .needs_counts = way.needs_counts});
  return size() - 1;
}

std::size_t Walk::add_copy(std::string name, GroupSort sort, Bytes bytes,
                           std::vector<std::size_t> after) {
  program_.segments.push_back({.name = std::move(name),
                               .is_compute = false,
                               .axes = sort.axes,
                               .span = sort.span,
                               .demand = {CollectiveOp::SendReceive, bytes},
                               .after = std::move(after)});
  return size() - 1;
}

void Walk::wait_briefly(std::string name, AxisSet axes, const Demand& demand) {
  program_.segments.push_back({.name = std::move(name),
                               .is_compute = false,
                               .axes = axes,
                               .span = Span::Brief,
                               .demand = demand,
                               .after = ready_});
  ready_ = {size() - 1};
}

void Walk::wait_for(const std::vector<std::size_t>& segments) {
  ready_.insert(ready_.end(), segments.begin(), segments.end());
}

}  // namespace danlu
