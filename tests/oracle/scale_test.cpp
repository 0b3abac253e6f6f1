// Which numbers of GPUs are worth it.
#include <gtest/gtest.h>

#include "sim/report/scale_report.hpp"

namespace danlu {
namespace {

ScaledPlan plan_of(int gpus, double days, double usd) {
  ScaledPlan size{gpus};
  RankedPlan& plan = size.best.emplace();
  plan.report.gpus = gpus;
  plan.report.run = RunReport{};
  plan.report.run->days = days;
  plan.report.run->cost_usd = usd;
  return size;
}

// 64 cost as much as 32 and are faster; 128 are as fast as 256 and cheaper; 512 have no plan.
TEST(Scale, TheFrontIsWhatNothingBeatsInBoth) {
  ScaledPlan none{512};
  none.obstacle = "too many";
  const std::vector<ScaledPlan> sizes{plan_of(16, 9, 90),   plan_of(32, 5, 100),
                                      plan_of(64, 4, 100),  plan_of(128, 3, 120),
                                      plan_of(256, 3, 200), none};
  EXPECT_EQ(front_of(sizes), (std::vector{true, false, true, true, false, false}));
}

// A campaign counts before the run without faults, a run before the step; what has no price costs
// its GPU hours.
TEST(Scale, TotalsAreOfTheLongestThatIsKnown) {
  Report report;
  report.gpus = 10;
  report.step.time = Seconds{360};
  EXPECT_DOUBLE_EQ(totals_of(report).time.value, 360);
  EXPECT_DOUBLE_EQ(totals_of(report).cost, 1);
  report.run = RunReport{};
  report.run->days = 2;
  report.run->gpu_hours = 480;
  EXPECT_DOUBLE_EQ(totals_of(report).time.value, 2 * 86400);
  EXPECT_DOUBLE_EQ(totals_of(report).cost, 480);
  report.faults = FaultsReport{};
  report.faults->study.campaign.wall.mean = 3 * 86400;
  report.faults->gpu_hours = 720;
  EXPECT_DOUBLE_EQ(totals_of(report).time.value, 3 * 86400);
  EXPECT_DOUBLE_EQ(totals_of(report).cost, 720);
  report.faults->cost_usd = 1500;
  EXPECT_DOUBLE_EQ(totals_of(report).cost, 1500);
}

}  // namespace
}  // namespace danlu
