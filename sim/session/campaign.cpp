#include "sim/session/campaign.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/base/threads.hpp"
#include "sim/cluster/remaining.hpp"
#include "sim/report/campaign_trace.hpp"
#include "sim/session/effort.hpp"
#include "sim/session/plays.hpp"

namespace danlu {
namespace {

/// To the precision of SimGrid's clock, so that what differs in the last bits (a folded and an
/// unfolded step, say) makes the same campaign.
Seconds to_nanoseconds(Seconds time) {
  constexpr double kNano = 1e9;
  return {std::round(time.value * kNano) / kNano};
}

/// The scenario with what is slow in a state.
Scenario slowed(Scenario scenario, const SlowState& state) {
  DegradedSpec& degraded = scenario.cluster.degraded;
  const auto worsen = [](std::map<int, double>& of, double share) {
    if (share != 1) {
      const auto [at, added] = of.emplace(0, share);
      at->second = added ? share : at->second * share;
    }
  };
  worsen(degraded.gpus, state.slow_gpu);
  worsen(degraded.nics, state.slow_nic);
  worsen(degraded.scale_up, state.slow_scale_up);
  TopologySpec& topology = scenario.cluster.topology;
  topology.nic_bandwidth = topology.nic_bandwidth * state.all_nics;
  return scenario;
}

/// The batch, rounded up to whole microbatches for each replica; interleaved: to whole rounds.
int shared_batch(const Workload& workload) {
  const TrainingSpec& training = workload.training;
  const int together = training.chunks > 1 ? workload.parallelism.pipeline : 1;
  const int unit = training.micro_batch * workload.parallelism.data * together;
  return (training.global_batch + unit - 1) / unit * unit;
}

/// The scenario with `replicas` of its replicas, on the nodes that are left; empty where such a
/// plan cannot run.
std::optional<Scenario> shrunk(Scenario scenario, int replicas) {
  Workload& workload = scenario.workload;
  TrainingSpec& training = workload.training;
  ParallelismSpec& parallelism = workload.parallelism;
  parallelism.data = replicas;
  training.global_batch = shared_batch(workload);
  const int ranks = parallelism.mesh().world_size();
  const int per_node = scenario.cluster.topology.gpus_per_node;
  scenario.cluster = with_nodes_left(scenario.cluster, (ranks + per_node - 1) / per_node);
  const bool runs = problems(workload, ranks, scenario.cluster.gpu).empty() &&
                    cluster_problem(scenario.cluster).empty();
  return runs ? std::optional(std::move(scenario)) : std::nullopt;
}

/// Fills in the slowdowns of the states that are to be played.
void play_states(const Scenario& scenario, const Cluster& cluster, const Report& healthy,
                 FaultsPlan& plan, const SessionOptions& options) {
  const Seconds step = to_nanoseconds(healthy.step.time);
  std::vector<Scenario> scenarios;
  for (const SlowState& state : plan.states) {
    scenarios.push_back(slowed(scenario, state));
  }
  allow_plays(fmt::format("{}: the slow states of the campaign", scenario.name), scenarios.size(),
              healthy.simulation.tasks_played,
              {"a slowdown of the causes instead of slow_gpu and the like plays none"}, options);
  const std::vector<Seconds> steps = play_steps(scenarios, &cluster, options);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const SlowState& state = plan.states[i];
    const double slowdown = std::max(1.0, steps[i] / step);
    if (state.cause) {
      FaultCause& cause = plan.spec.causes[*state.cause];
      cause.slowdown = slowdown;
      options.say(fmt::format("{}: steps take {:.4f} times as long", cause.name, slowdown));
      continue;
    }
    plan.file.slowdown = slowdown;
    options.say(
        fmt::format("during a checkpoint's write steps take {:.4f} times as long", slowdown));
    if (state.tier) {
      plan.spec.tiers[*state.tier].slowdown = slowdown;
    }
  }
}

/// Whether a job is ever left with so many replicas: with whole nodes lost, those that fit on the
/// others.
bool may_be_left(const Scenario& scenario, int replicas) {
  const std::int64_t all = scenario.workload.parallelism.data;
  const std::int64_t nodes = scenario.cluster.nodes();
  const std::int64_t left = (replicas * nodes + all - 1) / all;  // the fewest that hold them
  return left * all / nodes == replicas;
}

/// About the step with fewer replicas, by microbatches m and the closed form of the bubble b, of a
/// campaign that is asked what it would gain if it could shrink:
///
///   m (1 + b)    of the fewer replicas over that of all, times the step
std::vector<Seconds> estimate_shrunk(const Scenario& scenario, const Report& healthy) {
  Workload workload = scenario.workload;
  const auto length = [&] {
    const ScheduleRow* const schedule = workload.schedule();
    const double bubble = schedule != nullptr ? schedule->bubble(workload.schedule_shape()) : 0;
    return workload.microbatches() * (1 + bubble);
  };
  const double of_all = length();
  std::vector<Seconds> steps;
  for (int replicas = 1; replicas <= scenario.workload.parallelism.data; ++replicas) {
    workload.training.global_batch = scenario.workload.training.global_batch;
    workload.parallelism.data = replicas;
    workload.training.global_batch = shared_batch(workload);
    steps.push_back(to_nanoseconds(healthy.step.time * (length() / of_all)));
  }
  return steps;
}

/// The step with fewer replicas, for each number that the job may shrink to; one play for each
/// number of microbatches, since that decides the step, of the most replicas that nodes lost may
/// leave (half a node would share its links unlike any that occurs); in proportion where such a
/// plan cannot run.
std::vector<Seconds> play_shrunk(const Scenario& scenario, const Cluster& cluster,
                                 const Report& healthy, const FaultsPlan& plan,
                                 const SessionOptions& options) {
  const Seconds step = to_nanoseconds(healthy.step.time);
  const int all = scenario.workload.parallelism.data;
  std::map<int, std::size_t> place;  // by microbatches, in `scenarios`
  std::vector<Scenario> scenarios;
  std::vector<std::optional<std::size_t>> played(static_cast<std::size_t>(all));
  for (const bool occurs : {true, false}) {
    for (int replicas = all - 1; replicas >= plan.spec.recovery.min_replicas; --replicas) {
      if (may_be_left(scenario, replicas) != occurs) {
        continue;
      }
      if (std::optional<Scenario> less = shrunk(scenario, replicas)) {
        const auto [at, added] = place.emplace(less->workload.microbatches(), scenarios.size());
        played[static_cast<std::size_t>(replicas - 1)] = at->second;
        if (added) {
          scenarios.push_back(std::move(*less));
        }
      }
    }
  }
  allow_plays(fmt::format("{}: the job with fewer replicas", scenario.name), scenarios.size(),
              healthy.simulation.tasks_played, {"a larger faults.recovery.min_replicas"}, options);
  const std::vector<Seconds> times = play_steps(scenarios, &cluster, options);
  std::vector<Seconds> steps;
  for (int replicas = 1; replicas <= all; ++replicas) {
    const std::optional<std::size_t>& at = played[static_cast<std::size_t>(replicas - 1)];
    steps.push_back(at ? to_nanoseconds(times[*at]) : step * (static_cast<double>(all) / replicas));
    if (at) {
      options.say(
          fmt::format("{} of {} replicas: step {:.6g} s", replicas, all, steps.back().value));
    }
  }
  return steps;
}

/// Says before a long campaign is played what it takes; refuses it above the user's limit.
void check_events(const Scenario& scenario, const CampaignJob& job, const FaultsPlan& plan,
                  const SessionOptions& options) {
  constexpr Seconds kEvent{0.1e-6};
  const double events = expected_happenings(job, plan);
  std::vector<std::string> ways;
  if (plan.spec.trials > 1) {
    ways.emplace_back("fewer faults.trials");
  }
  ways.emplace_back(plan.horizon ? "fewer faults.days" : "faults.days plays a part of the run");
  ways.emplace_back("rarer faults and checkpoints");
  if (plan.what_if) {
    ways.emplace_back("faults.what_if: false plays the campaign alone");
  }
  allow_events({.what = fmt::format("{}: this campaign and what it is compared with have about "
                                    "{:.2g} events in all their runs",
                                    scenario.name, events),
                .count = events,
                .time = kEvent * (events / processors()),
                .memory = {200.0 * plan.spec.trials},
                .ways_out = std::move(ways)},
               options);
}

}  // namespace

