// One forward, one backward in turn, with several chunks interleaved (Narayanan et al. 2021):
//
//   1F1B, stage s of p         p-s-1 warm-up forwards, then F B F B ..., then the other backwards
//   interleaved 1F1B           the same over chunks: groups of g microbatches visit chunk 0, 1, ...
//
// With p stages, m microbatches, v chunks, forward f and backward b: (m + (p - 1)/v)(f + b). With
// fewer microbatches than stages the first needs p of both, and the others follow it.
//
//   with pairs                 one forward more in the warm-up, then (F;B) (F;B) ...
//
// as Megatron-LM combines them for overlap_moe_expert_parallel_comm (combined_1f1b.py, schedules.py
// at d13e93ff): then neither of a pair needs the other. With one chunk on several stages every
// second pair would wait for the other stage; Megatron-LM does not run that.
//
// A group is of p microbatches where p divides m. Else it is a little larger, as in Megatron-LM
// (microbatch_group_size_per_vp_stage) and PyTorch (ScheduleInterleaved1F1B): the least g from p on
// that divides m or leaves a last group of p or more, so that no stage waits for the next chunk's
// input. Fewer microbatches than stages are one group.
#include <algorithm>

#include "sim/schedule/schedule.hpp"

namespace danlu {
namespace {

/// The i-th forward (or backward) pass of a stage: groups of microbatches visit the chunks in turn,
/// in reverse for backward. One chunk makes it plain 1F1B order.
Action nth_pass(ActionKind kind, int i, int group, int chunks, int microbatches) {
  const int first = i / (group * chunks) * group;  // of the group that the pass belongs to
  const int size = std::min(group, microbatches - first);
  const int within = i - first * chunks;
  const int chunk = within / size;
  return {kind, kind == ActionKind::Forward ? chunk : chunks - 1 - chunk, first + within % size};
}

/// Forward passes before the first backward one. Interleaving needs more of them in flight, to have
/// the later chunks' inputs ready in time.
int warm_up(const ScheduleShape& shape, int stage) {
  const int after = shape.placement.stages() - stage - 1;
  const int chunks = shape.placement.chunks();
  const int group = interleaving_group(shape.placement.stages(), shape.microbatches);
  const int first = chunks == 1 ? after : after * 2 + (chunks - 1) * group;
  return std::min(first + (shape.pairs ? 1 : 0), chunks * shape.microbatches);
}

std::vector<Action> one_f_one_b_actions(const ScheduleShape& shape, int stage) {
  const int chunks = shape.placement.chunks();
  const int passes = chunks * shape.microbatches;
  const int group = interleaving_group(shape.placement.stages(), shape.microbatches);
  std::vector<Action> found;
  const auto add = [&](ActionKind kind, int i) {
    found.push_back(nth_pass(kind, i, group, chunks, shape.microbatches));
  };
  int forwards = 0;
  while (forwards < warm_up(shape, stage)) {
    add(ActionKind::Forward, forwards++);
  }
  for (int backwards = 0; backwards < passes; ++backwards) {
    if (forwards < passes) {
      add(ActionKind::Forward, forwards++);
      found.back().with_next = shape.pairs;
    }
    add(ActionKind::Backward, backwards);
  }
  return found;
}

double one_f_one_b_bubble(const ScheduleShape& shape) {
  const double stages = shape.placement.stages();
  const double microbatches = shape.microbatches;
  const double most = std::max(stages, microbatches);
  const double least = std::min(stages, microbatches);
  return (most + (least - 1) / shape.placement.chunks()) / microbatches - 1;
}

std::string one_f_one_b_obstacle(const ScheduleShape& shape) {
  return shape.pairs && shape.placement.chunks() == 1 && shape.placement.stages() > 1
             ? "puts passes side by side only with chunks > 1, or on one stage, found chunks 1"
             : "";
}

int one_f_one_b_peak(const ScheduleShape& shape, int stage) {
  return std::min(warm_up(shape, stage) + 1, shape.placement.chunks() * shape.microbatches);
}

}  // namespace

int interleaving_group(int stages, int microbatches) {
  int group = std::min(stages, microbatches);
  while (microbatches % group != 0 && microbatches % group < stages) {
    ++group;
  }
  return group;
}

const ScheduleRow kOneFOneB{
    .name = "1f1b",
    .help =
        "one forward, one backward in turn; with chunks > 1 interleaved (Narayanan et al. "
        "2021)",
    .chunks = std::nullopt,
    .deal = Deal::InTurn,
    .can_pair = true,
    .obstacle = one_f_one_b_obstacle,
    .actions = one_f_one_b_actions,
    .bubble = one_f_one_b_bubble,
    .peak = one_f_one_b_peak,
    .round = [](const ScheduleShape& shape) {
      return shape.placement.chunks() == 1
                 ? 1
                 : interleaving_group(shape.placement.stages(), shape.microbatches);
    }};

}  // namespace danlu
