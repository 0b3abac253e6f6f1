// ZB-H1 and ZB-H2 (Qi et al. 2023, "Zero Bubble Pipeline Parallelism"): 1F1B whose backward pass is
// cut in two. Only for the gradient of the input (I) does the stage before wait; that of the
// weights (W) is put off, by k s microbatches on stage s, and fills what 1F1B leaves empty at the
// end. With k(p-s-1) forward passes before the first I and F, I, W in turn from there on:
//
//   1F1B    stage 1 of 2   .  F0 B0 B0 F1 B1 B1 F2 B2 B2
//           stage 0        F0 F1 .  .  B0 B0 F2 B1 B1 .  B2 B2
//   ZB-H1   stage 1        .  F0 I0 F1 I1 W0 F2 I2 W1 W2            k = 1, peak p
//           stage 0        F0 F1 .  I0 W0 F2 I1 W1 I2 W2
//   ZB-H2   stage 1        .  F0 I0 F1 I1 F2 I2 W0 W1 W2            k = 2, peak 2p - 1
//           stage 0        F0 F1 F2 I0 W0 I1 W1 I2 W2
//
// With F, I and W of one unit and m microbatches both take 3m + p - 1 until the last stage is done.
// In ZB-H2 every stage works without a gap once it has begun, so that a next step that waits for no
// other stage could follow at once; here a step ends when all stages have ended. Where W is shorter
// than F and I, ZB-H2 is faster: (p-1)(f + b - w) of bubble against (p-1) max(f, f + b - 2w).
#include <fmt/format.h>

#include <algorithm>

#include "sim/schedule/schedule.hpp"

namespace danlu {
namespace {

std::vector<Action> put_off(const ScheduleShape& shape, int stage, int k) {
  const int after = shape.placement.stages() - stage - 1;
  std::vector<Action> found;
  int forwards = 0;
  int weights = 0;
  while (forwards < std::min(k * after, shape.microbatches)) {
    found.push_back({ActionKind::Forward, 0, forwards++});
  }
  for (int inputs = 0; inputs < shape.microbatches; ++inputs) {
    if (forwards < shape.microbatches) {
      found.push_back({ActionKind::Forward, 0, forwards++});
    }
    found.push_back({ActionKind::Input, 0, inputs});
    if (inputs - weights >= k * stage) {
      found.push_back({ActionKind::Weight, 0, weights++});
    }
  }
  while (weights < shape.microbatches) {
    found.push_back({ActionKind::Weight, 0, weights++});
  }
  return found;
}

/// With fewer microbatches than stages the first one needs p of F and of I one after the other, the
/// others follow, and its W comes last.
double put_off_bubble(const ScheduleShape& shape) {
  const double stages = shape.placement.stages();
  const double microbatches = shape.microbatches;
  const double step = std::max(3 * microbatches + stages - 1, 2 * (microbatches + stages) - 1);
  return step / (3 * microbatches) - 1;
}

int put_off_peak(const ScheduleShape& shape, int k) {
  return std::min(k * (shape.placement.stages() - 1) + 1, shape.microbatches);
}

/// ZB-H2 lives on forward passes that are made ahead; with fewer of them its gaps come back.
std::string zb_h2_obstacle(const ScheduleShape& shape) {
  const int least = 2 * shape.placement.stages() - 1;
  return shape.microbatches >= least
             ? ""
             : fmt::format("needs at least {} microbatches (2 x pipeline - 1), found {}", least,
                           shape.microbatches);
}

}  // namespace

const ScheduleRow kZbH1{
    .name = "zb-h1",
    .help = "1F1B with gradients of weights put off: about a third of its bubble (Qi et al. 2023)",
    .chunks = 1,
    .deal = Deal::InTurn,
    .obstacle = no_obstacle,
    .actions = [](const ScheduleShape& shape, int stage) { return put_off(shape, stage, 1); },
    .bubble = put_off_bubble,
    .peak = [](const ScheduleShape& shape, int /*stage*/) { return put_off_peak(shape, 1); },
    .round = one_by_one};

const ScheduleRow kZbH2{
    .name = "zb-h2",
    .help = "the same put off twice as far: fewer gaps, nearly twice the activations",
    .chunks = 1,
    .deal = Deal::InTurn,
    .obstacle = zb_h2_obstacle,
    .actions = [](const ScheduleShape& shape, int stage) { return put_off(shape, stage, 2); },
    .bubble = put_off_bubble,
    .peak = [](const ScheduleShape& shape, int /*stage*/) { return put_off_peak(shape, 2); },
    .round = one_by_one};

}  // namespace danlu
