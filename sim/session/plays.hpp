// Steps played in the pool: one alone, several beside each other, several as a try.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/cluster/cluster.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/options.hpp"
#include "sim/session/pool.hpp"
#include "sim/tasks/plan_step.hpp"

namespace danlu {

/// A step as it was planned and played.
struct PlannedStep {
  StepPlan plan;
  Played played;
};

/// Plays the scenario's step, or fewer rounds of it where those that are left out can be counted,
/// as `plan` plans what it is given, in processes of their own. Both ways the timeline ends when
/// the whole step does.
PlannedStep play_or_count(const Scenario& scenario, const Cluster& cluster,
                          const SessionOptions& options,
                          const std::function<StepPlan(const Scenario&)>& plan);
/// When it ends, without the times of tasks. Where the whole step is played, in this process.
Played end_of_scenario(const Scenario& scenario, const Cluster& cluster,
                       const SessionOptions& options,
                       const std::function<StepPlan(const Scenario&)>& plan);

/// Plays a planned step in this process: its timeline, or why it hung.
Played play_step(const Scenario& scenario, const Cluster& cluster, const StepPlan& plan,
                 const SessionOptions& options);
/// The same, but for the times of tasks, where only the end is asked for.
Played end_of_step(const Scenario& scenario, const Cluster& cluster, const StepPlan& plan,
                   const SessionOptions& options);

/// Plays on clusters of these specs, each play in a process of its own. Where `built` or the
/// cluster of the play before has the same spec, it is not built again.
std::vector<Played> play_on_clusters(
    std::span<const ClusterSpec* const> specs, const Cluster* built, PoolOptions pool,
    const std::function<Played(std::size_t, const Cluster&)>& play);

/// The pool that the options ask for, which tells of its progress over `count` plays.
PoolOptions pool_of(const SessionOptions& options, std::size_t count);

/// Announces so many steps of about so many tasks that are to be played; throws CannotRun above the
/// limit.
void allow_plays(const std::string& what, std::size_t plays, std::size_t tasks,
                 std::vector<std::string> ways_out, const SessionOptions& options);

/// How long a step of each scenario takes. Throws CannotRun where one hangs.
std::vector<Seconds> play_steps(std::span<const Scenario> scenarios, const Cluster* built,
                                const SessionOptions& options);

/// The same, each for seconds at most; none where it cannot be played, hangs or has more tasks.
std::vector<std::optional<Seconds>> try_steps(std::span<const Scenario> scenarios,
                                              const Cluster* built, std::size_t most_tasks,
                                              const SessionOptions& options);

}  // namespace danlu
