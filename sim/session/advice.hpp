// Changes of a plan, tried by playing them: what would make a step shorter, and how a plan would
// fit that does not.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/report/advice.hpp"
#include "sim/session/simulate.hpp"

namespace danlu {

/// How long the step is with each change, played by SimGrid for seconds at most; none where it
/// hangs, has more tasks or takes longer.
std::vector<std::optional<Seconds>> try_changes(const std::vector<Change>& changes,
                                                const Simulation& simulation,
                                                std::size_t most_tasks,
                                                const SessionOptions& options);

/// Why no saving is looked for: the step is too large to be played several times; "" if it is not.
std::string why_untried(const Report& report);

/// The single change that saves most of those worth a try; none where nothing saves, or a step is
/// too large to be played several times.
std::optional<Saving> best_saving(const Simulation& simulation, const SessionOptions& options);

/// How a plan would fit, the fastest step first: at most a dozen changes are played, those of
/// fewest settings.
Remedies memory_remedies(const Simulation& simulation, const SessionOptions& options);
/// The best of them, in sentences.
std::vector<std::string> hints_of(const Remedies& remedies);

}  // namespace danlu
