// Pipeline schedules: in which order a stage runs the forward and backward passes of its chunks.
//
//   GPipe                      F0 F1 F2 F3 B0 B1 B2 B3: all forwards, then all backwards
//   1F1B, stage s of p         p-s-1 warm-up forwards, then F B F B ..., then the other backwards
//   interleaved 1F1B           the same over chunks: groups of g microbatches visit chunk 0, 1, ...
//
// With p stages, m microbatches, v chunks, forward f and backward b: GPipe and 1F1B take
// (m + p - 1)(f + b), interleaved (m + (p - 1)/v)(f + b) (Narayanan et al. 2021).
//
// A group is of p microbatches where p divides m. Else it is a little larger, as in Megatron-LM
// (microbatch_group_size_per_vp_stage) and PyTorch (ScheduleInterleaved1F1B): the least g from p on
// that divides m or leaves a last group of p or more, so that no stage waits for the next chunk's
// input. Fewer microbatches than stages are one group.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "sim/workload/workload.hpp"

namespace danlu {

/// One pass of one microbatch through one chunk of a stage.
struct StageOp {
  bool forward = true;
  int chunk = 0;
  int microbatch = 0;
};

/// Microbatches that visit one chunk before the next is begun.
int interleaving_group(int stages, int microbatches);

/// The passes of `stage` in order.
std::vector<StageOp> schedule_ops(ScheduleKind kind, int stage, int stages, int chunks,
                                  int microbatches);

/// The most microbatch-chunks whose activations `ops` holds at once.
int peak_chunks_in_flight(std::span<const StageOp> ops);

struct ScheduleRow {
  ScheduleKind kind;
  std::string_view name;
  std::string_view help;
};
std::span<const ScheduleRow> schedule_table();

}  // namespace danlu
