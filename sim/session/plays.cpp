#include "sim/session/plays.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/base/threads.hpp"
#include "sim/engine/engine.hpp"
#include "sim/report/given_up.hpp"
#include "sim/session/effort.hpp"
#include "sim/tasks/rounds.hpp"

namespace danlu {
namespace {

/// Why a step does not end: a communication hung on a flapping link for too long. "" if it does.
std::string what_hung(const Scenario& scenario, const Cluster& cluster, const StepPlan& plan,
                      const Timeline& timeline) {
  const Seconds timeout = scenario.workload.communication.timeout;
  const std::optional<GivenUp> found = first_given_up(cluster, plan, timeline, timeout);
  if (!found) {
    return "";
  }
  const std::string which =
      found->action ? fmt::format(", microbatch {}", found->action->microbatch) : "";
  return fmt::format(
      "{}: the step does not end: '{}' ({}{}) {} {} began at {} and was given up at {}, after "
      "communication.timeout ({})",
      scenario.name, found->communication, found->group, which,
      found->waits ? "waiting for ranks that hang on" : "over", found->part, to_text(found->began),
      to_text(found->at), to_text(timeout));
}

/// SimGrid allows one engine in a process, and another play may follow.
Played play_apart(const Scenario& scenario, const Cluster& cluster, const StepPlan& plan,
                  const SessionOptions& options) {
  return play_in_processes(1, {},
                           [&](std::size_t) { return play_step(scenario, cluster, plan, options); })
      .front();
}

/// The step with some of its rounds counted; or what its play came to, where it did not end. None
/// where none can be counted.
std::optional<PlannedStep> play_rounds(const Scenario& scenario, const Cluster& cluster,
                                       const SessionOptions& options,
                                       const std::function<StepPlan(const Scenario&)>& plan) {
  const std::optional<FewerRounds> fewer =
      options.count_rounds ? fewer_rounds(scenario.workload, cluster) : std::nullopt;
  if (!fewer) {
    return std::nullopt;
  }
  Scenario shorter = scenario;
  shorter.workload = fewer->workload;
  PlannedStep step{plan(shorter), {}};
  step.played = play_apart(shorter, cluster, step.plan, options);
  const auto play_again = [&](const StepPlan& changed) {
    Played played = play_apart(shorter, cluster, changed, options);
    return played.ended() ? std::optional(std::move(played.timeline)) : std::nullopt;
  };
  if (!step.played.ended() || count_rounds(step.plan, *fewer, step.played.timeline, play_again)) {
    return step;
  }
  options.say("its rounds do not repeat in so few microbatches: the whole step is played");
  return std::nullopt;
}

std::vector<const ClusterSpec*> clusters_of(std::span<const Scenario> scenarios) {
  std::vector<const ClusterSpec*> specs;
  for (const Scenario& scenario : scenarios) {
    specs.push_back(&scenario.cluster);
  }
  return specs;
}

}  // namespace

PlannedStep play_or_count(const Scenario& scenario, const Cluster& cluster,
                          const SessionOptions& options,
                          const std::function<StepPlan(const Scenario&)>& plan) {
  if (std::optional<PlannedStep> counted = play_rounds(scenario, cluster, options, plan)) {
    return std::move(*counted);
  }
  PlannedStep step{plan(scenario), {}};
  step.played = play_apart(scenario, cluster, step.plan, options);
  return step;
}

Played end_of_scenario(const Scenario& scenario, const Cluster& cluster,
                       const SessionOptions& options,
                       const std::function<StepPlan(const Scenario&)>& plan) {
  if (std::optional<PlannedStep> counted = play_rounds(scenario, cluster, options, plan)) {
    counted->played.timeline = {.end = counted->played.timeline.end};
    return std::move(counted->played);
  }
  return end_of_step(scenario, cluster, plan(scenario), options);
}

Played play_step(const Scenario& scenario, const Cluster& cluster, const StepPlan& plan,
                 const SessionOptions& options) {
  Timeline timeline = simulate(plan.graph, {.simgrid_log = options.simgrid_log});
  std::string hung = what_hung(scenario, cluster, plan, timeline);
  const auto outcome = hung.empty() ? Played::Outcome::Ended : Played::Outcome::Hung;
  return {outcome, std::move(timeline), std::move(hung)};
}

Played end_of_step(const Scenario& scenario, const Cluster& cluster, const StepPlan& plan,
                   const SessionOptions& options) {
  Played played = play_step(scenario, cluster, plan, options);
  played.timeline = {.end = played.timeline.end};
  return played;
}

std::vector<Played> play_on_clusters(
    std::span<const ClusterSpec* const> specs, const Cluster* built, PoolOptions pool,
    const std::function<Played(std::size_t, const Cluster&)>& play) {
  std::optional<Cluster> shared;  // by this play and the next
  const auto find = [&](const ClusterSpec& spec) -> const Cluster* {
    return built != nullptr && built->spec == spec ? built
           : shared && shared->spec == spec        ? &*shared
                                                   : nullptr;
  };
  pool.before = [&](std::size_t i) {
    if (find(*specs[i]) != nullptr) {
      return;
    }
    shared.reset();
    if (i + 1 < specs.size() && *specs[i] == *specs[i + 1]) {
      try {
        shared = build_cluster(*specs[i]);
      } catch (const std::exception&) {  // the plays say so themselves
      }
    }
  };
  return play_in_processes(specs.size(), pool, [&](std::size_t i) {
    const Cluster* const found = find(*specs[i]);
    return found != nullptr ? play(i, *found) : play(i, build_cluster(*specs[i]));
  });
}

PoolOptions pool_of(const SessionOptions& options, std::size_t count) {
  PoolOptions pool{.processes = options.processes};
  if (options.progress) {
    pool.after = [&options, count](std::size_t ended) { options.progress(ended, count); };
  }
  return pool;
}

void allow_plays(const std::string& what, std::size_t plays, std::size_t tasks,
                 std::vector<std::string> ways_out, const SessionOptions& options) {
  if (plays == 0) {
    return;
  }
  const double at_once = std::min(static_cast<double>(plays), 1.0 * processors());
  const double on_each = static_cast<double>(plays) * static_cast<double>(tasks) / at_once;
  Effort effort = effort_of(fmt::format("{}: {} steps of about {} tasks", what, plays, tasks),
                            on_each, std::move(ways_out));
  effort.memory = kMemoryOfTask * (static_cast<double>(tasks) * at_once);
  allow_tasks(effort, options);
}

std::vector<Seconds> play_steps(std::span<const Scenario> scenarios, const Cluster* built,
                                const SessionOptions& options) {
  const std::vector<Played> all = play_on_clusters(
      clusters_of(scenarios), built, {.processes = options.processes},
      [&](std::size_t i, const Cluster& cluster) {
        return end_of_scenario(scenarios[i], cluster, options, [&](const Scenario& scenario) {
          return plan_step(scenario.workload, cluster, {}, Disturbed::Open);
        });
      });
  std::vector<Seconds> steps;
  for (const Played& played : all) {
    steps.push_back(end_of(played));
  }
  return steps;
}

std::vector<std::optional<Seconds>> try_steps(std::span<const Scenario> scenarios,
                                              const Cluster* built, std::size_t most_tasks,
                                              const SessionOptions& options) {
  constexpr int kPatience = 5;  // seconds
  const std::vector<Played> all = play_on_clusters(
      clusters_of(scenarios), built, {.processes = options.processes, .patience = kPatience},
      [&](std::size_t i, const Cluster& cluster) {
        return end_of_scenario(scenarios[i], cluster, options, [&](const Scenario& scenario) {
          return plan_step(scenario.workload, cluster, [&](const StepSize& size) {
            check(size.effort() <= static_cast<double>(most_tasks), "too large to be tried");
          });
        });
      });
  std::vector<std::optional<Seconds>> steps;
  for (const Played& played : all) {
    steps.push_back(played.ended() ? std::optional(played.timeline.end) : std::nullopt);
  }
  return steps;
}

}  // namespace danlu
