// From a file to a report: the straight line through the library, with its log lines.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "sim/report/report.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "src/program.hpp"

namespace danlu {

/// A played scenario.
struct Simulation {
  Scenario scenario;
  StepPlan plan;
  Timeline timeline;
  Report report;
};

/// Throws InputError where an algorithm or protocol that the scenario asks for can carry out
/// nothing of its step.
void check_wishes(const Scenario& scenario, const Cluster& cluster);

/// The plan of the scenario's step. Says what is large; throws CannotRun above the user's limit.
StepPlan plan_within_limits(const Scenario& scenario, const Cluster& cluster,
                            const CommonOptions& common);
/// The same of steps that are to be played beside the `first`, each of about as many tasks.
void allow_plays_of(const std::string& what, std::span<const Scenario> scenarios,
                    const Report& first, std::vector<std::string> ways,
                    const CommonOptions& common);

/// Looks at a plan before it is played; may throw.
using PlanCheck = std::function<void(const StepPlan&)>;

/// Loads, plays and measures scenarios. Every file is read and checked before the first is played.
std::vector<Simulation> simulate_files(std::span<const std::filesystem::path> files,
                                       const CommonOptions& common, const PlanCheck& check = {});

/// One scenario, played in a process of its own, so that this one can play more.
Simulation simulate_in_child(const std::filesystem::path& file, const CommonOptions& common);

/// How long a step of each scenario takes, several played at a time, each in a process of its own
/// and for seconds at most; none where it cannot be played, does not end or has more tasks.
std::vector<std::optional<Seconds>> try_steps(std::span<const Scenario> scenarios,
                                              std::size_t most_tasks, const CommonOptions& common);

/// How long a step of each scenario takes; every one is played in a process of its own, several at
/// a time.
std::vector<Seconds> play_steps(std::span<const Scenario> scenarios, const CommonOptions& common);

}  // namespace danlu
