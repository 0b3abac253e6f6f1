// The best checkpoint interval: by formula, tier by tier, or by simulation.
//
// A tier's formula counts the failures that fall back to it: those that no faster tier survives. So
// two tiers of B.5 get sqrt(2 C1 / (p l)) and sqrt(2 C2 / ((1-p) l)), in their exact form.
#include <algorithm>
#include <cmath>

#include "sim/campaign/campaign.hpp"
#include "sim/campaign/closed_forms.hpp"
#include "sim/campaign/faults.hpp"
#include "sim/campaign/random.hpp"

namespace danlu {
namespace {

using Interval = CheckpointTier::Interval;

/// Faults of the cause that stop the job, per second.
double stop_rate(const CampaignJob& job, const FaultsSpec& faults, std::size_t index) {
  const FaultCause& cause = faults.causes[index];
  double stopping = 1;
  if (cause.effect == FaultCause::Effect::Planned) {
    return 0;
  }
  if (cause.effect == FaultCause::Effect::Degrade) {
    stopping = cause.limit < kNever ? chance_beyond(cause.window, cause.limit) : 0;
  }
  const auto listed = std::count_if(
      faults.events.begin(), faults.events.end(),
      [&](const FaultEvent& event) { return event.cause == static_cast<int>(index); });
  const Seconds length = std::min(job.horizon, job.steps > 0 ? job.step * job.steps : kNever);
  return stopping * (fault_rate(cause) + static_cast<double>(listed) / length.value);
}

double survival(const CheckpointTier& tier, const FaultCause& cause) {
  return cause.nodes <= tier.survives_nodes ? 1 : tier.survives_more;
}

/// Failures per second for which this tier is the first that survives.
double rate_of(const CampaignJob& job, const FaultsSpec& faults, std::size_t tier) {
  double rate = 0;
  for (std::size_t i = 0; i < faults.causes.size(); ++i) {
    const FaultCause& cause = faults.causes[i];
    double falls_here = survival(faults.tiers[tier], cause);
    for (std::size_t faster = 0; faster < tier; ++faster) {
      falls_here *= 1 - survival(faults.tiers[faster], cause);
    }
    rate += falls_here * stop_rate(job, faults, i);
  }
  return rate;
}

/// Sets the interval by formula; no failures or free saves have no best one.
void set_by_formula(const CampaignJob& job, const FaultsSpec& faults, std::size_t index,
                    CheckpointTier& tier) {
  const double rate = rate_of(job, faults, index);
  if (rate <= 0) {
    tier.interval = Interval::Never;
    return;
  }
  tier.interval = Interval::Time;
  // Training must not wait for the save before, nor save more often than every step.
  const Seconds through = tier.persist / tier.in_flight - tier.blocking;
  const Seconds best = optimal_interval(tier.blocking, Seconds{1 / rate});
  tier.time = std::max({best, through, job.step});
}

/// The point of the best mean ETTR among `count` from `low` to `high`, at equal ratios.
Seconds best_between(const CampaignJob& job, const FaultsSpec& faults, int tier, Seconds low,
                     Seconds high, int count) {
  std::vector<Seconds> intervals;
  for (int i = 0; i < count; ++i) {
    intervals.push_back(low * std::pow(high / low, static_cast<double>(i) / (count - 1)));
  }
  const auto curve = interval_curve(job, faults, tier, intervals);
  return std::max_element(curve.begin(), curve.end(),
                          [](const IntervalPoint& a, const IntervalPoint& b) {
                            return a.ettr.mean < b.ettr.mean;
                          })
      ->interval;
}

}  // namespace

FaultsSpec with_intervals(const CampaignJob& job, FaultsSpec faults) {
  const FaultsSpec asked = faults;
  for (std::size_t i = 0; i < faults.tiers.size(); ++i) {
    const Interval interval = asked.tiers[i].interval;
    if (interval == Interval::Auto || interval == Interval::AutoSimulated) {
      set_by_formula(job, asked, i, faults.tiers[i]);
    }
  }
  for (std::size_t i = 0; i < faults.tiers.size(); ++i) {
    if (asked.tiers[i].interval == Interval::AutoSimulated &&
        faults.tiers[i].interval == Interval::Time) {
      const int tier = static_cast<int>(i);
      const Seconds start = faults.tiers[i].time;
      const Seconds near = best_between(job, faults, tier, start / 4, start * 4, 9);
      faults.tiers[i].time = best_between(job, faults, tier, near / 1.4, near * 1.4, 9);
    }
  }
  return faults;
}

std::vector<IntervalPoint> interval_curve(const CampaignJob& job, const FaultsSpec& faults,
                                          int tier, const std::vector<Seconds>& intervals,
                                          int threads) {
  FaultsSpec spec = with_intervals(job, faults);
  std::vector<IntervalPoint> curve;
  for (const Seconds interval : intervals) {
    CheckpointTier& changed = spec.tiers[static_cast<std::size_t>(tier)];
    changed.interval = Interval::Time;
    changed.time = interval;
    const Campaign campaign = run_campaign(job, spec, threads);
    curve.push_back({interval, campaign.ettr, campaign.wall});
  }
  return curve;
}

}  // namespace danlu
