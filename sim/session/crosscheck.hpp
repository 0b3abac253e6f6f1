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
  CollectiveMode mode = CollectiveMode::Formula;
  std::optional<Report> report;
  double tasks = 0;

  std::string_view name() const { return name_of(mode); }
};

/// Plays the rungs from the lowest on; `load` returns the scenario with its collectives in that
/// mode. Throws what simulate() throws.
std::vector<Rung> crosscheck(const std::function<Scenario(CollectiveMode)>& load,
                             const SessionOptions& options);

}  // namespace danlu
