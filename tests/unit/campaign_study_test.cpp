// What is asked of a campaign: remedies for random, periodic and listed faults, the interval that
// was used and the best one, and how sure a what-if is.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "sim/campaign/closed_forms.hpp"
#include "sim/campaign/study.hpp"
#include "tests/support/campaigns.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::constant;
using testing::every;
using testing::listed;
using testing::near;
using testing::random_cause;
using testing::restart_part;
using Effect = FaultCause::Effect;
using Interval = CheckpointTier::Interval;

/// A crash every eight hours, saves of a minute, ten days of work.
FaultsPlan plan() {
  FaultsPlan plan;
  plan.spec.causes = {random_cause(8 * kHour)};
  plan.spec.tiers = {every(1800, 60)};
  plan.spec.restart = {restart_part(300)};
  plan.spec.trials = 200;
  return plan;
}
CampaignJob job() {
  return {.step = 10_s, .steps = 86400};
}

FaultsSpec remedy(const FaultsPlan& plan, std::string_view name) {
  for (const CampaignRemedy& one : remedies(plan)) {
    if (one.name == name) {
      return one.spec;
    }
  }
  ADD_FAILURE() << name << " is no remedy";
  return plan.spec;
}

bool offers(const FaultsPlan& plan, std::string_view name) {
  const std::vector<CampaignRemedy> all = remedies(plan);
  return std::any_of(all.begin(), all.end(),
                     [&](const CampaignRemedy& one) { return one.name == name; });
}

const WhatIf& row(const CampaignStudy& study, std::string_view name) {
  const auto found = std::find_if(study.what_if.begin(), study.what_if.end(),
                                  [&](const WhatIf& one) { return one.name == name; });
  EXPECT_NE(found, study.what_if.end()) << name;
  return *found;
}

TEST(CampaignStudy, RemediesKnowListedAndPeriodicFaults) {
  FaultsPlan listed_only;
  listed_only.spec.causes = {listed("crash"), listed("maintenance"), listed("slow")};
  listed_only.spec.causes[CauseId{1}].effect = Effect::Planned;
  listed_only.spec.causes[CauseId{2}].effect = Effect::Degrade;
  listed_only.spec.events = {{.at = 300_s},
                             {.at = 100_s},
                             {.at = 150_s, .cause = CauseId{1}},
                             {.at = 200_s, .cause = CauseId{2}}};
  const FaultsSpec none = remedy(listed_only, "no failures");
  ASSERT_EQ(none.events.size(), 1U);
  EXPECT_EQ(none.events[0].cause, CauseId{1});
  // In the order of time: crash, maintenance, slow, crash; every second failure goes.
  const FaultsSpec half = remedy(listed_only, "half the failures");
  ASSERT_EQ(half.events.size(), 3U);
  EXPECT_EQ(half.events[0].at, 100_s);
  EXPECT_EQ(half.events[1].at, 150_s);
  EXPECT_EQ(half.events[2].at, 300_s);
  EXPECT_EQ(remedy(listed_only, "no slow parts").events.size(), 3U);

  FaultsPlan periodic = plan();
  periodic.spec.causes[CauseId{0}].arrivals.kind = Arrivals::Kind::Periodic;
  EXPECT_EQ(remedy(periodic, "no failures").causes[CauseId{0}].arrivals.kind, Arrivals::Kind::None);
  EXPECT_EQ(remedy(periodic, "half the failures").causes[CauseId{0}].arrivals.mean.value,
            16 * kHour);
  EXPECT_FALSE(offers(periodic, "no slow parts"));
  periodic.spec.causes[CauseId{0}].effect = Effect::Planned;
  EXPECT_FALSE(offers(periodic, "no failures"));
  EXPECT_FALSE(offers(periodic, "half the failures"));
}

