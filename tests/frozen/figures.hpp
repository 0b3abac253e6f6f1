// What is stored of outputs that are too long to be stored whole.
#pragma once

#include "tests/frozen/difference.hpp"

namespace danlu::testing {

/// The report of `danlu run --json` without the figures that are of this computer.
Json without_machine(Json report);

/// Its key figures, for one line: the step and its parts, communication added up by kind, bytes by
/// kind of link, memory, the campaign, and how much was played. Lists become lengths and sums.
Json key_figures(const Json& report);

/// The output of `danlu validate --json` with each row as one number, what was simulated for it.
Json without_published(const Json& validation);

}  // namespace danlu::testing
