#include "sim/campaign/study.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace danlu {
namespace {

bool strikes(const FaultCause& cause) {
  return cause.effect != FaultCause::Effect::Planned &&
         cause.arrivals.kind != Arrivals::Kind::Periodic;
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

bool scale_failures(FaultsSpec& spec, double factor) {
  bool any = false;
  for (FaultCause& cause : spec.causes) {
    if (strikes(cause) && cause.arrivals.kind != Arrivals::Kind::None) {
      cause.arrivals.mean = cause.arrivals.mean / factor;
      any = true;
    }
  }
  return any;
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

bool saves(const FaultsSpec& spec) {
  return !spec.tiers.empty() && spec.tiers.back().interval != CheckpointTier::Interval::Never;
}

void add_checkpoint_remedies(const FaultsPlan& plan, std::vector<CampaignRemedy>& found) {
  using Interval = CheckpointTier::Interval;
  const FaultsSpec& spec = plan.spec;
  add(found, spec, "best checkpoint interval", [&](FaultsSpec& s) {
    const bool fixed = saves(s) && (s.tiers.back().interval == Interval::Steps ||
                                    s.tiers.back().interval == Interval::Time);
    s.tiers.back().interval = Interval::Auto;
    return fixed;
  });
  add(found, spec, "asynchronous checkpoints", [&](FaultsSpec& s) {
    CheckpointTier& tier = s.tiers.back();
    const bool gains = saves(s) && tier.persist.value == 0 && plan.file.copy < tier.blocking;
    tier.persist = tier.blocking;
    tier.blocking = plan.file.copy;
    return gains;
  });
  add(found, spec, "half the time of a checkpoint", [&](FaultsSpec& s) {
    CheckpointTier& tier = s.tiers.back();
    tier.blocking = tier.blocking * 0.5;
    tier.persist = tier.persist * 0.5;
    return saves(s);
  });
  add(found, spec, "copies in peers' memory every minute", [&](FaultsSpec& s) {
    const bool has_one = s.tiers.size() > 1;
    s.tiers.insert(s.tiers.begin(), {.name = "peer memory",
                                     .interval = Interval::Time,
                                     .time = Seconds{60},
                                     .blocking = plan.file.copy,
                                     .load = {.mean = plan.file.copy},
                                     .survives_nodes = 1});
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
  add(found, spec, "fewer replicas while nodes are short", [](FaultsSpec& s) {
    const bool rigid = s.recovery.kind == RecoverySpec::Kind::Restart;
    s.recovery.kind = RecoverySpec::Kind::Elastic;
    return rigid && needs_spares(s);
  });
  add(found, spec, "no slow parts", [](FaultsSpec& s) {
    bool any = false;
    for (FaultCause& cause : s.causes) {
      if (cause.effect == FaultCause::Effect::Degrade && strikes(cause)) {
        any = any || cause.arrivals.kind != Arrivals::Kind::None;
        cause.arrivals.kind = Arrivals::Kind::None;
      }
    }
    return any;
  });
}

/// How long the unchanged campaign's work takes at another ETTR, useful work going at its pace.
Seconds wall_of(const Campaign& base, const Campaign& other) {
  const Seconds useful = base.time[CampaignPart::Useful];
  return useful * (other.wall.mean / other.time[CampaignPart::Useful].value);
}

/// From a quarter to four times an interval, each step the square root of two.
std::vector<Seconds> around(Seconds centre) {
  std::vector<Seconds> intervals;
  constexpr int kSteps = 4;
  for (int i = -kSteps; i <= kSteps; ++i) {
    intervals.push_back(centre * std::pow(2.0, 0.5 * i));
  }
  return intervals;
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
  const bool in_steps = tier.interval == CheckpointTier::Interval::Steps;
  return IntervalStudy{.used = in_steps ? job.step * tier.steps : tier.time};
}

/// The best interval by formula, and what others around it cost.
void compare_intervals(const CampaignJob& job, const FaultsSpec& spec, IntervalStudy& found,
                       int threads) {
  using Interval = CheckpointTier::Interval;
  FaultsSpec other = spec;
  CheckpointTier& tier = other.tiers.back();
  tier.interval = Interval::Auto;
  const CheckpointTier formula = with_intervals(job, other).tiers.back();
  if (formula.interval != Interval::Time || !std::isfinite(formula.time.value) ||
      formula.time.value <= 0) {
    return;
  }
  found.formula = formula.time;
  tier.interval = Interval::Time;
  double best = 0;
  for (const Seconds interval : around(formula.time)) {
    tier.time = interval;
    const Campaign campaign = run_campaign(job, other, threads);
    found.curve.push_back({interval, ettr_of(campaign), campaign.ettr.stderr_of_mean});
    if (found.curve.back().ettr > best) {
      best = found.curve.back().ettr;
      found.best = interval;
    }
  }
}

}  // namespace

double ettr_of(const Campaign& campaign) {
  return campaign.time[CampaignPart::Useful].value / campaign.wall.mean;
}

std::vector<CampaignRemedy> remedies(const FaultsPlan& plan) {
  std::vector<CampaignRemedy> found;
  const FaultsSpec& spec = plan.spec;
  add(found, spec, "no failures", [](FaultsSpec& s) {
    const bool any = scale_failures(s, 1);
    std::erase_if(s.events, [&](const FaultEvent&) { return true; });
    for (FaultCause& cause : s.causes) {
      if (strikes(cause)) {
        cause.arrivals.kind = Arrivals::Kind::None;
      }
    }
    return any;
  });
  add(found, spec, "half the failures", [](FaultsSpec& s) { return scale_failures(s, 0.5); });
  add(found, spec, "half the detection time",
      [](FaultsSpec& s) { return scale_detection(s, 0.5); });
  add(found, spec, "half the restart time", [](FaultsSpec& s) { return scale_restart(s, 0.5); });
  if (!spec.tiers.empty()) {
    add_checkpoint_remedies(plan, found);
  }
  add_recovery_remedies(spec, found);
  return found;
}

CampaignStudy study(const CampaignJob& job, FaultsPlan plan, int threads) {
  CampaignStudy result{.job = job, .plan = std::move(plan)};
  const FaultsSpec& spec = result.plan.spec;
  result.campaign = run_campaign(job, spec, threads);
  result.interval = used_interval(job, spec, result.campaign);
  const bool ends = result.campaign.gave_up == 0 && ettr_of(result.campaign) > 0;
  if (!result.plan.what_if || !ends) {
    return result;
  }
  if (result.interval) {
    compare_intervals(job, spec, *result.interval, threads);
  }
  for (const CampaignRemedy& remedy : remedies(result.plan)) {
    const Campaign other = run_campaign(job, remedy.spec, threads);
    if (other.gave_up > 0 || ettr_of(other) <= 0) {
      continue;
    }
    const Seconds wall = wall_of(result.campaign, other);
    result.what_if.push_back(
        {remedy.name, ettr_of(other), wall, wall_of(result.campaign, result.campaign) - wall});
  }
  std::stable_sort(result.what_if.begin(), result.what_if.end(),
                   [](const WhatIf& a, const WhatIf& b) { return a.saved > b.saved; });
  return result;
}

}  // namespace danlu