// Writing beside the steps slows them down, which the remedy must not forget.
TEST(CampaignStudy, AsynchronousSavesContend) {
  FaultsPlan contending = plan();
  contending.file.copy = 2_s;
  contending.file.slowdown = 1.3;
  const CheckpointTier tier = remedy(contending, "asynchronous checkpoints").tiers[TierId{0}];
  EXPECT_EQ(tier.blocking, 2_s);
  EXPECT_EQ(tier.persist, 60_s);
  EXPECT_EQ(tier.slowdown, 1.3);
}

// An interval of four hours is far beyond the grid around the formula's (57 min): the best by
// trying is offered, and plays what the curve plays. Wanted: the interval in whole steps.
TEST(CampaignStudy, TheBestIntervalIsTheTriedOne) {
  FaultsPlan seldom = plan();
  seldom.spec.trials = 60;
  seldom.spec.tiers[TierId{0}].time = Seconds{4 * kHour + 4};
  const CampaignStudy result = study(job(), seldom);
  ASSERT_TRUE(result.interval.has_value() && result.interval->formula.has_value());
  EXPECT_EQ(result.interval->used.value, 4 * kHour);
  const auto best = std::max_element(
      result.interval->curve.begin(), result.interval->curve.end(),
      [](const IntervalTrial& a, const IntervalTrial& b) { return a.ettr < b.ettr; });
  EXPECT_EQ(result.interval->best, best->interval);
  EXPECT_EQ(row(result, "best checkpoint interval").ettr, best->ettr);
  EXPECT_NE(best, result.interval->curve.begin());
  EXPECT_NE(best, result.interval->curve.end() - 1);
  // One that is chosen by formula is the formula's, and no remedy.
  FaultsPlan chosen = plan();
  chosen.spec.tiers[TierId{0}].interval = Interval::Auto;
  const CampaignStudy automatic = study(job(), chosen);
  EXPECT_TRUE(std::none_of(automatic.what_if.begin(), automatic.what_if.end(),
                           [](const WhatIf& w) { return w.name == "best checkpoint interval"; }));
}

// Where saves are so dear that the best is at the end of the grid, the grid grows until it is not.
TEST(CampaignStudy, TheCurveGrowsUntilTheBestIsInside) {
  FaultsSpec spec = plan().spec;
  spec.trials = 40;
  const Seconds start{60};
  const auto curve = curve_around(job(), spec, TierId{0}, start);
  const IntervalPoint& best = best_of(curve);
  EXPECT_GT(best.interval, start * 4);
  EXPECT_LT(best.interval, curve.back().interval);
  EXPECT_EQ(curve.front().interval, 20_s);  // a quarter of a minute in whole steps
  const double found = best.interval / optimal_interval(60_s, Seconds{8 * kHour});
  EXPECT_GT(found, 0.7);
  EXPECT_LT(found, 1.5);
}

// The same faults strike with and without the remedy, so that the difference is surer than either;
// and it is within four of its errors of the closed forms' difference.
TEST(CampaignStudy, DifferencesAreTakenTrialByTrial) {
  const CampaignStudy result = study(job(), plan());
  const WhatIf& shorter = row(result, "half the restart time");
  EXPECT_GT(shorter.stderr_of_saved, 0_s);
  EXPECT_LT(shorter.stderr_of_saved.value, result.campaign.wall.stderr_of_mean / 2);
  const auto wall = [](double restart) {
    return mean_makespan({.work = job().step * job().steps,
                          .interval = 1800_s,
                          .checkpoint = 60_s,
                          .restart = Seconds{restart},
                          .detection = {},
                          .mtbf = Seconds{8 * kHour}});
  };
  EXPECT_NEAR(shorter.saved.value, (wall(300) - wall(150)).value,
              4 * shorter.stderr_of_saved.value);
}

