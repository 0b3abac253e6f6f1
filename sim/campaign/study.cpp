#include "sim/campaign/study.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace danlu {
namespace {

bool strikes(const FaultCause& cause) {
  return cause.effect != FaultCause::Effect::Planned;
}
bool slows(const FaultCause& cause) {
  return cause.effect == FaultCause::Effect::Degrade;
}

void scale(Duration& duration, double factor) {
  duration.mean = duration.mean * factor;
  for (Seconds& sample : duration.samples) {
    sample = sample * factor;
  }
}

/// Adds the spec that `change` makes of a copy; `change` says whether it changed anything.
template <typename Change>
void add(std::vector<CampaignRemedy>& found, const FaultsSpec& spec, const char* name,
         const Change& change) {
  CampaignRemedy remedy{name, spec};
  if (change(remedy.spec)) {
    found.push_back(std::move(remedy));
  }
}

/// Takes away the faults of some causes, random, periodic and listed; whether there were any.
template <typename Which>
bool take_away(FaultsSpec& spec, const Which& which) {
  const std::size_t listed = std::erase_if(
      spec.events, [&](const FaultEvent& event) { return which(spec.causes[event.cause]); });
  bool any = listed > 0;
  for (FaultCause& cause : spec.causes) {
    if (which(cause) && cause.arrivals.kind != Arrivals::Kind::None) {
      cause.arrivals.kind = Arrivals::Kind::None;
      any = true;
    }
  }
  return any;
}

/// Failures come half as often; of the listed ones every second stays.
bool halve_failures(FaultsSpec& spec) {
  bool any = false;
  for (FaultCause& cause : spec.causes) {
    if (strikes(cause) && cause.arrivals.kind != Arrivals::Kind::None) {
      cause.arrivals.mean = cause.arrivals.mean * 2;
      any = true;
    }
  }
  std::stable_sort(spec.events.begin(), spec.events.end(),
                   [](const FaultEvent& a, const FaultEvent& b) { return a.at < b.at; });
  bool stays = true;
  const std::size_t gone = std::erase_if(spec.events, [&](const FaultEvent& event) {
    const bool failure = strikes(spec.causes[event.cause]);
    stays = failure ? !stays : stays;
    return failure && stays;
  });
  return any || gone > 0;
}

bool scale_detection(FaultsSpec& spec, double factor) {
  bool any = false;
  for (FaultCause& cause : spec.causes) {
    Detection& detection = cause.detection;
    any = any || detection.delay.mean.value > 0 || detection.timeout.value > 0;
    scale(detection.delay, factor);
    detection.period = detection.period * factor;
    detection.timeout = detection.timeout * factor;
  }
  return any;
}

bool scale_restart(FaultsSpec& spec, double factor) {
  bool any = false;
  for (RestartPart& part : spec.restart) {
    any = true;
    scale(part.duration, factor);
    part.per_rank = part.per_rank * factor;
  }
  for (CheckpointTier& tier : spec.tiers) {
    any = any || tier.load.mean.value > 0;
    scale(tier.load, factor);
  }
  scale(spec.spares.cold_start, factor);
  return any;
}

bool needs_spares(const FaultsSpec& spec) {
  return std::any_of(spec.causes.begin(), spec.causes.end(), [](const FaultCause& cause) {
    return cause.permanent > 0 && cause.nodes > 0;
  });
}

/// Whether there are failures that are found so late that old checkpoints are wanted.
bool corrupts(const FaultsSpec& spec) {
  const auto listed = [&](const FaultCause& cause) {
    return std::any_of(spec.events.begin(), spec.events.end(), [&](const FaultEvent& event) {
      return &spec.causes[event.cause] == &cause;
    });
  };
  return std::any_of(spec.causes.begin(), spec.causes.end(), [&](const FaultCause& cause) {
    return cause.effect == FaultCause::Effect::Corrupt &&
           (cause.arrivals.kind != Arrivals::Kind::None || listed(cause));
  });
}

bool saves(const FaultsSpec& spec) {
  return !spec.tiers.empty() && spec.tiers.back().interval != CheckpointTier::Interval::Never;
}

void add_checkpoint_remedies(const FaultsPlan& plan, std::vector<CampaignRemedy>& found) {
  const FaultsSpec& spec = plan.spec;
  add(found, spec, "asynchronous checkpoints", [&](FaultsSpec& s) {
    CheckpointTier& tier = s.tiers.back();
    const bool gains = saves(s) && tier.persist.value == 0 && plan.file.copy < tier.blocking;
    tier.persist = tier.blocking;
    tier.blocking = plan.file.copy;
    tier.slowdown = std::max(tier.slowdown, plan.file.slowdown);
    return gains;
  });
  add(found, spec, "half the time of a checkpoint", [&](FaultsSpec& s) {
    CheckpointTier& tier = s.tiers.back();
    tier.blocking = tier.blocking * 0.5;
    tier.persist = tier.persist * 0.5;
    return saves(s);
  });
  add(found, spec, "twice as many checkpoints kept", [](FaultsSpec& s) {
    bool any = false;
    for (CheckpointTier& tier : s.tiers) {
      any = any || (tier.keep > 0 && tier.interval != CheckpointTier::Interval::Never);
      tier.keep *= 2;
    }
    return any && corrupts(s);
  });
  add(found, spec, "copies in peers' memory every minute", [&](FaultsSpec& s) {
    const bool has_one = s.tiers.size() > 1;
    s.tiers = {{.name = "peer memory",
                .interval = CheckpointTier::Interval::Time,
                .time = Seconds{60},
                .blocking = plan.file.copy,
                .keep = 1,
                .load = {.mean = plan.file.copy},
                .survives_nodes = 1}};
    for (const CheckpointTier& slower : spec.tiers) {
      s.tiers.push_back(slower);
    }
    return saves(s) && !has_one;
  });
}

void add_recovery_remedies(const FaultsSpec& spec, std::vector<CampaignRemedy>& found) {
  add(found, spec, "one more spare node", [](FaultsSpec& s) {
    ++s.spares.hot;
    return needs_spares(s);
  });
  add(found, spec, "half the repair time", [](FaultsSpec& s) {
    scale(s.spares.repair, 0.5);
    return needs_spares(s) && s.spares.repair.mean.value > 0;
  });
  add(found, spec, "go on with fewer replicas, about", [](FaultsSpec& s) {
    const bool rigid = s.recovery.kind == RecoverySpec::Kind::Restart;
    s.recovery.kind = RecoverySpec::Kind::Elastic;
    return rigid && needs_spares(s);
  });
  add(found, spec, "no slow parts", [](FaultsSpec& s) { return take_away(s, slows); });
}

/// Wall time per useful time of the first trials of a campaign, by sums over them.
struct Slowness {
  Slowness(const Campaign& c, int trials) : campaign(c) {
    const auto sum = [&](const std::vector<Seconds>& by_trial) {
      return std::accumulate(by_trial.begin(), by_trial.begin() + trials, Seconds{});
    };
    const Seconds useful = sum(c.useful_by_trial);
    mean_useful = useful / trials;
    value = 1 / (useful / sum(c.wall_by_trial));
  }
  /// What a trial is off it, as a ratio's deviation.
  double off(std::size_t trial) const {
    return (campaign.wall_by_trial[trial] - campaign.useful_by_trial[trial] * value) / mean_useful;
  }

