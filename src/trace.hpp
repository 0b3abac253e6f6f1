// Options of the trace of a step (sim/report/trace.hpp).
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "sim/report/trace.hpp"
#include "sim/session/options.hpp"

namespace danlu {

struct TraceOptions {
  std::optional<std::filesystem::path> file;
  std::optional<std::string> ranks;         // "0-7,12"; none: all
  std::optional<std::string> microbatches;  // the same
};

/// Throws InputError where something is asked of a trace that is not.
void check_trace_options(const TraceOptions& options);

/// What the trace is to show. Throws InputError.
TraceSelection selection_of(const TraceOptions& options, const Workload& workload,
                            const StepPlan& plan);

/// Says what a large trace takes before the step is played, and refuses one above the limit.
void check_trace(const StepPlan& plan, const TraceSelection& selection,
                 const std::filesystem::path& file, const SessionOptions& session);

}  // namespace danlu