// The first 200 runs tell what a remedy saves to 2 % where it saves much; twice as many, and so on,
// where it saves little. What all of them tell is within four errors of that.
TEST(CampaignStudy, AsManyRunsAreComparedAsTheDifferenceNeeds) {
  FaultsPlan many = plan();
  many.spec.trials = 2000;
  const CampaignStudy result = study(job(), many);
  const Campaign& base = result.campaign;
  EXPECT_EQ(base.trials, 2000);
  EXPECT_EQ(row(result, "no failures").trials, kFirstTrials);
  for (const CampaignRemedy& remedy : remedies(many)) {
    SCOPED_TRACE(remedy.name);
    const WhatIf& found = row(result, remedy.name);
    EXPECT_TRUE(found.trials == base.trials ||
                found.stderr_of_saved <= found.saved * kSureOfDifference);
    const Campaign all = run_campaign(job(), remedy.spec);
    const double saved =
        (base.time[CampaignPart::Useful] * (1 / base.ettr.mean - 1 / all.ettr.mean)).value;
    EXPECT_NEAR(found.saved.value, saved, 4 * found.stderr_of_saved.value);
  }
}

// A failure every eight hours, on the hour: all runs are alike, and the first ones tell intervals
// apart.
TEST(CampaignStudy, AsManyRunsAreTriedAsTellIntervalsApart) {
  FaultsPlan regular = plan();
  regular.spec.trials = 2000;
  regular.spec.causes[CauseId{0}].arrivals.kind = Arrivals::Kind::Periodic;
  const CampaignStudy result = study(job(), regular);
  ASSERT_TRUE(result.interval);
  EXPECT_FALSE(result.interval->curve.empty());
  EXPECT_EQ(result.interval->trials, kFirstTrials);
}

// Where nothing differs in the runs that were met, it may yet in others: a failure in a thousand
// days hits one run of ten days in a hundred.
TEST(CampaignStudy, NoDifferenceYetIsNotEnough) {
  FaultsPlan rare = plan();
  rare.spec.trials = 1000;
  rare.spec.causes = {random_cause(1000 * 24 * kHour)};
  rare.spec.tiers.clear();
  rare.spec.seed = 3;
  const CampaignStudy result = study(job(), rare);
  EXPECT_EQ(row(result, "no failures").trials, 1000);
  EXPECT_GT(row(result, "no failures").saved, 0_s);
}

// The first blocks are those of a campaign of so many trials, to the last bit.
TEST(CampaignStudy, TrialsStopWhenTheyAreEnough) {
  FaultsSpec spec = plan().spec;
  spec.trials = 1000;
  std::vector<int> asked;
  const Campaign found = run_campaign(job(), spec, 2, [&](const Campaign& so_far) {
    asked.push_back(so_far.trials);
    return so_far.trials >= 800;
  });
  EXPECT_EQ(asked, (std::vector{200, 400, 800}));
  spec.trials = 800;
  const Campaign expected = run_campaign(job(), spec);
  EXPECT_EQ(found.wall.mean, expected.wall.mean);
  EXPECT_EQ(found.ettr.stderr_of_mean, expected.ettr.stderr_of_mean);
}

// Useful over all time of all trials, and its error as a ratio's: against the spread of that ratio
// over forty seeds.
TEST(CampaignStudy, TheErrorOfEttrIsThatOfTheRatio) {
  FaultsSpec spec = plan().spec;
  spec.trials = 25;
  const CampaignJob days{.step = 10_s, .horizon = Seconds{2 * 24 * kHour}};
  std::vector<double> ratios;
  double claimed = 0;
  for (int seed = 1; seed <= 40; ++seed) {
    spec.seed = static_cast<std::uint64_t>(seed);
    const Campaign campaign = run_campaign(days, spec);
    ratios.push_back(campaign.ettr.mean);
    claimed += campaign.ettr.stderr_of_mean / 40;
    EXPECT_TRUE(
        near(campaign.ettr.mean, campaign.time[CampaignPart::Useful].value / campaign.wall.mean));
  }
  double mean = 0;
  for (const double ratio : ratios) {
    mean += ratio / 40;
  }
  double squares = 0;
  for (const double ratio : ratios) {
    squares += (ratio - mean) * (ratio - mean);
  }
  const double spread = std::sqrt(squares / 39);
  EXPECT_NEAR(spread / claimed, 1, 4 / std::sqrt(2 * 39.0));
}