  const Campaign& campaign;
  Seconds mean_useful;
  double value = 0;
};

/// By how much less wall time `other` does the same useful work, for each second of it. The error
/// is that of a ratio, of the differences trial by trial, since both meet the same faults.
struct Difference {
  double saved = 0;
  double error = 0;  // 0 of a single trial
};
Difference difference(const Campaign& base, const Campaign& other) {
  const int trials = std::min(base.trials, other.trials);
  const Slowness before(base, trials);
  const Slowness after(other, trials);
  const auto n = static_cast<double>(trials);
  double squares = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(trials); ++i) {
    squares += std::pow(before.off(i) - after.off(i), 2);
  }
  const auto beyond_rounding = [](double number) { return std::abs(number) > 1e-12 ? number : 0; };
  return {beyond_rounding(before.value - after.value),
          beyond_rounding(n > 1 ? std::sqrt(squares / (n - 1) / n) : 0)};
}

/// A difference of nothing at all may be one of rare trials, which have not been met yet.
bool is_sure(const Difference& d) {
  return d.saved != 0 && d.error <= kSureOfDifference * std::abs(d.saved);
}

bool ends(const Campaign& campaign) {
  return campaign.gave_up == 0 && campaign.ettr.mean > 0;
}

/// The unchanged campaign's work takes useful x (wall / useful of the other).
WhatIf what_if(const std::string& name, const Campaign& base, const Campaign& other) {
  const Difference d = difference(base, other);
  const Seconds useful = base.time[CampaignPart::Useful];
  const double slowness = 1 / base.ettr.mean - d.saved;
  return {.name = name,
          .ettr = 1 / slowness,
          .wall = useful * slowness,
          .saved = useful * d.saved,
          .stderr_of_saved = useful * d.error,
          .trials = other.trials};
}

