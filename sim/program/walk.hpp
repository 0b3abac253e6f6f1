// Inside sim/program: one walk over blocks, forwards or backwards, that writes their segments. What
// stands beside what, and what waits for what, is decided here alone.
//
//   main line    QKV - attention - projection - ...      the next segment of it waits for ready()
//   beside it    gathers, sums                           until the main line is told to wait
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/program/program.hpp"

namespace danlu {

class Walk {
 public:
  Walk(const Workload& workload, ActionKind kind);

  // Steps [first, end) of a block: exchanges go with the operators that they belong to.
  void forward(const Block& block, std::size_t first, std::size_t end) {
    run_within(block, first, end, false);
  }
  void forward(const Block& block) { forward(block, 0, block.steps.size()); }
  /// The whole block once more, in a backward pass.
  void again(const Block& block) { run(block.steps, true); }
  /// With what the block asks to be computed again.
  void backward(const Block& block, std::size_t first, std::size_t end);
  /// The gradients of the weights alone, of a backward pass that left them out.
  void weights(const Block& block, std::size_t first, std::size_t end);
  /// A pass over memory on the main line.
  void pass(std::string name, const Kernel& kernel) {
    ready_ = {add_compute(std::move(name), {kernel}, ready_, false)};
  }
  void end_layer() { program_.layer_ends.push_back(size()); }

  /// What the next segment of the main line waits for.
  const std::vector<std::size_t>& ready() const { return ready_; }
  void wait_for(const std::vector<std::size_t>& segments);
  /// An exchange beside the main line; returns its segment. Its axes have more than one rank.
  std::size_t add_exchange(const Exchange& exchange, const Way& way,
                           std::vector<std::size_t> after);
  /// The same of one whose few bytes count for nothing but the wait (Span::Brief), for which the
  /// main line goes no further.
  void wait_briefly(std::string name, AxisSet axes, const Demand& demand);
  /// The same of a copy between the rank and its host.
  std::size_t add_copy(std::string name, GroupSort sort, Bytes bytes,
                       std::vector<std::size_t> after);

  Program take() { return std::move(program_); }

 private:
  void run(const std::vector<Step>& steps, bool again);
  void run_within(const Block& block, std::size_t first, std::size_t end, bool again);
  void run_again(const Block& block, std::size_t left);
  /// Here: an action I leaves it to W, a frozen weight has none.
  bool gives_weight_gradient(const Operator& op) const {
    return kind_ != ActionKind::Input && !op.weight_gradient.empty();
  }
  void begin_beside(const std::vector<Step>& steps, std::size_t i);
  void end_beside();
  bool is_made(const Exchange& exchange, const std::optional<Way>& way) const;
  void add_weight_gradient(const Operator& op);
  void columns(const Operator& op, const Exchange& exchange);
  void beside(const Exchange& exchange, const Way& way, const Operator& op, const Kernels& product,
              bool exchange_first, bool again);
  void in_rounds(const Exchange& exchange, const Operator& op, bool backward, bool again);
  std::size_t size() const { return program_.segments.size(); }
  std::size_t add_compute(std::string name, Kernels kernels, std::vector<std::size_t> after,
                          bool again);
  std::size_t add_exchange_again(const Exchange& exchange, std::vector<std::size_t> after);

  ActionKind kind_;
  Mesh mesh_;
  TensorOverlap overlap_;
  int pieces_;               // that products beside exchanges are cut into
  std::string_view suffix_;  // of the names of what is computed again of a layer
  bool routes_ = false;      // the operator at hand does
  std::vector<std::size_t> ready_;
  std::vector<std::size_t> pending_;  // the exchange that the main line runs beside, if any
  Program program_;
};

}  // namespace danlu
