#include "sim/session/campaign.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>

#include "sim/base/error.hpp"
#include "sim/base/threads.hpp"
#include "sim/report/campaign_trace.hpp"
#include "sim/session/campaign_time.hpp"
#include "sim/session/effort.hpp"
#include "sim/session/shrunk_steps.hpp"
#include "sim/session/slow_states.hpp"
#include "sim/tasks/plan_step.hpp"

namespace danlu {
namespace {

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

FaultsReport play_campaign(const Scenario& scenario, const Cluster& cluster, const Fold& fold,
                           const Report& healthy, const SessionOptions& options) {
  FaultsPlan plan = *scenario.faults;
  const Seconds simulated = to_nanoseconds(healthy.step.time);
  const Seconds mean = healthy.draws ? to_nanoseconds(healthy.draws->mean()) : simulated;
  const Seconds step = plan.step.value_or(mean);
  const double mfu = healthy.step.mfu * (healthy.step.time / step);
  std::optional<Fold> exact;  // which parts are alike does not depend on how the step is folded
  if (scenario.workload.fold == FoldMode::Off && !plan.states.empty()) {
    Workload folded = scenario.workload;
    folded.fold = FoldMode::Exact;
    exact = plan_step(folded, cluster).fold;
  }
  play_states(scenario, cluster, exact ? *exact : fold, healthy, plan, options);
  const int per_node = std::min(scenario.cluster.topology.gpus_per_node, scenario.cluster.gpus);
  CampaignJob job{.nodes = scenario.cluster.nodes(),
                  .gpus_per_node = per_node,
                  .unused_gpus = scenario.cluster.nodes() * per_node - scenario.cluster.gpus,
                  .replicas = scenario.workload.parallelism.data,
                  .replicas_on = replicas_by_node(scenario),
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
  if (plan.what_if && !draws_faults(plan.spec)) {
    notes.emplace_back(
        "chance brings no fault here: what would help, and the best checkpoint interval, are of "
        "this one sequence of faults, and other times of the same faults would have others");
  }
  for (const CauseId id : plan.spec.causes.ids()) {
    int sorts = 0;
    int played = 0;
    for (const SlowParts& parts : plan.slow_parts) {
      sorts += parts.cause == id ? parts.sorts : 0;
      played += parts.cause == id ? 1 : 0;
    }
    if (sorts > played) {
      notes.push_back(fmt::format(
          "{}: {} sorts of parts would have to be played slow; those of the same stages in nodes "
          "of one kind count as alike, which leaves {}",
          plan.spec.causes[id].name, sorts, played));
    }
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
