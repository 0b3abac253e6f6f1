#include "sim/session/crosscheck.hpp"

#include <utility>

#include "sim/session/simulate.hpp"

namespace danlu {

std::vector<Rung> crosscheck(const std::function<Scenario(CollectiveMode)>& load,
                             const SessionOptions& options) {
  std::vector<Rung> rungs;
  for (const CollectiveMode mode :
       {CollectiveMode::Formula, CollectiveMode::Steady, CollectiveMode::Stepwise}) {
    Simulation played = simulate(load(mode), options);
    const auto tasks = static_cast<double>(played.report.simulation.tasks_played);
    rungs.push_back({mode, std::move(played.report), tasks});
    const double messages = mode == CollectiveMode::Steady ? tasks_by_message(played.plan) : 0;
    if (messages > options.tasks.most) {
      rungs.push_back({CollectiveMode::Stepwise, std::nullopt, messages});
      break;
    }
  }
  return rungs;
}

}  // namespace danlu
