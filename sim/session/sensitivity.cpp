#include "sim/session/sensitivity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "sim/base/threads.hpp"
#include "sim/scenario/variants.hpp"
#include "sim/session/advice.hpp"
#include "sim/session/effort.hpp"
#include "sim/session/plays.hpp"
#include "sim/workload/resources.hpp"

namespace danlu {
namespace {

/// A changed step may have so many times as many tasks as this one with all its rounds, since those
/// of the changed one may not repeat; and more where it has few.
constexpr std::size_t kTimesTheTasks = 4;
constexpr std::size_t kFewTasks = 100'000;

std::size_t all_tasks(const Simulation& simulation) {
  std::size_t tasks = 0;
  for (const TaskId task : simulation.plan.graph.tasks.ids()) {
    tasks += static_cast<std::size_t>(simulation.timeline.rounds.times(task));
  }
  return tasks;
}

/// The switches of a plan but for those that can do nothing in it, as an overlap of exchanges that
/// it does not make.
std::vector<Change> switches_of(const Workload& workload, const ClusterSpec& cluster) {
  std::vector<Change> switches = switch_changes(workload, cluster);
  std::erase_if(switches, [](const Change& change) {
    return std::any_of(change.settings.begin(), change.settings.end(),
                       [&](const std::string& setting) {
                         const PlanKey key(std::string_view(setting).substr(0, setting.find('=')));
                         return !key.has_effect(change.workload);
                       });
  });
  return switches;
}

std::vector<Saving> play_switches(const std::vector<Change>& changes, const Simulation& simulation,
                                  const SessionOptions& options) {
  const std::vector<std::optional<Seconds>> steps =
      try_changes(changes, simulation, kTimesTheTasks * all_tasks(simulation) + kFewTasks, options);
  std::vector<Saving> gains;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    if (steps[i]) {
      gains.push_back({changes[i].text(), *steps[i]});
    }
  }
  std::stable_sort(gains.begin(), gains.end(),
                   [](const Saving& a, const Saving& b) { return a.step < b.step; });
  return gains;
}

}  // namespace

Sensitivity sensitivity_of(const Simulation& simulation, const SessionOptions& options) {
  const Scenario& scenario = simulation.scenario;
  std::vector<Scenario> scenarios;
  for (const Resource& resource : resources()) {
    for (const double factor : {kLittleMore, kTwice}) {
      Scenario& more = scenarios.emplace_back(scenario);
      resource.scale(more.cluster, more.workload, factor);
    }
  }
  Scenario& all = scenarios.emplace_back(scenario);
  scale_all(all.cluster, all.workload, kLittleMore);

  const auto tasks = static_cast<double>(simulation.plan.graph.tasks.size());
  Effort effort = effort_of(fmt::format("{}: --sensitivity plays {} steps of about {:.2g} tasks",
                                        scenario.name, scenarios.size(), tasks),
                            tasks, {"without --sensitivity one step is played"});
  // Each has a cluster of its own, and several are played at once.
  const double at_once = std::min(static_cast<double>(scenarios.size()), 1.0 * processors());
  effort.time = (effort.time + scenario.cluster.gpus * kTimeOfGpu) *
                (static_cast<double>(scenarios.size()) / at_once);
  effort.memory = (effort.memory + scenario.cluster.gpus * kMemoryOfGpu) * at_once;
  allow_tasks(effort, options);
  const std::vector<Seconds> steps = play_steps(scenarios, nullptr, options);

  Sensitivity sensitivity;
  for (std::size_t i = 0; i < resources().size(); ++i) {
    const Resource& resource = resources()[i];
    sensitivity.resources.push_back({resource.key, resource.name, steps[2 * i], steps[2 * i + 1]});
  }
  sensitivity.all_little_more = steps.back();

  ClusterSpec larger = scenario.cluster;
  larger.gpu.memory_capacity = larger.gpu.memory_capacity * kTwice;
  for (NodeKind& other : larger.others) {
    other.gpu.memory_capacity = other.gpu.memory_capacity * kTwice;
  }
  std::vector<Change> now = switches_of(scenario.workload, scenario.cluster);
  std::vector<Change> then = switches_of(scenario.workload, larger);
  std::erase_if(then, [&](const Change& change) {
    return std::any_of(now.begin(), now.end(),
                       [&](const Change& other) { return other.settings == change.settings; });
  });
  sensitivity.switches = play_switches(now, simulation, options);
  sensitivity.with_memory = play_switches(then, simulation, options);
  return sensitivity;
}

}  // namespace danlu
