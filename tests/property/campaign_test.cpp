// What must hold for every campaign: random requests with every feature, seeds printed on failure.
#include "sim/campaign/campaign.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "sim/campaign/closed_forms.hpp"
#include "tests/support/campaigns.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::constant;
using testing::every;
using testing::near;
using testing::random_cause;
using testing::restart_part;

/// A random request, and the job for it.
struct Draw {
  std::mt19937 random;
  CampaignJob job;
  FaultsSpec spec;

  explicit Draw(unsigned seed) : random(seed) {
    job.replicas = whole(1, 8);
    job.nodes = job.replicas * whole(1, 4);
    job.gpus_per_node = whole(1, 8);
    job.step = Seconds{real(1, 30)};
    job.steps = whole(50, 2000);
    if (chance()) {
      job.horizon = job.step * (job.steps * real(0.2, 1.5));
    }
    for (int i = whole(1, 4); i > 0; --i) {
      spec.causes.push_back(cause(i));
    }
    for (int i = whole(0, 3); i > 0; --i) {
      spec.events.push_back(
          {.at = length() * real(0, 1), .cause = CauseId{whole(0, causes() - 1)}});
    }
    for (int i = whole(0, 2); i > 0; --i) {
      spec.tiers.push_back(tier(i));
    }
    for (int i = whole(0, 2); i > 0; --i) {
      RestartPart part = restart_part(0, "part " + std::to_string(i));
      part.duration = duration(job.step * 10);
      part.only_replacement = chance();
      spec.restart.push_back(part);
    }
    spec.spares = {.hot = whole(0, 2), .cold = whole(0, 2)};
    spec.spares.cold_start = duration(job.step * 5);
    spec.spares.repair = duration(length() / 10);
    spec.recovery.kind = static_cast<RecoverySpec::Kind>(whole(0, 2));
    spec.recovery.min_replicas = whole(1, job.replicas);
    spec.semantics = {chance(), chance(), chance(), chance(), chance(), chance()};
    spec.seed = seed;
  }

  int whole(int low, int high) { return std::uniform_int_distribution(low, high)(random); }
  double real(double low, double high) { return std::uniform_real_distribution(low, high)(random); }
  bool chance() { return whole(0, 1) == 1; }
  int causes() const { return static_cast<int>(spec.causes.size()); }
  Seconds length() const { return job.step * job.steps; }

  Duration duration(Seconds about) {
    Duration found{.kind = static_cast<Duration::Kind>(whole(0, 4)), .mean = about * real(0.1, 1)};
    found.shape = real(0.5, 1.5);
    found.samples = {about * 0.1, about};
    return found;
  }

  FaultCause cause(int number) {
    FaultCause found = testing::listed("cause " + std::to_string(number));
    found.count = whole(1, 3 * job.nodes);
    found.arrivals.kind = static_cast<Arrivals::Kind>(whole(0, 3));
    found.arrivals.clock = static_cast<Arrivals::Clock>(whole(0, 1));
    found.arrivals.shape = real(0.6, 1.5);
    const bool of_each = found.arrivals.kind == Arrivals::Kind::Exponential ||
                         found.arrivals.clock == Arrivals::Clock::Component;
    found.arrivals.mean = length() * (real(0.05, 0.5) * (of_each ? found.count : 1));
    found.effect = static_cast<FaultCause::Effect>(whole(0, 3));
    found.window = duration(job.step * 30);
    found.slowdown = chance() ? real(1, 3) : found.slowdown;
    found.limit = chance() ? job.step * real(5, 20) : kNever;
    found.nodes = whole(0, std::min(3, job.nodes));
    found.permanent = whole(0, 2) / 2.0;
    found.detection.kind = static_cast<Detection::Kind>(whole(0, 2));
    found.detection.delay = duration(job.step * 3);
    found.detection.period = job.step * real(0.1, 1);
    found.detection.timeout = job.step * real(1, 3);
    return found;
  }

  CheckpointTier tier(int number) {
    CheckpointTier found = every(0, 0);
    found.name = "tier " + std::to_string(number);
    found.time = length() * real(0.01, 0.3);
    found.blocking = job.step * real(0.1, 3);
    found.persist = chance() ? job.step * real(0.1, 20) : Seconds{};
    found.keep = whole(0, 2);
    found.in_flight = whole(1, 3);
    found.slowdown = chance() ? real(1, 1.5) : 1;
    found.load = duration(job.step * 5);
    found.survives_nodes = whole(0, 3);
    found.survives_more = chance() ? 0.5 : 0;
    return found;
  }
};

