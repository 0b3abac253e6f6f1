#include "sim/session/simulate.hpp"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/base/error.hpp"
#include "sim/report/given_up.hpp"
#include "sim/session/campaign.hpp"
#include "sim/session/planning.hpp"
#include "sim/session/plays.hpp"

namespace danlu {
namespace {

/// The most memory that this process or a child has held.
Bytes peak_memory() {
  rusage own{};
  rusage children{};
  getrusage(RUSAGE_SELF, &own);
  getrusage(RUSAGE_CHILDREN, &children);
  return {1024.0 * static_cast<double>(std::max(own.ru_maxrss, children.ru_maxrss))};
}

/// How long the step takes in each draw; `first` is known. Every process draws in its own copy of
/// `plan`.
DrawsReport play_draws(const Scenario& scenario, const Cluster& cluster, StepPlan& plan,
                       Seconds first, const SessionOptions& options) {
  const DegradedSpec& degraded = scenario.cluster.degraded;
  const std::vector<Played> others =
      play_in_processes(static_cast<std::size_t>(degraded.draws) - 1,
                        {.processes = options.processes}, [&](std::size_t i) {
                          draw_step(plan, degraded, static_cast<int>(i) + 1);
                          Played played = end_of_step(scenario, cluster, plan, options);
                          if (!played.ended()) {
                            played.why = fmt::format("draw {}: {}", i + 2, played.why);
                          }
                          return played;
                        });
  DrawsReport draws{{first}};
  for (const Played& played : others) {
    draws.steps.push_back(end_of(played));
  }
  return draws;
}

StepPlan plan_and_tell(const Scenario& scenario, const Cluster& cluster,
                       const SessionOptions& options) {
  StepPlan plan = plan_within_limits(scenario, cluster, options);
  // The graph is acyclic and every byte is accounted for.
  if (options.planned) {
    options.planned(plan);
  }
  options.say(fmt::format("plan: {} classes of ranks, {} of communications, {} links, {} tasks",
                          plan.fold.rank_classes.size(), plan.fold.patterns.size(),
                          plan.fold.links.size(), plan.graph.tasks.size()));
  if (const int draws = scenario.cluster.degraded.draws; draws > 1) {
    allow_plays(fmt::format("{}: degraded.draws", scenario.name), static_cast<std::size_t>(draws),
                plan.graph.tasks.size(), {"fewer draws"}, options);
  }
  return plan;
}

std::vector<ReportSetting> settings_of(const Scenario& scenario) {
  std::vector<ReportSetting> settings;
  for (const Setting& setting : scenario.settings) {
    const bool from_user =
        setting.source == Setting::Source::File || setting.source == Setting::Source::CommandLine;
    settings.push_back({setting.key, setting.text, from_user});
  }
  return settings;
}

std::vector<ReportAssumption> assumptions_of(const Scenario& scenario) {
  std::vector<ReportAssumption> assumptions;
  for (const Assumed& assumed : scenario.assumed) {
    assumptions.push_back({assumed.key, assumed.text, assumed.reason});
  }
  return assumptions;
}

/// A campaign of some days beside the whole run: two totals that are of different work.
std::vector<std::string> other_length(const Report& report) {
  constexpr double kAlike = 0.1;
  constexpr double kSecondsPerDay = 86400;
  const std::optional<Seconds>& horizon = report.faults->study.plan.horizon;
  if (!horizon || !report.run) {
    return {};
  }
  const double days = horizon->value / kSecondsPerDay;
  if (std::abs(days - report.run->days) <= kAlike * report.run->days) {
    return {};
  }
  return {fmt::format(
      "the campaign is of {:.4g} days (faults.days), the whole run without faults of {:.4g} "
      "(training.tokens): their times and costs are not of the same work; without faults.days the "
      "campaign is of the whole run",
      days, report.run->days)};
}

/// What the reader chose and what the plays have shown, before what the step itself has to say.
std::vector<std::string> notes_of(const Scenario& scenario, const Cluster& cluster,
                                  const Report& report, Seconds step) {
  std::vector<std::string> notes = scenario.notes;
  const auto add = [&](const std::vector<std::string>& more) {
    notes.insert(notes.end(), more.begin(), more.end());
  };
  if (report.step.kernel_inefficiency.attention < Seconds{} &&
      !scenario.workload.training.causal_flops) {
    notes.push_back(
        fmt::format("attention counts the whole square of its scores, half of which causal kernels "
                    "skip, so its kernel inefficiency is below 0; by what they compute the MFU is "
                    "{:.1f} % (training.model_flops: causal)",
                    100 * report.step.mfu_causal));
  }
  add(late_flaps(cluster, step));
  if (report.faults) {
    add(campaign_notes(*report.faults));
    add(other_length(report));
  }
  add(report.notes);
  return notes;
}

}  // namespace

Simulation simulate_if_memory(const Scenario& scenario, const SessionOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  announce_cluster(scenario, options);
  Cluster cluster = build_cluster(scenario.cluster);
  options.say(fmt::format("{}: {} nodes, {} links", scenario.name, cluster.nodes(),
                          cluster.topology.links().size()));
  const int draws = scenario.cluster.degraded.draws;
  auto [plan, played] = play_or_count(scenario, cluster, options, [&](const Scenario& shorter) {
    return plan_and_tell(shorter, cluster, options);
  });
  const Seconds step = end_of(played);
  // Every task has finished, and nothing was given up.
  Timeline timeline = std::move(played.timeline);
  if (options.played) {
    options.played(plan, timeline);
  }
  Report report = measure(scenario.name, scenario.workload, cluster, plan, timeline);
  if (draws > 1) {
    report.draws = play_draws(scenario, cluster, plan, step, options);
    report.run = measure_run(report, scenario.cluster);
  }
  report.settings = settings_of(scenario);
  report.assumptions = assumptions_of(scenario);
  if (scenario.faults) {
    report.faults = play_campaign(scenario, cluster, plan.fold, report, options);
  }
  report.notes = notes_of(scenario, cluster, report, step);
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - begin;
  report.simulation.wall = {wall.count()};
  report.simulation.peak_memory = peak_memory();
  options.say(
      fmt::format("step {:.6g} s, simulated in {:.3g} s", report.step.time.value, wall.count()));
  return {scenario, std::move(cluster), std::move(plan), std::move(timeline), std::move(report)};
}

Simulation simulate(const Scenario& scenario, const SessionOptions& options) {
  try {
    return simulate_if_memory(scenario, options);
  } catch (const std::bad_alloc&) {
    throw CannotRun(
        fmt::format("{}: this machine has not enough memory to play {} GPUs", scenario.name,
                    scenario.cluster.gpus),
        scenario.workload.fold == FoldMode::Off
            ? "fold: exact plays one of each class of equal ranks, with the same result"
            : "fewer microbatches (training.global_batch) or collectives: steady make less to "
              "play");
  }
}

}  // namespace danlu
