// Passes of ranks that are not equally fast, or whose kernels jitter, are joint runs, played by
// hand (sim/program/play.hpp), where nobody else is on the links of their exchanges. That must not
// be seen in any time: random small steps on random machines are planned with joint runs and
// segment by segment, and whatever any rank does starts and ends at the same instant, to 1e-11 of
// the step (the reader rounds what lanes come with to 1e-12 s). The step itself ends at the same
// time to 1e-12.
//
// DANLU_SEED=n repeats a failure, DANLU_CASES=n asks for more cases per shard.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "sim/engine/max_min.hpp"
#include "sim/report/report.hpp"
#include "sim/tasks/plan_step.hpp"
#include "tests/support/many_cases.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::Case;

/// Starts and ends by class of ranks, name, microbatch; a collective is one from its first part to
/// its last.
using Times = std::map<std::string, std::vector<std::pair<double, double>>>;

Times times_of(const StepPlan& plan, const Timeline& timeline) {
  Times all;
  ActivityReader reader(plan.graph, timeline);
  for (const TaskId task : plan.graph.tasks.ids()) {
    reader.expand(task, [&](const Activity& activity) {
      for (const RankClassId ranks : plan.graph.participants.of(task)) {
        auto& times = all[fmt::format("{} of microbatch {} on {}{}", activity.name,
                                      activity.action ? activity.action->microbatch : -1,
                                      index(ranks), activity.compute == nullptr ? ", sent" : "")];
        if (activity.is_first || times.empty()) {
          times.emplace_back(activity.interval.start.value, activity.interval.finish.value);
        } else {
          times.back().second = std::max(times.back().second, activity.interval.finish.value);
        }
      }
    });
  }
  for (auto& [name, times] : all) {
    std::sort(times.begin(), times.end());
  }
  return all;
}

void expect_equal(const Times& found, const Times& expected, double step) {
  ASSERT_EQ(found.size(), expected.size());
  for (const auto& [name, times] : expected) {
    ASSERT_TRUE(found.contains(name)) << name;
    const auto& own = found.at(name);
    ASSERT_EQ(own.size(), times.size()) << name;
    for (std::size_t i = 0; i < times.size(); ++i) {
      ASSERT_NEAR(own[i].first, times[i].first, 1e-11 * (1 + step)) << "start of " << name;
      ASSERT_NEAR(own[i].second, times[i].second, 1e-11 * (1 + step)) << "end of " << name;
    }
  }
}

Seconds exposed(const Report& report) {
  Seconds sum;
  for (const auto& [axis, part] : kExposedParts) {
    sum += report.step.breakdown[part];
  }
  return sum;
}

/// Every second of both reports has the same name; but while two communications are exposed, one of
/// a pass and one of others, a run is named by its own and segments by what comes first in the
/// report.
void expect_equal(const Report& found, const Report& expected) {
  const double rounding = 1e-10 * (1 + expected.step.time.value);
  EXPECT_NEAR(exposed(found).value, exposed(expected).value, rounding);
  for (const TimePart part : found.step.breakdown.parts.ids()) {
    if (std::none_of(kExposedParts.begin(), kExposedParts.end(),
                     [&](const auto& one) { return one.second == part; })) {
      EXPECT_NEAR(found.step.breakdown[part].value, expected.step.breakdown[part].value, rounding)
          << name_of(part);
    }
  }
  EXPECT_NEAR(found.critical_path.compute.total().value,
              expected.critical_path.compute.total().value, rounding);
  EXPECT_NEAR(found.critical_path.communication.value, expected.critical_path.communication.value,
              rounding);
}

