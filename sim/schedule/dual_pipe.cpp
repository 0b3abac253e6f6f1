// DualPipe-V and DualPipe (DeepSeek-V3, 2024; the orders of deepseek-ai/DualPipe@3da1bbe).
// DualPipe-V has two chunks a stage in a V. DualPipe runs two copies of the model against each
// other: chunk 0 of stage r is part r, chunk 1 part p-1-r of a second copy, which takes the second
// half of the microbatches from the last stage to the first. A stage and its mirror image p-1-r
// then do what one of p/2 stages does in DualPipe-V. Stage r of p, chunks 0 and 1:
//
//   2(p-r-1)  F0                        p-r-1  B1, F1 beside B0
//   r+1       F0 F1                     r+1    B1 B0, from the middle on without their weights
//   p-r-1     I1 W1 F1                  p-r-1  W, I0
//   m-2p+r+1  F0 beside B1, F1 beside B0       then the weights that are left
//
// Pairs are there so that exchanges of one pass run beside the compute of the other
// (sim/program/pair.cpp); what both made goes on when both are done. With F, I and W of a chunk one
// unit and a pair three, DualPipe-V takes 6m + 2(p - 1) and DualPipe, whose chunks are whole
// stages, 3m + p - 2.
#include <fmt/format.h>

#include <array>
#include <deque>
#include <utility>

#include "sim/schedule/schedule.hpp"

namespace danlu {
namespace {

/// Writes the actions of a stage, each the next of its direction and chunk.
class PairedActions {
 public:
  void forward(int chunk, bool beside_next = false) {
    found_.push_back({ActionKind::Forward, chunk, forwards_[at(chunk)]++, beside_next});
  }
  void backward(int chunk) {
    found_.push_back({ActionKind::Backward, chunk, backwards_[at(chunk)]++});
  }
  /// Without the gradients of weights, for which it queues.
  void input(int chunk) {
    const int microbatch = backwards_[at(chunk)]++;
    found_.push_back({ActionKind::Input, chunk, microbatch});
    weights_.push_back({ActionKind::Weight, chunk, microbatch});
  }
  void weight() {
    found_.push_back(weights_.front());
    weights_.pop_front();
  }
  void pair(int forward_chunk, int backward_chunk) {
    forward(forward_chunk, true);
    backward(backward_chunk);
  }
  std::vector<Action> take() { return std::move(found_); }

 private:
  static std::size_t at(int chunk) { return static_cast<std::size_t>(chunk); }

  std::array<int, 2> forwards_{}, backwards_{};
  std::deque<Action> weights_;
  std::vector<Action> found_;
};

std::vector<Action> paired_actions(int stages, int microbatches, int stage) {
  const int after = stages - stage - 1;
  PairedActions next;
  for (int i = 0; i < 2 * after; ++i) {
    next.forward(0);
  }
  for (int i = 0; i <= stage; ++i) {
    next.forward(0);
    next.forward(1);
  }
  for (int i = 0; i < after; ++i) {
    next.input(1);
    next.weight();
    next.forward(1);
  }
  for (int i = 0; i < microbatches - 2 * stages + stage + 1; ++i) {
    if (i == 0 && after == 0) {  // the turning point waits for its own forward pass
      next.forward(0);
      next.backward(1);
    } else {
      next.pair(0, 1);
    }
    next.pair(1, 0);
  }
  for (int i = 0; i < after; ++i) {
    next.backward(1);
    next.pair(1, 0);
  }
  for (int i = 0; i < 2 * (stage + 1); ++i) {
    const int chunk = i % 2 == 0 ? 1 : 0;
    i > stage ? next.input(chunk) : next.backward(chunk);
  }
  for (int i = 0; i < after; ++i) {
    next.weight();
    next.input(0);
  }
  for (int i = 0; i <= stage; ++i) {
    next.weight();
  }
  return next.take();
}

std::vector<Action> dual_pipe_v_actions(const ScheduleShape& shape, int stage) {
  return paired_actions(shape.placement.stages(), shape.microbatches, stage);
}

/// The second half of the stages is the mirror image of the first, with the copies exchanged.
std::vector<Action> dual_pipe_actions(const ScheduleShape& shape, int stage) {
  const int half = shape.placement.stages() / 2;
  const bool mirrored = stage >= half;
  std::vector<Action> found = paired_actions(
      half, shape.microbatches / 2, mirrored ? shape.placement.stages() - 1 - stage : stage);
  for (Action& action : found) {
    action.chunk = mirrored ? 1 - action.chunk : action.chunk;
    action.microbatch += action.chunk * (shape.microbatches / 2);
  }
  return found;
}

std::string too_few_microbatches(const ScheduleShape& shape) {
  const int least = 2 * shape.placement.stages();
  return shape.microbatches >= least
             ? ""
             : fmt::format("needs at least {} microbatches (2 x pipeline), found {}", least,
                           shape.microbatches);
}

std::string dual_pipe_obstacle(const ScheduleShape& shape) {
  if (shape.placement.stages() % 2 != 0) {
    return fmt::format("needs an even number of stages, found {}", shape.placement.stages());
  }
  if (shape.microbatches % 2 != 0) {
    return fmt::format("needs an even number of microbatches, half from each end, found {}",
                       shape.microbatches);
  }
  return too_few_microbatches(shape);
}

}  // namespace

const ScheduleRow kDualPipeV{
    .name = "dualpipe-v",
    .help = "the same with one copy, its two chunks in a V (DeepSeek 2025)",
    .chunks = 2,
    .deal = Deal::V,
    .obstacle = too_few_microbatches,
    .actions = dual_pipe_v_actions,
    .bubble =
        [](const ScheduleShape& shape) {
          return (shape.placement.stages() - 1.0) / (3 * shape.microbatches);
        },
    .peak = [](const ScheduleShape& shape,
               int /*stage*/) { return 2 * shape.placement.stages() + 1; },
    .round = one_by_one};

const ScheduleRow kDualPipe{
    .name = "dualpipe",
    .help = "two copies of the model run against each other, passes in pairs (DeepSeek-V3)",
    .chunks = 2,
    .deal = Deal::BothWays,
    .obstacle = dual_pipe_obstacle,
    .actions = dual_pipe_actions,
    .bubble =
        [](const ScheduleShape& shape) {
          return (shape.placement.stages() - 2.0) / (3 * shape.microbatches);
        },
    .peak = [](const ScheduleShape& shape, int /*stage*/) { return shape.placement.stages() + 1; },
    .round = [](const ScheduleShape& /*shape*/) { return 2; }};  // one from each end

}  // namespace danlu
