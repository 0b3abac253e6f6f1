// Changes of a plan, tried by playing them: what would make a step shorter, and how a plan would
// fit that does not.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/session/simulate.hpp"

namespace danlu {

/// Why no saving is looked for: the step is too large to be played several times; "" if it is not.
std::string why_untried(const Report& report);

/// The single change that saves most of those worth a try; none where nothing saves, or a step is
/// too large to be played several times.
std::optional<Saving> best_saving(const Simulation& simulation, const SessionOptions& options);

/// How a plan would fit, the fastest step first; sentences.
std::vector<std::string> memory_hints(const Simulation& simulation, const SessionOptions& options);

}  // namespace danlu
