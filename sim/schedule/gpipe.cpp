// GPipe (Huang et al. 2019): all forward passes, then all backward passes. With p stages and m
// microbatches a step takes m + p - 1 of both.
//
//   stage 0   F0 F1 F2 F3       B0 B1 B2 B3
//   stage 1      F0 F1 F2 F3 B0 B1 B2 B3
#include "sim/schedule/schedule.hpp"

namespace danlu {
namespace {

std::vector<Action> gpipe_actions(const ScheduleShape& shape, int /*stage*/) {
  std::vector<Action> found;
  for (const ActionKind kind : {ActionKind::Forward, ActionKind::Backward}) {
    for (int m = 0; m < shape.microbatches; ++m) {
      found.push_back({kind, 0, m});
    }
  }
  return found;
}

double gpipe_bubble(const ScheduleShape& shape) {
  return (shape.placement.stages() - 1.0) / shape.microbatches;
}

int gpipe_peak(const ScheduleShape& shape, int /*stage*/) {
  return shape.microbatches;
}

}  // namespace

const ScheduleRow kGPipe{
    .name = "gpipe",
    .help = "all forward passes, then all backward passes; keeps every microbatch's activations",
    .chunks = 1,
    .deal = Deal::InTurn,
    .obstacle = no_obstacle,
    .actions = gpipe_actions,
    .bubble = gpipe_bubble,
    .peak = gpipe_peak};

}  // namespace danlu
