// Plans one training step: who computes what, in which order, and who talks to whom, for one
// member of every class of ranks. After plan_step the graph is acyclic and every byte is accounted
// for.
//
//   stage 0   F0 F1 F2 F3 B0 .. | data-parallel reduction | optimizer | gather (ZeRO-1)
//                \  \                                transfers between stages run beside compute
//   stage 1      F0 F1 B0 F2 ..
#pragma once

#include "sim/plan/fold.hpp"
#include "sim/plan/task_graph.hpp"

namespace danlu {

/// The step and the folding it was planned with.
struct StepPlan {
  Fold fold;
  TaskGraph graph;
};

/// `workload` fits `cluster` (no problems()).
StepPlan plan_step(const Workload& workload, const Cluster& cluster);

/// Plays dice for all that chance decides in a step: what kernels jitter by, and where in their
/// period throttling GPUs are. plan_step() has drawn for draw 0; draw i of n differs in its random
/// numbers, and has the phases shifted by i / n of a period.
void draw_step(StepPlan& plan, const DegradedSpec& degraded, int draw);

/// Tasks of compute that jittering GPUs and those of their tensor groups have, which cannot be
/// folded; `plan` is that of the step without jitter.
double tasks_of_jitter(const StepPlan& plan, const Workload& workload, const Jitter& jitter);

/// About how many tasks a step would have if its collectives were played message by message, at
/// most; `plan` has them as flows.
double tasks_by_message(const StepPlan& plan);

}  // namespace danlu