/// Nothing of the accounts is negative, all of them add up, and time runs forward.
void check_trial(const CampaignJob& job, const FaultsSpec& spec, const CampaignTrial& trial) {
  // T50
  EXPECT_TRUE(near(trial.time.total().value, trial.wall.value));
  const double gpus =
      (job.nodes + spec.spares.hot + spec.spares.cold) * static_cast<double>(job.gpus_per_node);
  EXPECT_TRUE(near(trial.gpu_time.total().value, trial.wall.value * gpus));
  for (const auto& [part, name] : kNames<CampaignPart>) {
    EXPECT_GE(trial.time[part].value, -1e-9 * trial.wall.value) << name;
    EXPECT_GE(trial.gpu_time[part].value, -1e-9 * trial.wall.value * gpus) << name;
  }
  EXPECT_NEAR(trial.time[CampaignPart::Useful].value, (job.step * trial.steps).value,
              1e-9 * trial.wall.value);
  EXPECT_LE(trial.wall, job.horizon);
  if (trial.finished) {
    EXPECT_TRUE(near(trial.steps, job.steps));
  } else {
    EXPECT_EQ(trial.wall, job.horizon);
  }
  Seconds end;
  for (const CampaignEvent& event : trial.events) {
    EXPECT_LE(event.begin, event.end);
    if (event.kind < CampaignEvent::Kind::Persist) {
      EXPECT_EQ(event.begin, end);
      end = event.end;
    }
  }
  EXPECT_EQ(end, trial.wall);
}

TEST(CampaignProperty, EverySecondHasOneName) {
  int played = 0;
  for (unsigned seed = 0; seed < 600; ++seed) {
    SCOPED_TRACE(seed);
    Draw draw(seed);
    ASSERT_TRUE(faults_problems(draw.job, draw.spec).empty());
    // A run that may never end has a horizon.
    draw.job.horizon = std::min(draw.job.horizon, draw.length() * 20);
    for (int trial = 0; trial < 3; ++trial, ++played) {
      check_trial(draw.job, draw.spec, run_trial(draw.job, draw.spec, trial, true));
      if (HasFailure()) {
        return;
      }
    }
  }
  EXPECT_EQ(played, 1800);
}

// Rows of saves that nothing disturbs are taken in one leap. Saves that slow training down by next
// to nothing while they persist are played one by one: the same run, to rounding.
TEST(CampaignProperty, LeapsOverSavesMakeNoDifference) {
  int faults = 0;
  int taken = 0;
  for (unsigned seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    Draw draw(seed);
    draw.job.horizon = kNever;
    draw.spec.recovery.kind = RecoverySpec::Kind::Restart;
    for (FaultCause& cause : draw.spec.causes) {  // an end in sight
      cause.arrivals.mean = std::max(cause.arrivals.mean, draw.length() * (0.2 * cause.count));
    }
    for (CheckpointTier& tier : draw.spec.tiers) {
      tier.persist = draw.job.step * 0.01;
      tier.slowdown = 1;
    }
    FaultsSpec one_by_one = draw.spec;
    for (CheckpointTier& tier : one_by_one.tiers) {
      tier.slowdown = 1 + 1e-14;
    }
    const CampaignTrial leaps = run_trial(draw.job, draw.spec, 0, true);
    const CampaignTrial steps = run_trial(draw.job, one_by_one, 0, true);
    EXPECT_TRUE(near(leaps.wall.value, steps.wall.value));
    EXPECT_EQ(leaps.checkpoints, steps.checkpoints);
    EXPECT_EQ(leaps.faults, steps.faults);
    EXPECT_EQ(leaps.events.size(), steps.events.size());
    for (const auto& [part, name] : kNames<CampaignPart>) {
      EXPECT_NEAR(leaps.time[part].value, steps.time[part].value, 1e-9 * steps.wall.value) << name;
    }
    faults += leaps.failures;
    taken += leaps.leaps;
    EXPECT_EQ(steps.leaps, 0);
    if (HasFailure()) {
      return;
    }
  }
  EXPECT_GT(faults, 300);
  EXPECT_GT(taken, 300);
}

TEST(CampaignProperty, ThreadsAndOrderMakeNoDifference) {
  for (unsigned seed = 1000; seed < 1020; ++seed) {
    SCOPED_TRACE(seed);
    Draw draw(seed);
    draw.job.horizon = std::min(draw.job.horizon, draw.length() * 20);
    draw.spec.trials = 60;
    const Campaign one = run_campaign(draw.job, draw.spec, 1);
    const Campaign two = run_campaign(draw.job, draw.spec, 2);
    EXPECT_EQ(one.time.parts, two.time.parts);
    EXPECT_EQ(one.gpu_time.parts, two.gpu_time.parts);
    EXPECT_EQ(one.wall.stddev, two.wall.stddev);
    EXPECT_EQ(one.ettr.p95, two.ettr.p95);
    // The causes turned round: the same numbers under other indices.
    FaultsSpec turned = draw.spec;
    std::reverse(turned.causes.begin(), turned.causes.end());
    for (FaultEvent& event : turned.events) {
      event.cause = CauseId{draw.causes() - 1 - static_cast<int>(event.cause)};
    }
    EXPECT_EQ(run_campaign(draw.job, turned, 2).time.parts, one.time.parts);
  }
}