// What `auto` makes of replica recovery: nothing rolls back but what takes every replica.
TEST(CampaignStudy, ReplicasThatGoOnNeedNoCheckpoint) {
  FaultsSpec spec = plan().spec;
  spec.causes[CauseId{0}].nodes = 1;
  spec.tiers[TierId{0}].interval = Interval::Auto;
  CampaignJob replicas = job();
  replicas.nodes = 4;
  replicas.replicas = 4;
  EXPECT_EQ(with_intervals(replicas, spec).tiers[TierId{0}].interval, Interval::Time);
  spec.recovery.kind = RecoverySpec::Kind::Replica;
  EXPECT_EQ(with_intervals(replicas, spec).tiers[TierId{0}].interval, Interval::Never);
  spec.causes[CauseId{0}].nodes = 4;
  EXPECT_EQ(with_intervals(replicas, spec).tiers[TierId{0}].interval, Interval::Time);
}

// ---- how long a study will take

double happenings_of(const CampaignJob& job, const FaultsSpec& spec) {
  double sum = 0;
  for (int trial = 0; trial < spec.trials; ++trial) {
    sum += run_trial(job, spec, trial).happenings;
  }
  return sum / spec.trials;
}

TEST(ExpectedHappenings, OfAShortRunAreThoseOfTheFirst) {
  const FaultsSpec spec = plan().spec;
  EXPECT_EQ(expected_happenings(job(), spec), run_trial(job(), spec, 0).happenings);
  EXPECT_TRUE(near(expected_happenings(job(), spec), happenings_of(job(), spec), 0.3));
}

TEST(ExpectedHappenings, OfALongRunGoOnAsTheyBegin) {
  // A crash an hour for 40,000 days: 960,000 of them, each with a rollback, a restart and the
  // training that follows. A quarter of it is played and counted.
  FaultsPlan often = plan();
  often.spec.causes = {random_cause(kHour)};
  often.spec.trials = 1;
  CampaignJob longer = job();
  longer.steps = 1e12;
  longer.horizon = Seconds{1e4 * 24 * kHour};
  const double quarter = happenings_of(longer, often.spec);
  EXPECT_GT(quarter, 2e5);  // more than are looked at
  EXPECT_TRUE(near(expected_happenings(longer, often.spec), quarter, 0.1));
  longer.horizon = longer.horizon * 4;
  EXPECT_TRUE(near(expected_happenings(longer, often.spec), 4 * quarter, 0.1));
}

TEST(ExpectedHappenings, OfARunThatIsGivenUpEndThere) {
  // A crash a second, and a restart of five minutes in which crashes go on: no end in sight, so it
  // is given up after kMostFailures.
  FaultsPlan hopeless = plan();
  hopeless.spec.causes = {random_cause(1)};
  hopeless.spec.trials = 1;
  const double played = happenings_of(job(), hopeless.spec);
  EXPECT_GT(played, kMostFailures);
  EXPECT_TRUE(near(expected_happenings(job(), hopeless.spec), played, 0.2));
}

TEST(ExpectedHappenings, OfAStudyCountEverythingThatIsPlayed) {
  FaultsPlan alone = plan();
  alone.what_if = false;
  const double once = expected_happenings(job(), alone);
  EXPECT_TRUE(near(once, 200 * expected_happenings(job(), alone.spec), 1e-12));
  alone.spec.trials = 2000;
  EXPECT_TRUE(near(expected_happenings(job(), alone), 10 * once, 1e-12));
  // A curve of nine intervals or more, and remedies: at least ten campaigns like it.
  EXPECT_GT(expected_happenings(job(), plan()), 10 * once);
  EXPECT_LT(expected_happenings(job(), plan()), 100 * once);
}

}  // namespace
}  // namespace danlu