FaultsReport play_campaign(const Scenario& scenario, const Cluster& cluster, const Report& healthy,
                           const SessionOptions& options) {
  FaultsPlan plan = *scenario.faults;
  const Seconds simulated = to_nanoseconds(healthy.step.time);
  const Seconds mean = healthy.draws ? to_nanoseconds(healthy.draws->mean()) : simulated;
  const Seconds step = plan.step.value_or(mean);
  const double mfu = healthy.step.mfu * (healthy.step.time / step);
  play_states(scenario, cluster, healthy, plan, options);
  const int per_node = std::min(scenario.cluster.topology.gpus_per_node, scenario.cluster.gpus);
  CampaignJob job{.nodes = scenario.cluster.nodes(),
                  .gpus_per_node = per_node,
                  .unused_gpus = scenario.cluster.nodes() * per_node - scenario.cluster.gpus,
                  .replicas = scenario.workload.parallelism.data,
                  .step = step};
  job.shrunk_step = plan.spec.recovery.kind == RecoverySpec::Kind::Restart
                        ? estimate_shrunk(scenario, healthy)
                        : play_shrunk(scenario, cluster, healthy, plan, options);
  for (Seconds& shrunk : job.shrunk_step) {
    shrunk = shrunk * (step / simulated);
  }
  if (plan.horizon) {
    job.horizon = *plan.horizon;
    job.steps = std::ceil(*plan.horizon / step) + 1;  // more than can be done by then
  } else {
    job.steps = std::ceil(*scenario.workload.training.tokens / scenario.workload.tokens_per_step());
  }
  const std::vector<FaultsProblem> found = faults_problems(job, plan.spec);
  check(found.empty(), found.empty() ? "" : found[0].field + " " + found[0].message);
  check_events(scenario, job, plan, options);
  CampaignStudy played = study(job, std::move(plan));
  if (played.campaign.gave_up > 0) {
    throw CannotRun(
        fmt::format("{}: the campaign does not get to its end: {} of {} runs were given up after "
                    "{:.0f} times the time without faults, or {:.0e} failures",
                    scenario.name, played.campaign.gave_up, played.campaign.trials, kMostTimes,
                    static_cast<double>(kMostFailures)),
        "stops, repairs and redone work leave too little time to train: fewer or shorter stops, "
        "shorter checkpoint intervals, or more spares; faults.days plays a part of the run");
  }
  return measure_faults(std::move(played), to_nanoseconds({mfu}).value,
                        dollars_per_gpu_hour(scenario.cluster).value_or(0));
}

