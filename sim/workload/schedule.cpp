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

/// The i-th forward (or backward) pass of a stage: groups of `stages` microbatches visit the chunks
/// in turn, in reverse for backward. One chunk makes it plain 1F1B order.
StageOp nth_pass(bool forward, int i, int stages, int chunks) {
  const int group = stages * chunks;
  const int chunk = i % group / stages;
  return {forward, forward ? chunk : chunks - 1 - chunk, i / group * stages + i % stages};
}

std::vector<StageOp> one_f_one_b(int stage, int stages, int chunks, int microbatches) {
  const int passes = chunks * microbatches;
  // Interleaving needs more passes in flight, to have the later chunks' inputs ready in time.
  const int warm_up =
      chunks == 1 ? stages - stage - 1 : (stages - stage - 1) * 2 + (chunks - 1) * stages;
  std::vector<StageOp> ops;
  int forwards = 0;
  for (; forwards < std::min(warm_up, passes); ++forwards) {
    ops.push_back(nth_pass(true, forwards, stages, chunks));
  }
  for (int backwards = 0; backwards < passes; ++backwards) {
    if (forwards < passes) {
      ops.push_back(nth_pass(true, forwards++, stages, chunks));
    }
    ops.push_back(nth_pass(false, backwards, stages, chunks));
  }
  return ops;
}

}  // namespace

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
