// A step for Perfetto and chrome://tracing (Chrome trace JSON): a process for each played class of
// ranks, a thread for each stream. Fused passes are expanded while it is written, class by class
// and in order of time, so that of the slices only those are held that are under way at once.
#pragma once

#include <optional>
#include <vector>

#include "sim/base/text_sink.hpp"
#include "sim/tasks/plan_step.hpp"

namespace danlu {

/// What of a step a trace shows.
struct TraceSelection {
  IdVector<RankClassId, bool> ranks;  // whether the class is shown
  std::vector<bool> microbatches{};   // whether each is shown; empty: all

  /// Whether what an action does is shown; what belongs to no microbatch always is.
  bool shows(const std::optional<Action>& action) const {
    return !action || microbatches.empty() ||
           microbatches[static_cast<std::size_t>(action->microbatch)];
  }
};
/// All of it.
TraceSelection whole_step(const StepPlan& plan);

/// All of the step was played: none of its rounds was counted.
void write_trace(const StepPlan& plan, const Timeline& timeline, const TraceSelection& selection,
                 const TextSink& out);
/// How many slices that trace has.
double trace_slices(const StepPlan& plan, const TraceSelection& selection);

}  // namespace danlu
