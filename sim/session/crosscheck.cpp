#include "sim/session/crosscheck.hpp"

#include <array>
#include <utility>

#include "sim/session/simulate.hpp"

namespace danlu {

std::vector<Rung> crosscheck(const std::function<Scenario(std::string_view collectives)>& load,
                             const SessionOptions& options) {
  constexpr std::array<std::string_view, 3> kRungs{"formula", "steady", "stepwise"};
  std::vector<Rung> rungs;
  for (const std::string_view name : kRungs) {
    Simulation played = simulate(load(name), options);
    const auto tasks = static_cast<double>(played.report.simulation.tasks_played);
    rungs.push_back({name, std::move(played.report), tasks});
    const double messages = name == "steady" ? tasks_by_message(played.plan) : 0;
    if (messages > options.tasks.most) {
      rungs.push_back({"stepwise", std::nullopt, messages});
      break;
    }
  }
  return rungs;
}

}  // namespace danlu