/// A slow GPU or more in most steps, each by another factor, kernels that jitter in some, and
/// nothing that keeps lanes apart.
Case with_slow_gpus(Case drawn, std::uint64_t seed) {
  testing::Dice dice(seed);
  DegradedSpec& degraded = drawn.cluster.degraded;
  degraded.throttle.clear();
  degraded.flaps.clear();
  degraded.jitter = {.spread = dice.between(0, 2) == 0 ? 0.1 : 0, .seed = seed};
  for (int i = dice.between(0, 3); i > 0; --i) {
    degraded.gpus[dice.between(0, drawn.cluster.gpus - 1)] = 1 + 0.1 * dice.between(1, 9);
  }
  return drawn;
}

class JointRuns : public ::testing::TestWithParam<int> {};

TEST_P(JointRuns, DoWhatTheirSegmentsDo) {
  int joint = 0;
  testing::for_each_case(
      {.first = 3001, .cases = 40}, GetParam(), [&](const Case& of_any, std::uint64_t seed) {
        const Case drawn = with_slow_gpus(of_any, seed);
        const Cluster cluster = build_cluster(drawn.cluster);
        const StepPlan plan = plan_step(drawn.workload, cluster);
        if (plan.graph.joint_runs.empty()) {
          return;
        }
        ++joint;
        const StepPlan segments = plan_step(drawn.workload, cluster, {}, Disturbed::LanesBySegment);
        const Timeline expected = play_max_min(segments.graph).value();
        const Timeline found = play_max_min(plan.graph).value();
        const double step = expected.end.value;
        EXPECT_NEAR(found.end.value / step, 1, 1e-12);
        EXPECT_NEAR(testing::play(plan.graph).end.value, step, 2e-12 * (1 + step));
        ASSERT_NO_FATAL_FAILURE(
            expect_equal(times_of(plan, found), times_of(segments, expected), step));
        expect_equal(measure("joint", drawn.workload, cluster, plan, found),
                     measure("by segment", drawn.workload, cluster, segments, expected));
      });
  fmt::print("{} steps with joint runs\n", joint);
  EXPECT_GE(joint, std::getenv("DANLU_SEED") == nullptr ? 1 : 0);
}
INSTANTIATE_TEST_SUITE_P(Seeds, JointRuns, ::testing::Range(0, 4));

/// Two lanes, one half as fast; an exchange of 2 s between two stretches of compute:
///
///   fast   |-1-|...|-- 2 --|---- 3 ----|                 ends at 2 + 2 + 3 = 7
///   slow   |-- 2 --|-- 2 --|---------- 6 ----------|     ends at 2 + 2 + 6 = 10
TEST(JointRuns, LanesWaitForTheSlowestWhereTheyMeet) {
  Program program;
  program.segments.push_back({.name = "before"});
  program.segments.push_back(
      {.name = "sum", .is_compute = false, .axes = {Axis::Tensor}, .after = {0}});
  program.segments.push_back({.name = "after", .after = {1}});
  const SegmentCosts fast{.durations = {Seconds{1}, Seconds{2}, Seconds{3}}};
  const SegmentCosts slow{.durations = {Seconds{2}, Seconds{2}, Seconds{6}}};
  const auto ends = [&](double first, double second) {
    const std::vector<SegmentTimes> times = play_together(
        program, 0, 3,
        {{.costs = &fast, .entry = Seconds{first}}, {.costs = &slow, .entry = Seconds{second}}});
    return std::pair(times[0].total.value, times[1].total.value);
  };
  EXPECT_EQ(ends(0, 0), std::pair(7.0, 10.0));   // they meet at 2
  EXPECT_EQ(ends(5, 0), std::pair(11.0, 14.0));  // at 6, when the first one has come
  EXPECT_EQ(first_meeting(program, 0, 3), 1U);
  EXPECT_TRUE(begins_together(program, 1, 3));
  program.segments[2].after.clear();  // it no longer waits for the sum, but for its lane
  EXPECT_EQ(first_meeting(program, 0, 3), 3U);
  EXPECT_EQ(ends(5, 0), std::pair(9.0, 8.0));  // sum from 6 to 8; compute to 5 + 4 and to 8
}

}  // namespace
}  // namespace danlu
