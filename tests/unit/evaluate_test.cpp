// Plans that are evaluated: the same answers on any number of threads, and why there is none.
#include "sim/session/evaluate.hpp"

#include <gtest/gtest.h>

#include "tests/support/random_steps.hpp"

namespace danlu {
namespace {

using Outcome = Evaluation::Outcome;

/// One machine, and plans of several microbatches on it.
struct Plans {
  testing::Case drawn = testing::random_case(3);
  Cluster cluster = build_cluster(drawn.cluster);
  std::vector<Workload> plans;

  Plans() {
    for (int times = 1; times <= 8; ++times) {
      plans.push_back(drawn.workload);
      plans.back().training.global_batch *= times;
    }
  }
};

TEST(Evaluate, AnswersAlikeOnAnyNumberOfThreads) {
  const Plans all;
  const auto one = Evaluator(all.cluster, {.threads = 1}).evaluate(all.plans);
  const auto three = Evaluator(all.cluster, {.threads = 3}).evaluate(all.plans);
  for (std::size_t i = 0; i < one.size(); ++i) {
    EXPECT_EQ(one[i].outcome, Outcome::Ended) << one[i].why;
    EXPECT_EQ(one[i].step, three[i].step);
    EXPECT_GT(one[i].step, i > 0 ? one[i - 1].step : Seconds{});
  }
}

TEST(Evaluate, GivesUpWhatTakesLongerThanTheBound) {
  const Plans all;
  Evaluator evaluator(all.cluster);
  const Seconds fourth = evaluator.evaluate(all.plans)[3].step;
  const auto found = evaluator.evaluate(all.plans, fourth);
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].outcome, i <= 3 ? Outcome::Ended : Outcome::GivenUp);
  }
}

TEST(Evaluate, SaysThatAPlanIsTooLarge) {
  const Plans all;
  const auto found = Evaluator(all.cluster, {.most_parts = 3}).evaluate(all.plans);
  EXPECT_EQ(found.front().outcome, Outcome::TooLarge);
  EXPECT_NE(found.front().why.find("tasks"), std::string::npos);
}

}  // namespace
}  // namespace danlu
