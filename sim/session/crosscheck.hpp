// One scenario on every rung of the ladder of fidelity: closed forms without contention, a flow for
// each phase of a collective, a flow for each message.
#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "sim/report/report.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/options.hpp"

namespace danlu {

/// One rung; no report where it has too many tasks to be played.
struct Rung {
  std::string_view collectives;  // the scenario's key: "formula", "steady", "stepwise"
  std::optional<Report> report;
  double tasks = 0;
};

/// Plays the rungs from the lowest on; `load` returns the scenario with that value of
/// `collectives`. Throws what simulate() throws.
std::vector<Rung> crosscheck(const std::function<Scenario(std::string_view collectives)>& load,
                             const SessionOptions& options);

}  // namespace danlu
