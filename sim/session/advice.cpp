#include "sim/session/advice.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "sim/report/advice.hpp"
#include "sim/session/plays.hpp"

namespace danlu {
namespace {

/// Larger steps are played once, not several times; a changed one may be a little larger.
constexpr std::size_t kMostTasks = 100'000;
constexpr std::size_t kMostTasksOfChange = 400'000;
constexpr int kMostGpus = 20'000;

/// How long a step takes with each change; none where that cannot be said.
std::vector<std::optional<Seconds>> play(const std::vector<Change>& changes,
                                         const Simulation& simulation,
                                         const SessionOptions& options) {
  if (simulation.report.gpus > kMostGpus) {
    return std::vector<std::optional<Seconds>>(changes.size());
  }
  std::vector<Scenario> scenarios;
  for (const Change& change : changes) {
    Scenario& scenario = scenarios.emplace_back(simulation.scenario);
    scenario.workload = change.workload;
  }
  const std::vector<std::optional<Seconds>> steps =
      try_steps(scenarios, &simulation.cluster, kMostTasksOfChange, options);
  for (std::size_t i = 0; i < changes.size(); ++i) {
    options.say(fmt::format("tried {}: {}", changes[i].text(),
                            steps[i] ? to_text(*steps[i]) : "no result"));
  }
  return steps;
}

}  // namespace

std::string why_untried(const Report& report) {
  return report.simulation.tasks_played > kMostTasks
             ? fmt::format("the step has more than {} tasks", kMostTasks)
             : "";
}

std::optional<Saving> best_saving(const Simulation& simulation, const SessionOptions& options) {
  constexpr double kWorthSaying = 0.005;  // of the step
  const Report& report = simulation.report;
  if (!why_untried(report).empty()) {
    return std::nullopt;
  }
  const std::vector<Change> changes = speed_changes(report, simulation.scenario.cluster);
  const std::vector<std::optional<Seconds>> steps = play(changes, simulation, options);
  std::optional<Saving> best;
  Seconds least = report.step.time * (1 - kWorthSaying);
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (steps[i] && *steps[i] < least) {
      least = *steps[i];
      best = Saving{changes[i].text(), least};
    }
  }
  return best;
}

std::vector<std::string> memory_hints(const Simulation& simulation, const SessionOptions& options) {
  constexpr std::size_t kTried = 12;
  constexpr std::size_t kShown = 4;
  const ClusterSpec& cluster = simulation.scenario.cluster;
  std::vector<Change> changes = memory_changes(simulation.report.workload, cluster);
  if (changes.empty()) {
    return {
        "no plan of these GPUs fits, with ZeRO-1, full recomputation, microbatches of one sequence "
        "and more tensor ranks and stages together; more GPUs, or GPUs with more memory"};
  }
  changes.resize(std::min(changes.size(), kTried));
  const std::vector<std::optional<Seconds>> steps = play(changes, simulation, options);
  std::vector<std::size_t> order(changes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return steps[a].value_or(kNever) < steps[b].value_or(kNever);
  });
  std::vector<std::string> hints;
  for (const std::size_t i : order) {
    if (hints.size() == kShown) {
      break;
    }
    const MemoryReport memory = measure_memory(changes[i].workload, cluster);
    hints.push_back(
        fmt::format("{}: needs {}{}{}", changes[i].text(), to_text(memory.use.peak()),
                    memory.tight() ? ", which is tight" : "",
                    steps[i] ? fmt::format(", and a step takes {}", to_text(*steps[i])) : ""));
  }
  return hints;
}

}  // namespace danlu