/// The interval that was used; empty without checkpoints.
std::optional<IntervalStudy> used_interval(const CampaignJob& job, const FaultsSpec& spec,
                                           const Campaign& campaign) {
  if (!saves(spec)) {
    return std::nullopt;
  }
  const CheckpointTier& tier = campaign.tiers.back();
  if (tier.interval == CheckpointTier::Interval::Never) {
    return std::nullopt;  // auto, and nothing falls back to it
  }
  return IntervalStudy{.used = interval_of(tier, job.step, spec.semantics.whole_steps)};
}

/// Whether it is known which point of a curve is the best, or that it hardly matters.
bool are_told_apart(const std::vector<IntervalPoint>& points) {
  const Campaign& best = best_of(points).campaign;
  return std::all_of(points.begin(), points.end(), [&](const IntervalPoint& point) {
    const Difference d = difference(best, point.campaign);
    return is_sure(d) || d.error * best.ettr.mean <= kSureOfTime;
  });
}

/// The best interval by formula, and what others around it cost.
std::vector<IntervalPoint> compare_intervals(const CampaignJob& job, const FaultsSpec& spec,
                                             IntervalStudy& found, int threads) {
  using Interval = CheckpointTier::Interval;
  FaultsSpec other = spec;
  other.tiers.back().interval = Interval::Auto;
  const CheckpointTier formula = with_intervals(job, other).tiers.back();
  if (formula.interval != Interval::Time || !std::isfinite(formula.time.value) ||
      formula.time.value <= 0) {
    return {};
  }
  found.formula = formula.time;
  std::vector<IntervalPoint> points;
  for (found.trials = std::min(kFirstTrials, spec.trials);;
       found.trials = std::min(2 * found.trials, spec.trials)) {
    other.trials = found.trials;
    points = curve_around(job, other, spec.tiers.last_id(), formula.time, threads);
    if (found.trials == spec.trials || are_told_apart(points)) {
      break;
    }
  }
  for (const auto& [interval, campaign] : points) {
    found.curve.push_back({interval, campaign.ettr.mean, campaign.ettr.stderr_of_mean});
  }
  found.best = best_of(points).interval;
  return points;
}

/// Whether the user has set the interval, so that another one is a remedy.
bool is_chosen(const CheckpointTier& tier) {
  return tier.interval == CheckpointTier::Interval::Steps ||
         tier.interval == CheckpointTier::Interval::Time;
}

}  // namespace

bool draws_faults(const FaultsSpec& spec) {
  return std::any_of(spec.causes.begin(), spec.causes.end(), [](const FaultCause& cause) {
    return cause.arrivals.kind == Arrivals::Kind::Exponential ||
           cause.arrivals.kind == Arrivals::Kind::Weibull;
  });
}

