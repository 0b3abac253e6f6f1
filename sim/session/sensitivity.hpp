// What a played step would gain from more of each resource, and from what its plan leaves off: each
// is played.
#pragma once

#include "sim/report/sensitivity.hpp"
#include "sim/session/simulate.hpp"

namespace danlu {

/// Throws CannotRun where the steps to be played are too large together.
Sensitivity sensitivity_of(const Simulation& simulation, const SessionOptions& options);

}  // namespace danlu
