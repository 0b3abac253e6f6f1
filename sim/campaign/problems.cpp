// What is wrong with a campaign, by the path of the value.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/campaign/campaign.hpp"

namespace danlu {
namespace {

class Checker {
 public:
  Checker(const CampaignJob& job, const FaultsSpec& faults) : job_(job), faults_(faults) {}

  std::vector<FaultsProblem> run() {
    check_job();
    for (const CauseId id : faults_.causes.ids()) {
      check_cause(id);
    }
    for (std::size_t i = 0; i < faults_.events.size(); ++i) {
      check_event(i);
    }
    for (const TierId id : faults_.tiers.ids()) {
      check_tier(id);
    }
    for (const RestartPartId id : faults_.restart.ids()) {
      const std::string path = fmt::format("restart[{}]", index(id));
      check_duration(path + ".duration", faults_.restart[id].duration);
      need(faults_.restart[id].per_rank.value >= 0, path + ".per_rank", "must not be negative");
    }
    check_nodes();
    return std::move(found_);
  }

 private:
  void need(bool holds, std::string field, std::string message) {
    if (!holds) {
      found_.push_back({std::move(field), std::move(message)});
    }
  }

  void check_job() {
    need(job_.step.value > 0, "step", "must be above 0");
    need(job_.nodes > 0 && job_.gpus_per_node > 0 && job_.replicas > 0, "nodes",
         "a job has at least one node, GPU and replica");
    need(job_.steps > 0 || job_.horizon < kNever, "horizon",
         "a run ends after so many steps or so much time");
    need(job_.shrunk_step.empty() ||
             job_.shrunk_step.size() >= static_cast<std::size_t>(job_.replicas) - 1,
         "shrunk_step", "needs the step time of every smaller number of replicas");
    need(
        job_.replicas_on.empty() || job_.replicas_on.size() == static_cast<std::size_t>(job_.nodes),
        "replicas_on", "needs the replicas of every node");
    need(faults_.trials > 0, "trials", "must be above 0");
  }

  void check_duration(const std::string& field, const Duration& duration) {
    if (duration.kind == Duration::Kind::Empirical) {
      need(!duration.samples.empty(), field, "has no samples");
      for (const Seconds sample : duration.samples) {
        need(sample.value >= 0 && std::isfinite(sample.value), field,
             "has a sample that is no duration");
      }
      return;
    }
    need(duration.mean.value >= 0 && std::isfinite(duration.mean.value), field,
         "must be a finite duration, not negative");
    need(duration.kind != Duration::Kind::Weibull || duration.shape > 0, field,
         "the shape must be above 0");
    need(duration.kind != Duration::Kind::LogNormal || duration.shape >= 0, field,
         "the spread must not be negative");
  }

  void check_cause(CauseId id) {
    const FaultCause& cause = faults_.causes[id];
    const std::string path = fmt::format("causes[{}]", index(id));
    for (const CauseId other : IdRange(CauseId{0}, id)) {
      need(
          faults_.causes[other].name != cause.name, path + ".name",
          fmt::format("'{}' names two causes; their random numbers would be the same", cause.name));
    }
    need(cause.count >= 1, path + ".count", "must be at least 1");
    if (cause.arrivals.kind != Arrivals::Kind::None) {
      need(cause.arrivals.mean.value > 0, path + ".arrivals.mean", "must be above 0");
      need(cause.arrivals.shape > 0, path + ".arrivals.shape", "must be above 0");
    }
    need(cause.nodes >= 0 && cause.nodes <= job_.nodes, path + ".nodes",
         fmt::format("must be from 0 to the nodes of the job ({})", job_.nodes));
    need(cause.permanent >= 0 && cause.permanent <= 1, path + ".permanent",
         "must be a share from 0 to 1");
    need(cause.slowdown >= 1 && std::all_of(cause.slowdown_of.begin(), cause.slowdown_of.end(),
                                            [](double slowdown) { return slowdown >= 1; }),
         path + ".slowdown", "must be at least 1");
    need(cause.beside >= 0 && cause.apart >= 1, path + ".beside", "must not be negative");
    need(cause.limit.value > 0, path + ".limit", "must be above 0");
    check_duration(path + ".window", cause.window);
    check_duration(path + ".detection.delay", cause.detection.delay);
    const Detection& detection = cause.detection;
    need(detection.timeout.value >= 0, path + ".detection.timeout", "must not be negative");
    const bool beats = detection.kind == Detection::Kind::Heartbeat;
    need(!beats || detection.period.value > 0, path + ".detection.period", "must be above 0");
    need(!beats || detection.timeout >= detection.period, path + ".detection.timeout",
         "must not be shorter than the period");
  }

  void check_event(std::size_t i) {
    const FaultEvent& event = faults_.events[i];
    const std::string path = fmt::format("events[{}]", i);
    const bool known = index(event.cause) < faults_.causes.size();
    need(event.at.value >= 0, path + ".at", "must not be negative");
    need(known, path + ".cause", "there is no such cause");
    need(!known || (event.component >= 0 && event.component < faults_.causes[event.cause].count),
         path + ".component", "there is no such component");
  }

  void check_tier(TierId id) {
    const CheckpointTier& tier = faults_.tiers[id];
    const std::string path = fmt::format("tiers[{}]", index(id));
    using Interval = CheckpointTier::Interval;
    need(tier.interval != Interval::Steps || tier.steps > 0, path + ".steps", "must be above 0");
    need(tier.interval != Interval::Time || tier.time.value > 0, path + ".time", "must be above 0");
    need(tier.interval != Interval::Auto || tier.blocking.value > 0 || tier.persist.value > 0 ||
             faults_.semantics.whole_steps,
         path + ".blocking", "must be above 0: a save that costs nothing has no best interval");
    need(tier.blocking.value >= 0 && std::isfinite(tier.blocking.value), path + ".blocking",
         "must not be negative");
    need(tier.persist.value >= 0 && std::isfinite(tier.persist.value), path + ".persist",
         "must not be negative");
    need(tier.in_flight >= 1, path + ".in_flight", "must be at least 1");
    need(tier.keep >= 0, path + ".keep", "must not be negative");
    need(tier.slowdown >= 1 && std::isfinite(tier.slowdown), path + ".slowdown",
         "must be at least 1");
    need(tier.survives_nodes >= 0, path + ".survives_nodes", "must not be negative");
    need(tier.survives_more >= 0 && tier.survives_more <= 1, path + ".survives_more",
         "must be a share from 0 to 1");
    check_duration(path + ".load", tier.load);
  }

  void check_nodes() {
    need(faults_.spares.hot >= 0 && faults_.spares.cold >= 0, "spares", "must not be negative");
    check_duration("spares.cold_start", faults_.spares.cold_start);
    check_duration("spares.repair", faults_.spares.repair);
    need(faults_.recovery.min_replicas >= 1 && faults_.recovery.min_replicas <= job_.replicas,
         "recovery.min_replicas",
         fmt::format("must be from 1 to the replicas of the job ({})", job_.replicas));
  }

  const CampaignJob& job_;
  const FaultsSpec& faults_;
  std::vector<FaultsProblem> found_;
};

}  // namespace

std::vector<FaultsProblem> faults_problems(const CampaignJob& job, const FaultsSpec& faults) {
  return Checker(job, faults).run();
}

}  // namespace danlu
