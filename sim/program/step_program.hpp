// What a training step is, for each stage: which passes it makes in which order, what it sends, and
// what it does at the end. Plain data without a machine and without times, made once from the
// blocks, the schedule and the placement. What groups ask for, the size of the step and the task
// graph are read off it.
//
//   stage 0   F0 F1 F2 F3 B0 .. | reduce gradients | optimizer | gather parameters (ZeRO-1)
//                \  \                                   sends run beside compute
//   stage 1      F0 F1 B0 F2 ..
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/collective/collective.hpp"
#include "sim/program/program.hpp"
#include "sim/schedule/action.hpp"

namespace danlu {

/// A pass of a stage: an action, or two side by side, whose results are there when both are done.
struct StagePass {
  Action action;
  std::optional<Action> beside{};  // the second of a pair
  ProgramId program{};
  bool cut_at_layers = false;  // something waits for single layers of it
  bool operator==(const StagePass&) const = default;
};

/// What a pass made goes to the pass of another stage that takes it up.
struct Send {
  PassId pass{};
  bool beside = false;  // of a pair: what its second action made
  bool next = false;    // to the stage that follows, with the first one after the last; else before
  PassId taken{};       // of the stage there
  double arrays = 1;    // of `sent` bytes (Workload::arrays_behind)
  bool operator==(const Send&) const = default;
};

/// What is done once, after the passes: an exchange, or an update of weights; or before them, as
/// the end of the step before, whose exchanges this one begins with.
struct EndStep {
  struct LayerEnd {
    PassId pass{};
    std::size_t layer = 0;  // as the pass visits them
    bool operator==(const LayerEnd&) const = default;
  };
  std::string name;
  std::optional<GroupSort> sort;  // of an exchange's group; none of an update
  CollectiveOp op = CollectiveOp::AllReduce;
  Bytes bytes;         // of an exchange the whole array; of an update what it moves in memory
  double on_host = 0;  // of an update by the CPUs instead: parameters
  Seconds launched;    // of an update: what its CPU takes for launches, while the GPU waits
  std::vector<Repeated> products{};  // of an update
  // It waits for
  std::optional<LayerEnd> layer;  // a layer of a pass; none: all passes
  std::vector<EndId> after{};     // and earlier end steps of the stage
  // Of an exchange: it waits for no pass, and this one for it.
  std::optional<PassId> ahead_of{};
  bool operator==(const EndStep&) const = default;
};

struct StageProgram {
  IdVector<PassId, StagePass> passes;
  std::vector<Send> sends;  // in order of their passes
  IdVector<EndId, EndStep> ends;
  bool operator==(const StageProgram&) const = default;
};

struct StepProgram {
  IdVector<ProgramId, Program> programs;  // each once
  std::vector<StageProgram> stages;
  Bytes sent;  // from one rank to the next stage, of one microbatch and array
  bool operator==(const StepProgram&) const = default;

  const StageProgram& stage(int number) const { return stages[static_cast<std::size_t>(number)]; }
};

StepProgram make_step_program(const Workload& workload);

/// The sorts of groups that exchange within passes of `stage`, ...
std::vector<GroupSort> sorts_within(const StepProgram& step, int stage);
/// ... and all whose collectives it makes, those first.
std::vector<GroupSort> sorts_of(const StepProgram& step, int stage);

/// Each operation and size that a group of `sort`, not a transfer, makes on `stage`, once.
std::vector<Demand> demands(const StepProgram& step, GroupSort sort, int stage);

/// Parameters whose gradients a rank reduces together.
struct GradientBucket {
  AxisSet copies;  // of their weights (Weight::copies), over which they are summed
  double parameters = 0;
  std::optional<PlacedChunk> chunk{};  // that finishes them, with its layer as backward visits it
  std::size_t layer = 0;
};

/// Those of `stage`: all at once, or with overlap_data a bucket for each layer, in the order in
/// which the last backward passes finish them. The head's gradients go with the first bucket, the
/// embedding's, which come last, with the last.
std::vector<GradientBucket> gradient_buckets(const Workload& workload, const ModelBlocks& model,
                                             int stage);

}  // namespace danlu
