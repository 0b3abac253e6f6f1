// The best checkpoint interval: by formula, tier by tier, or by simulation.
//
// A tier's formula counts the failures that fall back to it: those that no faster tier survives. So
// two tiers of B.5 get sqrt(2 C1 / (p l)) and sqrt(2 C2 / ((1-p) l)), in their exact form.
#include <algorithm>
#include <cmath>
#include <map>

#include "sim/campaign/campaign.hpp"
#include "sim/campaign/closed_forms.hpp"
#include "sim/campaign/faults.hpp"
#include "sim/campaign/random.hpp"
#include "sim/campaign/replicas.hpp"

namespace danlu {
namespace {

/// Whether replica recovery goes on without what the failure takes out.
bool goes_on(const CampaignJob& job, const FaultsSpec& faults, const FaultCause& cause,
             int component) {
  return faults.recovery.kind == RecoverySpec::Kind::Replica &&
         cause.effect != FaultCause::Effect::Corrupt && cause.nodes > 0 &&
         static_cast<int>(replicas_on(job, nodes_of(job, cause, component)).size()) < job.replicas;
}

/// The share of the cause's components whose failures roll the job back.
double share_rolling_back(const CampaignJob& job, const FaultsSpec& faults,
                          const FaultCause& cause) {
  if (faults.recovery.kind != RecoverySpec::Kind::Replica) {
    return 1;
  }
  std::map<int, bool> known;  // by first node
  double rolling_back = 0;
  const int count = std::max(1, static_cast<int>(cause.count));
  for (int component = 0; component < count; ++component) {
    const auto [at, added] = known.emplace(nodes_of(job, cause, component).first, false);
    at->second = added ? !goes_on(job, faults, cause, component) : at->second;
    rolling_back += at->second ? 1 : 0;
  }
  return rolling_back / count;
}

/// The chance that a fault of the cause stops the job, once it has struck: a degradation has to
/// outlast its limit.
double chance_to_stop(const FaultCause& cause, Seconds listed_window) {
  if (cause.effect != FaultCause::Effect::Degrade) {
    return 1;
  }
  return cause.limit == kNever         ? 0
         : listed_window == kNever     ? chance_beyond(cause.window, cause.limit)
         : listed_window > cause.limit ? 1
                                       : 0;
}

/// Faults of the cause that roll the job back, per second.
double stop_rate(const CampaignJob& job, const FaultsSpec& faults, CauseId id) {
  const FaultCause& cause = faults.causes[id];
  if (cause.effect == FaultCause::Effect::Planned) {
    return 0;  // nothing is rolled back
  }
  const Seconds length = std::min(job.horizon, job.steps > 0 ? job.step * job.steps : kNever);
  double listed = 0;  // of those that come within the run
  for (const FaultEvent& event : faults.events) {
    if (event.cause == id && event.at < job.horizon &&
        !goes_on(job, faults, cause, event.component)) {
      listed += chance_to_stop(cause, event.window);
    }
  }
  const double drawn = fault_rate(cause);
  const double rolling_back = drawn > 0 ? share_rolling_back(job, faults, cause) : 0;
  return drawn * rolling_back * chance_to_stop(cause, kNever) + listed / length.value;
}

double survival(const CheckpointTier& tier, const FaultCause& cause) {
  if (cause.effect == FaultCause::Effect::Corrupt && tier.keep == 1) {
    return 0;  // what is kept has wrong numbers by the time that it is noticed
  }
  return cause.nodes <= tier.survives_nodes ? 1 : tier.survives_more;
}

/// Failures per second for which this tier is the first that survives.
double rate_of(const CampaignJob& job, const FaultsSpec& faults, TierId tier) {
  double rate = 0;
  for (const CauseId i : faults.causes.ids()) {
    const FaultCause& cause = faults.causes[i];
    double falls_here = survival(faults.tiers[tier], cause);
    for (const TierId faster : IdRange(TierId{0}, tier)) {
      falls_here *= 1 - survival(faults.tiers[faster], cause);
    }
    rate += falls_here * stop_rate(job, faults, i);
  }
  return rate;
}

/// Sets the interval by formula; no failures or free saves have no best one.
void set_by_formula(const CampaignJob& job, const FaultsSpec& faults, TierId id,
                    CheckpointTier& tier) {
  const double rate = rate_of(job, faults, id);
  if (rate <= 0) {
    tier.interval = CheckpointTier::Interval::Never;
    return;
  }
  tier.interval = CheckpointTier::Interval::Time;
  // Training must not wait for the save before, nor save more often than every step.
  const Seconds through = tier.persist / tier.in_flight - tier.blocking;
  const Seconds best = optimal_interval(tier.blocking, Seconds{1 / rate});
  tier.time = std::max(best, job.step);
  if (through > best) {
    const bool whole = faults.semantics.whole_steps;
    tier.time = whole ? job.step * std::ceil(through / job.step) : through;
  }
}

/// `count` intervals at equal ratios.
std::vector<Seconds> between(Seconds low, Seconds high, int count) {
  std::vector<Seconds> intervals;
  for (int i = 0; i < count; ++i) {
    intervals.push_back(low * std::pow(high / low, static_cast<double>(i) / (count - 1)));
  }
  return intervals;
}

/// The interval of the least cost 1 / ETTR: that of the parabola in ln tau through the best point
/// and two on either side, by least squares, which evens out the noise of single points. (To first
/// order the cost is 1 + a / tau + b tau, and that is even in ln tau about its least.)
Seconds least(const std::vector<IntervalPoint>& curve) {
  const auto best = &best_of(curve) - curve.data();
  const Seconds interval = curve[static_cast<std::size_t>(best)].interval;
  double slope = 0;
  double bend = 0;
  for (int x = -2; x <= 2; ++x) {
    const auto at = static_cast<std::size_t>(best + x);
    if (at >= curve.size()) {
      return interval;
    }
    const double cost = 1 / curve[at].campaign.ettr.mean;
    slope += x * cost / 10;
    bend += (x * x - 2) * cost / 14;
  }
  const double x = bend > 0 ? std::clamp(-slope / (2 * bend), -1.0, 1.0) : 0;
  return interval * std::pow(2.0, x / 2);
}

}  // namespace

Seconds interval_of(const CheckpointTier& tier, Seconds step, bool whole_steps) {
  const Seconds asked = tier.interval == CheckpointTier::CheckpointTier::Interval::Never ? kNever
                        : tier.interval == CheckpointTier::CheckpointTier::Interval::Steps
                            ? step * tier.steps
                            : tier.time;
  if (!whole_steps || asked == kNever) {
    return asked;
  }
  return step * std::max(1.0, std::round(asked / step));
}

FaultsSpec with_formulas(const CampaignJob& job, FaultsSpec faults) {
  const FaultsSpec asked = faults;
  for (const TierId i : faults.tiers.ids()) {
    const CheckpointTier::Interval interval = asked.tiers[i].interval;
    if (interval == CheckpointTier::Interval::Auto ||
        interval == CheckpointTier::Interval::AutoSimulated) {
      set_by_formula(job, asked, i, faults.tiers[i]);
    }
  }
  return faults;
}

FaultsSpec with_intervals(const CampaignJob& job, FaultsSpec faults, int threads) {
  const FaultsSpec asked = faults;
  faults = with_formulas(job, std::move(faults));
  for (const TierId i : faults.tiers.ids()) {
    if (asked.tiers[i].interval == CheckpointTier::Interval::AutoSimulated &&
        faults.tiers[i].interval == CheckpointTier::Interval::Time) {
      faults.tiers[i].time = least(curve_around(job, faults, i, faults.tiers[i].time, threads));
    }
  }
  return faults;
}

std::vector<IntervalPoint> interval_curve(const CampaignJob& job, const FaultsSpec& faults,
                                          TierId tier, const std::vector<Seconds>& intervals,
                                          int threads) {
  FaultsSpec spec = with_intervals(job, faults, threads);
  CheckpointTier& changed = spec.tiers[tier];
  std::vector<IntervalPoint> curve;
  for (const Seconds interval : intervals) {
    changed.interval = CheckpointTier::Interval::Time;
    changed.time = interval;
    changed.time = interval_of(changed, job.step, spec.semantics.whole_steps);
    if (curve.empty() || curve.back().interval != changed.time) {
      curve.push_back({changed.time, run_campaign(job, spec, threads)});
    }
  }
  return curve;
}

std::vector<IntervalPoint> curve_around(const CampaignJob& job, const FaultsSpec& faults,
                                        TierId tier, Seconds centre, int threads) {
  const double ratio = std::sqrt(2.0);
  constexpr int kMostMore = 16;
  const auto play = [&](const std::vector<Seconds>& intervals) {
    return interval_curve(job, faults, tier, intervals, threads);
  };
  auto curve = play(between(centre / 4, centre * 4, 9));
  for (int more = 0; more < kMostMore; ++more) {
    const Seconds best = best_of(curve).interval;
    const bool shortest = best == curve.front().interval;
    if (!shortest && best != curve.back().interval) {
      break;
    }
    auto next = play({shortest ? best / ratio : best * ratio});
    if (next[0].interval == best) {
      break;  // no shorter than a step
    }
    curve.insert(shortest ? curve.begin() : curve.end(), std::move(next[0]));
  }
  return curve;
}

const IntervalPoint& best_of(const std::vector<IntervalPoint>& curve) {
  return *std::max_element(curve.begin(), curve.end(),
                           [](const IntervalPoint& a, const IntervalPoint& b) {
                             return a.campaign.ettr.mean < b.campaign.ettr.mean;
                           });
}

}  // namespace danlu