/// 200 h of work, M = 8 h, C = 3 min, R = 10 min, an interval of 53 min.
FaultsSpec plain() {
  FaultsSpec spec;
  spec.causes = {random_cause(8 * 3600)};
  spec.tiers = {every(3200, 180)};
  spec.restart = {restart_part(600)};
  spec.trials = 300;
  return spec;
}

const CampaignJob kJob{.step = 10_s, .steps = 72000};

// Wall time does not fall with the failure rate, the saves or the restart; on common random numbers
// that shows in few trials.
TEST(CampaignProperty, WorseIsNotFaster) {
  const auto mean = [](const FaultsSpec& spec) { return run_campaign(kJob, spec).wall.mean; };
  double before = 0;
  for (const double mtbf : {64, 32, 16, 8, 4, 2}) {
    FaultsSpec spec = plain();
    spec.causes[CauseId{0}].arrivals.mean = Seconds{mtbf * 3600};
    EXPECT_GT(mean(spec), before) << "M " << mtbf;
    before = mean(spec);
  }
  before = 0;
  for (const double blocking : {0, 30, 60, 120, 240}) {
    FaultsSpec spec = plain();
    spec.tiers[TierId{0}].blocking = Seconds{blocking};
    EXPECT_GT(mean(spec), before) << "C " << blocking;
    before = mean(spec);
  }
  before = 0;
  for (const double restart : {0, 60, 300, 600, 1800}) {
    FaultsSpec spec = plain();
    spec.restart = {restart_part(restart)};
    EXPECT_GT(mean(spec), before) << "R " << restart;
    before = mean(spec);
  }
}

// A U over the interval, its least point within 2 % of the wall time at the exact optimum.
TEST(CampaignProperty, WallTimeIsAUOverTheInterval) {
  const Seconds best = optimal_interval(180_s, Seconds{8 * 3600.0});
  std::vector<Seconds> intervals;
  for (const double factor : {0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0}) {
    intervals.push_back(best * factor);
  }
  const auto curve = interval_curve(kJob, plain(), TierId{0}, intervals);
  for (std::size_t i = 0; i + 1 < curve.size(); ++i) {
    const double here = curve[i].campaign.wall.mean;
    const double next = curve[i + 1].campaign.wall.mean;
    EXPECT_TRUE(i < 3 ? here > 0.995 * next : here < next) << i;
  }
  double least = curve[0].campaign.wall.mean;
  for (const IntervalPoint& point : curve) {
    least = std::min(least, point.campaign.wall.mean);
  }
  EXPECT_LT(curve[3].campaign.wall.mean, 1.02 * least);
}

// Ten causes with a tenth of the rate each are one cause; many fresh Weibull clocks with k < 1 fail
// more at first, and those of one job with k = 1 are the constant rate.
TEST(CampaignProperty, Superposition) {
  const Campaign one = run_campaign(kJob, plain());
  FaultsSpec spec = plain();
  spec.causes.clear();
  for (int i = 0; i < 10; ++i) {
    spec.causes.push_back(random_cause(80 * 3600, "cause " + std::to_string(i)));
  }
  const Campaign ten = run_campaign(kJob, spec);
  const double error = std::hypot(one.wall.stderr_of_mean, ten.wall.stderr_of_mean);
  EXPECT_NEAR(one.wall.mean, ten.wall.mean, 4 * error);

  spec = plain();
  spec.causes[CauseId{0}].count = 1000;
  spec.causes[CauseId{0}].arrivals.mean = Seconds{8000 * 3600.0};
  spec.causes[CauseId{0}].arrivals.kind = Arrivals::Kind::Weibull;
  spec.causes[CauseId{0}].arrivals.clock = Arrivals::Clock::Component;
  const Campaign clocks = run_campaign(kJob, spec);
  EXPECT_NEAR(one.failures.mean, clocks.failures.mean,
              4 * std::hypot(one.failures.stderr_of_mean, clocks.failures.stderr_of_mean));
  spec.causes[CauseId{0}].arrivals.shape = 0.7;
  EXPECT_GT(run_campaign(kJob, spec).failures.mean, 2 * one.failures.mean);
}

}  // namespace
}  // namespace danlu
