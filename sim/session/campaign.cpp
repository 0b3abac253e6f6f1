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
#include "sim/session/slow_parts.hpp"
#include "sim/tasks/plan_step.hpp"

namespace danlu {
namespace {

/// To the precision of SimGrid's clock, so that what differs in the last bits (a folded and an
/// unfolded step, say) makes the same campaign.
Seconds to_nanoseconds(Seconds time) {
  constexpr double kNano = 1e9;
  return {std::round(time.value * kNano) / kNano};
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

/// The steps of the slow states, each played once, however many parts and causes it tells of.
class SlowSteps {
 public:
  SlowSteps(const Scenario& scenario, const Cluster& cluster, const Fold& fold)
      : scenario_(scenario), cluster_(cluster), mesh_(scenario.workload.mesh()), fold_(fold) {}

  void add(const SlowState& state) {
    std::vector<Tells>& plays = plays_.emplace_back();
    if (!state.cause) {
      TopologySpec topology = scenario_.cluster.topology;
      topology.nic_bandwidth = topology.nic_bandwidth * state.all_nics;
      plays.push_back({{}, scenarios_.size()});
      scenarios_.push_back(scenario_);
      scenarios_.back().cluster.topology = std::move(topology);
      return;
    }
    for (AlikeParts& alike : alike_parts(state, cluster_, mesh_, fold_)) {
      Scenario slowed = scenario_;
      slowed.cluster.degraded = with_slow_part(state, cluster_, alike.played);
      const auto same =
          std::find_if(scenarios_.begin(), scenarios_.end(),
                       [&](const Scenario& known) { return known.cluster == slowed.cluster; });
      plays.push_back({std::move(alike), static_cast<std::size_t>(same - scenarios_.begin())});
      if (same == scenarios_.end()) {
        scenarios_.push_back(std::move(slowed));
      }
    }
  }

  /// A play, and the parts of a state that it tells of.
  struct Tells {
    AlikeParts alike;
    std::size_t number = 0;
  };
  const std::vector<Scenario>& scenarios() const { return scenarios_; }
  const std::vector<Tells>& plays_of(std::size_t state) const { return plays_[state]; }

 private:
  const Scenario& scenario_;
  const Cluster& cluster_;
  Mesh mesh_;
  const Fold& fold_;
  std::vector<Scenario> scenarios_;
  std::vector<std::vector<Tells>> plays_;  // by state
};

/// What a cause costs, by the part that is slow.
void set_slowdowns(const SlowState& state, const std::vector<SlowSteps::Tells>& plays,
                   const std::vector<double>& slowdowns, FaultsPlan& plan,
                   const SessionOptions& options) {
  FaultCause& cause = plan.spec.causes[*state.cause];
  const char* const kind = state.of_nics ? "NIC" : "GPU";
  double sum = 0;
  std::size_t count = 0;
  for (const auto& [alike, number] : plays) {
    count += alike.parts.size();
  }
  std::vector<double> by_part(count);
  for (const auto& [alike, number] : plays) {
    const double slowdown = slowdowns[number];
    const std::string played = fmt::format("{} {}", kind, alike.played);
    const auto parts = static_cast<int>(alike.parts.size());
    plan.slow_parts.push_back({*state.cause, played, parts, alike.sorts, slowdown});
    options.say(fmt::format("{}: with {}, or one of {} like it, steps take {:.4f} times as long",
                            cause.name, played, parts, slowdown));
    sum += slowdown * parts;
    for (const int part : alike.parts) {
      by_part.at(static_cast<std::size_t>(part)) = slowdown;
    }
  }
  cause.slowdown =
      plays.size() > 1 ? sum / static_cast<double>(count) : plan.slow_parts.back().slowdown;
  if (plays.size() > 1) {
    cause.slowdown_of = std::move(by_part);
  }
}

/// Fills in the slowdowns of the states that are to be played.
void play_states(const Scenario& scenario, const Cluster& cluster, const Fold& fold,
                 const Report& healthy, FaultsPlan& plan, const SessionOptions& options) {
  const Seconds step = to_nanoseconds(healthy.step.time);
  SlowSteps slow(scenario, cluster, fold);
  for (const SlowState& state : plan.states) {
    slow.add(state);
  }
  allow_plays(fmt::format("{}: the slow states of the campaign", scenario.name),
              slow.scenarios().size(), healthy.simulation.tasks_played,
              {"a slowdown of the causes instead of slow_gpu and the like plays none"}, options);
  std::vector<double> slowdowns;
  for (const Seconds& slowed : play_steps(slow.scenarios(), &cluster, options)) {
    slowdowns.push_back(std::max(1.0, slowed / step));
  }
  for (std::size_t i = 0; i < plan.states.size(); ++i) {
    const SlowState& state = plan.states[i];
    const std::vector<SlowSteps::Tells>& plays = slow.plays_of(i);
    if (state.cause) {
      set_slowdowns(state, plays, slowdowns, plan, options);
      continue;
    }
    plan.file.slowdown = slowdowns[plays.front().number];
    options.say(fmt::format("during a checkpoint's write steps take {:.4f} times as long",
                            plan.file.slowdown));
    if (state.tier) {
      plan.spec.tiers[*state.tier].slowdown = plan.file.slowdown;
    }
  }
}

/// Which replicas have ranks on each node.
std::vector<std::vector<ReplicaId>> replicas_by_node(const Scenario& scenario) {
  const Mesh mesh = scenario.workload.mesh();
  std::vector<std::vector<ReplicaId>> by_node(static_cast<std::size_t>(scenario.cluster.nodes()));
  for (int rank = 0; rank < mesh.world_size(); ++rank) {
    const int replica = mesh.coordinate(rank, Axis::Shard) +
                        mesh.size(Axis::Shard) * mesh.coordinate(rank, Axis::Replicate);
    std::vector<ReplicaId>& here =
        by_node[static_cast<std::size_t>(rank / scenario.cluster.topology.gpus_per_node)];
    if (here.empty() || here.back() != ReplicaId{replica}) {
      here.push_back(ReplicaId{replica});
    }
  }
  for (std::vector<ReplicaId>& here : by_node) {
    std::sort(here.begin(), here.end());
    here.erase(std::unique(here.begin(), here.end()), here.end());
  }
  return by_node;
}

/// Whether a job is ever left with so many replicas: with whole nodes lost, those that fit on the
/// others, or, where only the broken ones leave, those that had no rank there.
bool may_be_left(const Scenario& scenario, std::size_t on_a_node, int replicas) {
  const std::int64_t all = scenario.workload.parallelism.data;
  if (scenario.faults->spec.recovery.kind == RecoverySpec::Kind::Replica) {
    return (all - replicas) % static_cast<std::int64_t>(on_a_node) == 0;
  }
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
  const std::size_t on_a_node = replicas_by_node(scenario).front().size();
  std::map<int, std::size_t> place;  // by microbatches, in `scenarios`
  std::vector<Scenario> scenarios;
  std::vector<std::optional<std::size_t>> played(static_cast<std::size_t>(all));
  for (const bool occurs : {true, false}) {
    for (int replicas = all - 1; replicas >= plan.spec.recovery.min_replicas; --replicas) {
      if (may_be_left(scenario, on_a_node, replicas) != occurs) {
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
