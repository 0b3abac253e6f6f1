// A step whose rounds repeat is played in part, and the rest counted (sim/tasks/rounds.hpp). That
// must not be seen in any figure: random steps of many microbatches are planned and played whole
// and counted, and whatever their reports say is the same to 1e-9.
//
// DANLU_SEED=n repeats a failure, DANLU_CASES=n asks for more cases per shard.
#include "sim/tasks/rounds.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <array>
#include <nlohmann/json.hpp>

#include "sim/engine/max_min.hpp"
#include "sim/report/report.hpp"
#include "sim/report/trace.hpp"
#include "sim/report/writers.hpp"
#include "sim/session/plays.hpp"
#include "sim/session/simulate.hpp"
#include "tests/support/many_cases.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::Case;
using testing::with_many_microbatches;
using Json = nlohmann::json;

/// Every figure of the report by its place, but for how it was simulated, for notes, in which one
/// of several equally full links is named, and for the critical path, which is one of several
/// equally long ones.
Json figures_of(const Report& report) {
  Json json = Json::parse(write_json(std::array{document_of(report)}, false));
  json.erase("simulation");
  json.erase("notes");
  json.erase("critical_path");
  return json.flatten();
}

double length_of(const CriticalPath& path) {
  return (path.compute.total() + path.communication).value;
}

/// Numbers to 1e-9 of themselves, or of the step where they are times.
void expect_same(const Json& found, const Json& whole, double step) {
  for (const auto& [place, value] : found.items()) {
    EXPECT_TRUE(whole.contains(place)) << place << " = " << value;
  }
  for (const auto& [place, value] : whole.items()) {
    ASSERT_TRUE(found.contains(place)) << place;
    if (value.is_number()) {
      const double expected = value.get<double>();
      EXPECT_NEAR(found[place].get<double>(), expected, 1e-9 * (std::abs(expected) + step))
          << place;
    } else {
      EXPECT_EQ(found[place], value) << place;
    }
  }
}

/// Whether rounding alone ends the rounds of a step that was played whole: where two groups that
/// share a link are in step with each other, and would not come back to it once one is ahead, a
/// last digit grows from round to round until it is seen. Rounds that were alike are alike for ever
/// in exact arithmetic, which is how they are counted.
bool tips_by_rounding(const StepPlan& plan, const CountedRounds& rounds, const StepPlan& all,
                      const Timeline& whole) {
  double early = 0;  // furthest that a copy is from where it should be, in periods
  double late = 0;
  for (std::size_t number = 0; number < plan.strands.size(); ++number) {
    const CountedRounds::Strand& strand = rounds.strands[number];
    const std::size_t length = index(strand.last) - index(strand.first);
    const std::size_t first = index(strand.first) + index(all.strands[number].begins.front()) -
                              index(plan.strands[number].begins.front());
    const double period = rounds.paces[strand.group].period.value;
    for (std::size_t at = first; at < first + length; ++at) {
      for (int copy = 0; copy <= rounds.more; ++copy) {
        const auto task = make_id<TaskId>(at + static_cast<std::size_t>(copy) * length);
        const double apart = (whole.start[task] - whole.start[make_id<TaskId>(at)]).value;
        double& most = copy <= 8 ? early : late;
        most = std::max(most, std::abs(apart / period - copy));
      }
    }
  }
  return early < 1e-11 && late > 1e-6;
}

constexpr std::size_t kMostTasks = 5000;  // of what is played; a whole step has many times as many

class Rounds : public ::testing::TestWithParam<int> {};

TEST_P(Rounds, ThatAreCountedAreThoseThatWouldBePlayed) {
  int tried = 0;
  int counted = 0;
  int tipped = 0;
  testing::for_each_case(
      {.first = 5001, .cases = 60}, GetParam(), [&](const Case& of_any, std::uint64_t seed) {
        if (HasFailure()) {
          return;
        }
        const Case drawn = with_many_microbatches(of_any, seed);
        const Cluster cluster = build_cluster(drawn.cluster);
        const std::optional<FewerRounds> fewer = fewer_rounds(drawn.workload, cluster);
        if (!fewer) {
          return;
        }
        StepPlan plan = plan_step(fewer->workload, cluster);
        if (plan.graph.tasks.size() > kMostTasks) {
          return;
        }
        ++tried;
        Timeline timeline = play_max_min(plan.graph).value();
        const auto play_again = [](const StepPlan& changed) { return play_max_min(changed.graph); };
        if (!count_rounds(plan, *fewer, timeline, play_again)) {
          return;
        }
        ++counted;
        const StepPlan all = plan_step(drawn.workload, cluster);
        const Timeline whole = play_max_min(all.graph).value();
        const double step = whole.end.value;
        if (tips_by_rounding(plan, timeline.rounds, all, whole)) {
          ++tipped;
          return;
        }
        ASSERT_NEAR(timeline.end.value / step, 1, 1e-10);
        const Report found = measure("step", drawn.workload, cluster, plan, timeline);
        const Report expected = measure("step", drawn.workload, cluster, all, whole);
        expect_same(figures_of(found), figures_of(expected), step);
        EXPECT_NEAR(length_of(found.critical_path), length_of(expected.critical_path), 1e-9 * step);
      });
  fmt::print("{} steps whose rounds repeat, of {}; {} but for rounding\n", counted, tried, tipped);
  EXPECT_LE(tipped, 1 + counted / 20);
  EXPECT_GE(counted, std::getenv("DANLU_SEED") == nullptr ? 1 : 0);
}
INSTANTIATE_TEST_SUITE_P(Seeds, Rounds, ::testing::Range(0, 4));

/// Its stages are unequal, so that no round is a copy of another.
TEST(Rounds, AreAllPlayedWhereTheyDoNotRepeat) {
  const Scenario scenario = testing::shipped("faults/bloom-176b.yaml");
  const Cluster cluster = build_cluster(scenario.cluster);
  const std::optional<FewerRounds> fewer = fewer_rounds(scenario.workload, cluster);
  ASSERT_TRUE(fewer);
  EXPECT_LT(fewer->workload.microbatches(), scenario.workload.microbatches());
  SessionOptions all;
  all.count_rounds = false;
  EXPECT_EQ(play_steps({&scenario, 1}, &cluster, {})[0],
            play_steps({&scenario, 1}, &cluster, all)[0]);
}

/// Played by SimGrid: the report is of the whole step, and a trace of what was played is refused.
TEST(Rounds, AreOfTheWholeStepInTheReport) {
  const Scenario scenario = testing::shipped("gpt3-175b-a100.yaml");
  SessionOptions all;
  all.count_rounds = false;
  const Simulation whole = simulate(scenario, all);
  const Simulation counted = simulate(scenario);
  EXPECT_EQ(whole.report.simulation.rounds_counted, 0U);
  EXPECT_EQ(counted.report.simulation.rounds_counted, 84U);  // of 96 microbatches, 8 + 4 are played
  EXPECT_EQ(counted.report.simulation.round_microbatches, 1);
  EXPECT_NEAR(counted.report.step.time / whole.report.step.time, 1, 1e-12);
  EXPECT_NEAR(counted.report.step.mfu / whole.report.step.mfu, 1, 1e-12);
  EXPECT_THROW(write_trace(counted.plan, counted.timeline, whole_step(counted.plan),
                           [](std::string_view) {}),
               InternalError);
}

}  // namespace
}  // namespace danlu
