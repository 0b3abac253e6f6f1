// ZB-V (Qi et al. 2024, "Pipeline Parallelism with Controllable Memory"; in the order of PyTorch's
// ScheduleZBVZeroBubble): two chunks a stage in a V, so that what comes back starts where the last
// forward pass ended, and backward passes cut into I and W. Stage r of p, chunk 0 going down and
// chunk 1 coming back:
//
//   2(p-r)-1  F of chunk 0
//   r         F of chunk 1, F of chunk 0
//   p-r       F I W of chunk 1
//   then      F I W of chunk 0, F I W of chunk 1, until no forward pass is left
//   r         I of chunk 0, I of chunk 1
//   p-r       I W of chunk 0; then the weights that are left, chunk 1 first
//
// With F, I and W of a chunk one unit: 6m + p - 1, no gap on a stage between its first and its last
// action, and activations of 2p chunks, which is 1F1B's p microbatches. With few microbatches the
// first one needs 2p of F and of I: 4p + 4m - 2.
#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include "sim/schedule/schedule.hpp"

namespace danlu {
namespace {

/// Writes the actions of a stage, each the next of its kind and chunk, of `microbatches` at most.
class ActionsInTurn {
 public:
  explicit ActionsInTurn(int microbatches) : microbatches_(microbatches) {}

  int count(ActionKind kind, int chunk) const { return made_[slot(kind, chunk)]; }
  void add(int chunk, std::initializer_list<ActionKind> kinds) {
    for (const ActionKind kind : kinds) {
      const int microbatch = made_[slot(kind, chunk)]++;
      if (microbatch < microbatches_) {
        found_.push_back({kind, chunk, microbatch});
      }
    }
  }
  std::vector<Action> take() { return std::move(found_); }

 private:
  static std::size_t slot(ActionKind kind, int chunk) {
    return static_cast<std::size_t>(kind) * 2 + static_cast<std::size_t>(chunk);
  }

  int microbatches_;
  std::array<int, 2 * kNames<ActionKind>.size()> made_{};
  std::vector<Action> found_;
};

/// As if there were the 2p - 1 microbatches that fill the pipeline; those that there are not are
/// left out.
std::vector<Action> zb_v_actions(const ScheduleShape& shape, int stage) {
  constexpr auto kF = ActionKind::Forward;
  constexpr auto kI = ActionKind::Input;
  constexpr auto kW = ActionKind::Weight;
  const int stages = shape.placement.stages();
  const int microbatches = std::max(shape.microbatches, 2 * stages - 1);
  ActionsInTurn turn(shape.microbatches);
  for (int i = 0; i < 2 * (stages - stage) - 1; ++i) {
    turn.add(0, {kF});
  }
  for (int i = 0; i < stage; ++i) {
    turn.add(1, {kF});
    turn.add(0, {kF});
  }
  for (int i = 0; i < stages - stage; ++i) {
    turn.add(1, {kF, kI, kW});
  }
  while (turn.count(kF, 1) < microbatches) {
    if (turn.count(kF, 0) < microbatches) {
      turn.add(0, {kF});
    }
    turn.add(0, {kI, kW});
    turn.add(1, {kF, kI, kW});
  }
  for (int i = 0; i < stage; ++i) {
    turn.add(0, {kI});
    turn.add(1, {kI});
  }
  for (int i = 0; i < stages - stage; ++i) {
    turn.add(0, {kI, kW});
  }
  for (const int chunk : {1, 0}) {
    while (turn.count(kW, chunk) < microbatches) {
      turn.add(chunk, {kW});
    }
  }
  return turn.take();
}

double zb_v_bubble(const ScheduleShape& shape) {
  const double stages = shape.placement.stages();
  const double microbatches = shape.microbatches;
  const double step = std::max(6 * microbatches + stages - 1, 4 * (microbatches + stages) - 2);
  return step / (6 * microbatches) - 1;
}

int zb_v_peak(const ScheduleShape& shape, int stage) {
  const int microbatches = shape.microbatches;
  return std::min({2 * shape.placement.stages(), 2 * microbatches, microbatches + stage + 1});
}

}  // namespace

const ScheduleRow kZbV{.name = "zb-v",
                       .help =
                           "two chunks in a V, gradients of weights put off: a sixth of 1F1B's "
                           "bubble (Qi et al. 2024)",
                       .chunks = 2,
                       .deal = Deal::V,
                       .obstacle = no_obstacle,
                       .actions = zb_v_actions,
                       .bubble = zb_v_bubble,
                       .peak = zb_v_peak,
                       .round = one_by_one};

}  // namespace danlu
