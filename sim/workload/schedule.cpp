#include "sim/workload/schedule.hpp"

#include <algorithm>
#include <array>

namespace danlu {
namespace {

std::vector<StageOp> gpipe(int microbatches) {
  std::vector<StageOp> ops;
  for (const bool forward : {true, false}) {
    for (int m = 0; m < microbatches; ++m) {
      ops.push_back({forward, 0, m});
    }
  }
  return ops;
}

/// The i-th forward (or backward) pass of a stage: groups of microbatches visit the chunks in turn,
/// in reverse for backward. One chunk makes it plain 1F1B order.
StageOp nth_pass(bool forward, int i, int group, int chunks, int microbatches) {
  const int first = i / (group * chunks) * group;  // of the group that the pass belongs to
  const int size = std::min(group, microbatches - first);
  const int within = i - first * chunks;
  const int chunk = within / size;
  return {forward, forward ? chunk : chunks - 1 - chunk, first + within % size};
}

std::vector<StageOp> one_f_one_b(int stage, int stages, int chunks, int microbatches) {
  const int passes = chunks * microbatches;
  const int group = interleaving_group(stages, microbatches);
  // Interleaving needs more passes in flight, to have the later chunks' inputs ready in time.
  const int warm_up =
      chunks == 1 ? stages - stage - 1 : (stages - stage - 1) * 2 + (chunks - 1) * group;
  std::vector<StageOp> ops;
  int forwards = 0;
  for (; forwards < std::min(warm_up, passes); ++forwards) {
    ops.push_back(nth_pass(true, forwards, group, chunks, microbatches));
  }
  for (int backwards = 0; backwards < passes; ++backwards) {
    if (forwards < passes) {
      ops.push_back(nth_pass(true, forwards++, group, chunks, microbatches));
    }
    ops.push_back(nth_pass(false, backwards, group, chunks, microbatches));
  }
  return ops;
}

}  // namespace

int interleaving_group(int stages, int microbatches) {
  int group = std::min(stages, microbatches);
  while (microbatches % group != 0 && microbatches % group < stages) {
    ++group;
  }
  return group;
}

std::vector<StageOp> schedule_ops(ScheduleKind kind, int stage, int stages, int chunks,
                                  int microbatches) {
  switch (kind) {
    case ScheduleKind::GPipe:
      return gpipe(microbatches);
    case ScheduleKind::OneFOneB:
      return one_f_one_b(stage, stages, chunks, microbatches);
  }
  return {};
}

int peak_chunks_in_flight(std::span<const StageOp> ops) {
  int held = 0;
  int peak = 0;
  for (const StageOp& op : ops) {
    held += op.forward ? 1 : -1;
    peak = std::max(peak, held);
  }
  return peak;
}

std::span<const ScheduleRow> schedule_table() {
  static constexpr std::array kRows{
      ScheduleRow{ScheduleKind::GPipe, "gpipe",
                  "all forward passes, then all backward passes; keeps every microbatch's "
                  "activations"},
      ScheduleRow{ScheduleKind::OneFOneB, "1f1b",
                  "one forward, one backward in turn; with chunks > 1 interleaved (Narayanan et "
                  "al. 2021)"},
  };
  return kRows;
}

}  // namespace danlu
