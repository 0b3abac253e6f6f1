// What the ranks of one tensor-parallel group do in one pass through one chunk: compute segments
// and tensor-parallel collectives, with who waits for whom. The group's ranks move in lock-step.
//
//   forward of one layer, sequence parallel   compute  norm  QKV..proj  drop,norm  up..down  drop
//                                                tensor      gather   scatter     gather  scatter
//
// Segments of one stream run in list order; a segment also waits for the segments in `after`.
#pragma once

#include <string_view>
#include <vector>

#include "sim/collective/pattern.hpp"
#include "sim/workload/kernels.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

/// A stretch of compute, or one collective of the tensor group.
struct Segment {
  std::string_view name;
  bool is_compute = true;
  ComputeTime compute;                        // compute only
  CollectiveOp op = CollectiveOp::AllReduce;  // collective only
  Bytes bytes;                                // collective only: the whole array
  std::vector<int> after;                     // earlier segments of the same program
};

/// One pass. `layer_ends[i]` is the number of segments up to the end of the i-th layer visited; the
/// pass can be cut there, since nothing of a layer is pending at its end.
struct Program {
  std::vector<Segment> segments;
  std::vector<int> layer_ends;
};

/// What of the model a chunk holds: so many layers, and which of its ends.
struct Chunk {
  int layers = 1;
  bool first = false;
  bool last = false;
  auto operator<=>(const Chunk&) const = default;  // NOLINT(modernize-use-nullptr)
};

Program forward_program(const Workload& workload, const KernelTimer& timer, Chunk chunk);
/// Backward, with the recomputation that the workload asks for.
Program backward_program(const Workload& workload, const KernelTimer& timer, Chunk chunk);

/// When each segment of [first, last) starts and ends if collectives take `durations` (by segment)
/// and nothing disturbs them; relative to the start of the slice.
struct SegmentTimes {
  std::vector<Seconds> start, finish;
  Seconds total;
};
SegmentTimes play_alone(const Program& program, int first, int last,
                        const std::vector<Seconds>& durations);

}  // namespace danlu