std::vector<CampaignRemedy> remedies(const FaultsPlan& plan) {
  std::vector<CampaignRemedy> found;
  const FaultsSpec& spec = plan.spec;
  add(found, spec, "no failures", [](FaultsSpec& s) { return take_away(s, strikes); });
  add(found, spec, "half the failures", halve_failures);
  add(found, spec, "half the detection time",
      [](FaultsSpec& s) { return scale_detection(s, 0.5); });
  add(found, spec, "half the restart time", [](FaultsSpec& s) { return scale_restart(s, 0.5); });
  if (!spec.tiers.empty()) {
    add_checkpoint_remedies(plan, found);
  }
  add_recovery_remedies(spec, found);
  return found;
}

double expected_happenings(const CampaignJob& job, const FaultsPlan& plan) {
  constexpr double kCurve = 12;  // campaigns of a curve_around, more where the best is far off
  const FaultsSpec& spec = plan.spec;
  const double of_base = expected_happenings(job, spec);
  const int first = std::min(kFirstTrials, spec.trials);  // of a curve that is told apart by them
  double of_curve = 0;   // of its shortest interval, which saves most
  double on_curves = 0;  // trials
  for (const TierId i : spec.tiers.ids()) {
    using Interval = CheckpointTier::Interval;
    const bool is_tried = spec.tiers[i].interval == Interval::AutoSimulated;
    const bool is_compared = plan.what_if && i == spec.tiers.last_id() && saves(spec);
    if (!is_tried && !is_compared) {
      continue;
    }
    FaultsSpec often = spec;
    often.tiers[i].interval = Interval::Auto;
    often = with_formulas(job, std::move(often));
    if (often.tiers[i].interval == Interval::Time) {
      often.tiers[i].time = often.tiers[i].time * 0.25;
      of_curve = std::max(of_curve, expected_happenings(job, often));
      on_curves += (is_tried ? 2 * spec.trials : 0) + (is_compared ? first : 0);
    }
  }
  double of_trial = of_base;
  if (plan.what_if) {
    for (const CampaignRemedy& remedy : remedies(plan)) {
      of_trial += expected_happenings(job, remedy.spec);
    }
  }
  return of_trial * spec.trials + kCurve * on_curves * of_curve;
}

CampaignStudy study(const CampaignJob& job, FaultsPlan plan, int threads) {
  CampaignStudy result{.job = job, .plan = std::move(plan)};
  FaultsPlan tried = result.plan;  // what was found by trying is not tried again for each remedy
  const FaultsSpec& spec = tried.spec;
  const FaultsSpec found = with_intervals(job, spec, threads);
  for (const TierId i : spec.tiers.ids()) {
    if (spec.tiers[i].interval == CheckpointTier::Interval::AutoSimulated) {
      tried.spec.tiers[i] = found.tiers[i];
    }
  }
  result.campaign = run_campaign(job, spec, threads);
  result.interval = used_interval(job, spec, result.campaign);
  if (!result.plan.what_if || !ends(result.campaign)) {
    return result;
  }
  const auto enough = [&](const Campaign& other) {
    return !ends(other) || is_sure(difference(result.campaign, other));
  };
  const auto compare = [&](const std::string& name, const FaultsSpec& changed) {
    const Campaign other = run_campaign(job, changed, threads, enough);
    if (ends(other)) {
      result.what_if.push_back(what_if(name, result.campaign, other));
    }
  };
  if (result.interval) {
    const auto points = compare_intervals(job, spec, *result.interval, threads);
    if (!points.empty() && difference(result.campaign, best_of(points).campaign).saved <= 0) {
      result.interval->best = result.interval->used;  // between two points of the curve
    } else if (!points.empty() && is_chosen(result.plan.spec.tiers.back())) {
      FaultsSpec best = spec;
      best.tiers = best_of(points).campaign.tiers;
      compare(draws_faults(spec) ? "best checkpoint interval" : "best interval for these faults",
              best);
    }
  }
  for (const CampaignRemedy& remedy : remedies(tried)) {
    compare(remedy.name, remedy.spec);
  }
  std::stable_sort(result.what_if.begin(), result.what_if.end(),
                   [](const WhatIf& a, const WhatIf& b) { return a.saved > b.saved; });
  return result;
}

}  // namespace danlu
