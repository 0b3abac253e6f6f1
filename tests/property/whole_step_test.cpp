// What a whole step takes at least by its first microbatches (sim/session/whole_step.hpp) is never
// more than it takes: random steps of many microbatches are played in part and whole. And a
// step that is wanted by its own end is not given up.
//
// DANLU_SEED=n repeats a failure, DANLU_CASES=n asks for more cases per shard.
#include "sim/session/whole_step.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "sim/engine/max_min.hpp"
#include "sim/session/evaluate.hpp"
#include "sim/tasks/rounds.hpp"
#include "tests/support/many_cases.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::Case;

constexpr std::size_t kMostTasks = 5000;  // of what is played; a whole step has many times as many

class WholeStep : public ::testing::TestWithParam<int> {};

TEST_P(WholeStep, TakesNoLessThanItsFirstMicrobatchesSay) {
  int tried = 0;
  int tight = 0;
  testing::for_each_case(
      {.first = 8001, .cases = 20}, GetParam(), [&](const Case& one, std::uint64_t seed) {
        const Case drawn = testing::with_many_microbatches(one, seed);
        const Workload& whole = drawn.workload;
        const Cluster cluster = build_cluster(drawn.cluster);
        const std::optional<FewerRounds> fewer = fewer_rounds(whole, cluster);
        if (!fewer) {
          return;
        }
        for (const Disturbed disturbed : {Disturbed::Open, Disturbed::BySegment}) {
          const StepPlan plan = plan_step(fewer->workload, cluster, {}, disturbed);
          if (plan.graph.tasks.size() > kMostTasks) {
            continue;
          }
          const Timeline few = play_max_min(plan.graph).value();
          const Seconds least = least_of_whole(whole, fewer->workload, plan, few).least;
          const Seconds step =
              play_max_min(plan_step(whole, cluster, {}, disturbed).graph).value().end;
          EXPECT_LE(least.value, step.value * (1 + 1e-9));
          EXPECT_NE(Evaluator(cluster).evaluate({&whole, 1}, (1 + 1e-6) * step).front().outcome,
                    Evaluation::Outcome::GivenUp);
          ++tried;
          tight += least > 0.9 * step ? 1 : 0;
        }
      });
  fmt::print("{} of {} steps known to 10 %\n", tight, tried);
  // Of nothing the rest would hold, too.
  EXPECT_GT(tight, std::getenv("DANLU_SEED") == nullptr ? tried / 20 : -1);
}
INSTANTIATE_TEST_SUITE_P(Seeds, WholeStep, ::testing::Range(0, 4));

}  // namespace
}  // namespace danlu
