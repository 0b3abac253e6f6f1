#include "sim/session/advice.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "sim/report/advice.hpp"
#include "sim/session/evaluate.hpp"
#include "sim/session/plays.hpp"

namespace danlu {
namespace {

/// Larger steps are played once, not several times; a changed one may be a little larger.
constexpr std::size_t kMostTasks = 100'000;
constexpr std::size_t kMostTasksOfChange = 400'000;
constexpr int kMostGpus = 20'000;

}  // namespace

std::vector<std::optional<Seconds>> try_changes(const std::vector<Change>& changes,
                                                const Simulation& simulation,
                                                std::size_t most_tasks,
                                                const SessionOptions& options) {
  std::vector<Scenario> scenarios;
  for (const Change& change : changes) {
    Scenario& scenario = scenarios.emplace_back(simulation.scenario);
    scenario.workload = change.workload;
  }
  const std::vector<std::optional<Seconds>> steps =
      try_steps(scenarios, &simulation.cluster, most_tasks, options);
  for (std::size_t i = 0; i < changes.size(); ++i) {
    options.say(fmt::format("tried {}: {}", changes[i].text(),
                            steps[i] ? to_text(*steps[i]) : "no result"));
  }
  return steps;
}

std::string why_untried(const Report& report) {
  return report.simulation.tasks_played > kMostTasks
             ? fmt::format("the step has more than {} tasks", kMostTasks)
             : "";
}

std::optional<Saving> best_saving(const Simulation& simulation, const SessionOptions& options) {
  constexpr double kWorthSaying = 0.005;  // of the step
  const Report& report = simulation.report;
  if (!why_untried(report).empty() || report.gpus > kMostGpus) {
    return std::nullopt;
  }
  const std::vector<Change> changes = speed_changes(report, simulation.scenario.cluster);
  std::vector<Workload> plans;
  for (const Change& change : changes) {
    plans.push_back(change.workload);
  }
  Seconds least = report.step.time * (1 - kWorthSaying);
  const std::vector<Evaluation> found =
      Evaluator(simulation.cluster,
                {.threads = options.processes, .most_parts = kMostTasksOfChange})
          .evaluate(plans, least);
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const bool ended = found[i].outcome == Evaluation::Outcome::Ended;
    options.say(fmt::format("tried {}: {}", changes[i].text(),
                            ended ? to_text(found[i].step) : found[i].why));
    if (ended && found[i].step < least) {
      least = found[i].step;
      best = i;
    }
  }
  if (!best) {
    return std::nullopt;
  }
  Scenario changed = simulation.scenario;
  changed.workload = plans[*best];
  return Saving{changes[*best].text(), play_steps({&changed, 1}, &simulation.cluster, options)[0]};
}

Remedies memory_remedies(const Simulation& simulation, const SessionOptions& options) {
  constexpr std::size_t kTried = 12;
  const ClusterSpec& cluster = simulation.scenario.cluster;
  std::vector<Change> changes = memory_changes(simulation.report.workload, cluster);
  Remedies remedies{.played = {}, .found = changes.size()};
  changes.resize(std::min(changes.size(), kTried));
  const std::vector<std::optional<Seconds>> steps =
      simulation.report.gpus > kMostGpus
          ? std::vector<std::optional<Seconds>>(changes.size())
          : try_changes(changes, simulation, kMostTasksOfChange, options);
  for (std::size_t i = 0; i < changes.size(); ++i) {
    remedies.played.push_back(
        {changes[i].text(), measure_memory(changes[i].workload, cluster), steps[i]});
  }
  std::stable_sort(remedies.played.begin(), remedies.played.end(),
                   [](const Remedy& a, const Remedy& b) {
                     return a.step.value_or(kNever) < b.step.value_or(kNever);
                   });
  return remedies;
}

std::vector<std::string> hints_of(const Remedies& remedies) {
  constexpr std::size_t kShown = 4;
  if (remedies.played.empty()) {
    return {
        "no change that was tried fits, nor any of them together: ZeRO-3, full recomputation, "
        "fused "
        "attention, microbatches of one sequence, the optimizer in the host's memory, more tensor "
        "ranks and stages; danlu search tries more, or take more GPUs, or GPUs with more memory"};
  }
  std::vector<std::string> hints;
  for (const Remedy& remedy : remedies.played) {
    if (hints.size() == kShown) {
      hints.push_back(fmt::format(
          "these are the fastest of {} changes that were played, those of fewest settings of the "
          "{} found to fit; --json has all",
          remedies.played.size(), remedies.found));
      break;
    }
    hints.push_back(fmt::format(
        "{}: needs {}{}{}", remedy.change, to_text(remedy.memory.use.peak()),
        remedy.memory.tight() ? ", which is tight" : "",
        remedy.step ? fmt::format(", and a step takes {}", to_text(*remedy.step)) : ""));
  }
  return hints;
}

}  // namespace danlu