namespace {

/// What of the study rests on fewer runs than the campaign.
std::vector<std::string> fewer_trials(const CampaignStudy& study) {
  const int all = study.campaign.trials;
  int least = all;
  for (const WhatIf& remedy : study.what_if) {
    least = std::min(least, remedy.trials);
  }
  std::vector<std::string> notes;
  if (least < all) {
    notes.push_back(
        fmt::format("what would help rests on the first {} of the {} runs, or on as many more as "
                    "tell what is saved to {:.0f} %",
                    least, all, 100 * kSureOfDifference));
  }
  if (study.interval && study.interval->formula && study.interval->trials < all) {
    notes.push_back(
        fmt::format("the checkpoint intervals that were tried were so on the first {} of the {} "
                    "runs, which tell them apart to {} % of the time",
                    study.interval->trials, all, 100 * kSureOfTime));
  }
  return notes;
}

}  // namespace

std::vector<std::string> campaign_notes(const FaultsReport& faults) {
  const FaultsPlan& plan = faults.study.plan;
  const Seconds end{faults.study.campaign.wall.max};
  const auto late = std::count_if(plan.spec.events.begin(), plan.spec.events.end(),
                                  [&](const FaultEvent& event) { return event.at > end; });
  std::vector<std::string> notes = fewer_trials(faults.study);
  if (late > 0 && !plan.horizon) {  // of a run of so many days the reader has told it
    notes.push_back(
        fmt::format("{} {} after the end of the run", late, late == 1 ? "event is" : "events are"));
  }
  return notes;
}

void write_timeline(const FaultsReport& faults, bool csv, const TextSink& out) {
  FaultsSpec spec = faults.study.plan.spec;
  spec.tiers = faults.study.campaign.tiers;  // with the intervals that were used
  const CampaignTrial trial = run_trial(faults.study.job, spec, 0, true);
  csv ? write_campaign_csv(trial, spec, out) : write_campaign_trace(trial, spec, out);
}

}  // namespace danlu
