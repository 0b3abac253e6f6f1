// Plans one training step: who computes what, in which order, and who talks to whom, for one
// member of every class of ranks. After plan_step the graph is acyclic and every byte is accounted
// for.
//
//   stage 0   F0 F1 F2 F3 B0 .. | data-parallel reduction | optimizer | gather (ZeRO-1)
//                \  \                                transfers between stages run beside compute
//   stage 1      F0 F1 B0 F2 ..
#pragma once

#include <functional>

#include "sim/fold/fold.hpp"
#include "sim/tasks/task_graph.hpp"

namespace danlu {

/// Passes of a stage that one group of ranks makes, or what one rank sends to another stage: one
/// after the other, each some tasks that follow one another in the graph.
struct Strand {
  int stage = 0;
  std::vector<PassId> passes;  // that each is, or that made what is sent
  std::vector<TaskId> begins;  // of each its first task; and behind the last one
};

/// The step and the folding it was planned with.
struct StepPlan {
  Fold fold;
  TaskGraph graph;
  std::vector<Strand> strands{};  // in the order of their tasks; what is left is the step's end
};

/// About how large a step is: what is planned of it, and what a machine needs for that.
struct StepSize {
  double tasks = 0;     // to be played
  double segments = 0;  // of programs, which fused tasks are made of
  double opened = 0;    // tasks to be played where disturbed passes are opened
  double drawn = 0;     // segments of runs that jitter: played and measured each, but not kept

  double parts() const { return tasks + segments; }
  /// So many tasks would take as long.
  double effort() const {
    constexpr double kDrawn = 0.05;  // of the time of a task
    return parts() + kDrawn * drawn;
  }
};
/// The least that a step can have, known before anything is planned: its passes, once in every
/// stage, and their layers.
StepSize least_size(const Workload& workload);
/// Looks at the size of a step once it is folded and before its tasks are made; may throw.
using SizeCheck = std::function<void(const StepSize&)>;

/// What becomes of a pass whose exchanges share links with others, where its ranks go on in step: a
/// task for each segment; or one run, which the player opens while it is disturbed
/// (sim/engine/open_runs.hpp). The step ends at the same time; what its segments did is not known.
/// LanesBySegment: nor are there joint runs, which tests hold to their segments.
enum class Disturbed { BySegment, Open, LanesBySegment };

/// `workload` fits `cluster` (no problems()).
StepPlan plan_step(const Workload& workload, const Cluster& cluster, const SizeCheck& check = {},
                   Disturbed disturbed = Disturbed::BySegment);

/// Tells tasks of compute and runs which of their rank's random factors are theirs.
void number_draws(StepPlan& plan);

/// Plays dice for all that chance decides in a step: what kernels jitter by, and where in their
/// period throttling GPUs are. plan_step() has drawn for draw 0; draw i of n differs in its random
/// numbers, and has the phases shifted by i / n of a period.
void draw_step(StepPlan& plan, const DegradedSpec& degraded, int draw);

/// About how large a step is where GPUs jitter, so that they and those of their tensor groups
/// cannot be folded, where its passes can be runs; `calm` is that of the step without jitter.
StepSize size_with_jitter(const StepPlan& calm, const Workload& workload, const Jitter& jitter);

/// About how many tasks a step would have if its collectives were played message by message, at
/// most; `plan` has them as flows.
double tasks_by_message(const StepPlan& plan);

}  // namespace danlu
