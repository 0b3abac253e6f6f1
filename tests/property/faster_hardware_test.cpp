// Faster hardware makes no step slower: of random small steps on random machines each rate among
// the resources (sim/workload/resources.hpp) is doubled by itself. A step may only become slower
//
//   where another algorithm or protocol was chosen, which its report names: NCCL chooses by an
//   estimate of its own, with bounds that faster links do not move;
//   where communications share links, by a little: what is ready earlier may meet another flow that
//   it would have missed, and hold up a third. By closed forms nothing shares, and none is slower,
//   if collectives take nothing from compute: over faster links NCCL gives them more thread blocks.
//
// All of them together halve a step that NCCL has no constants in: nothing that takes time is
// forgotten among the resources.
//
// DANLU_SEED=n repeats a failure, DANLU_CASES=n asks for more cases per shard.
#include <fmt/format.h>

#include <set>
#include <tuple>

#include "sim/tasks/plan_step.hpp"
#include "sim/workload/resources.hpp"
#include "tests/support/play.hpp"
#include "tests/support/random_steps.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::Case;
using testing::from_environment;

/// How long a step takes, and by what its collectives are carried out.
struct Outcome {
  double step = 0;
  // By axis, operation, ranks and bytes; groups that sit differently may choose differently.
  std::set<std::tuple<int, int, int, double, Algorithm, Protocol>> choices;
};
Outcome outcome_of(const Case& drawn) {
  const StepPlan plan = plan_step(drawn.workload, build_cluster(drawn.cluster));
  Outcome outcome{testing::play(plan.graph).end.value, {}};
  for (const Communication& info : plan.graph.communications) {
    outcome.choices.insert({static_cast<int>(info.axis), static_cast<int>(info.op), info.group_size,
                            info.bytes_per_rank.value, info.choice.algorithm,
                            info.choice.protocol});
  }
  return outcome;
}

class RandomHardware : public ::testing::TestWithParam<int> {
 protected:
  /// Doubles everything in turn; a step that becomes slower by more than `tolerance` fails.
  void expect_not_slower(std::uint64_t first_seed, bool formula, double tolerance) const {
    const std::uint64_t cases = from_environment("DANLU_CASES", 15);
    const std::uint64_t own = first_seed + static_cast<std::uint64_t>(GetParam()) * cases;
    const std::uint64_t seed = from_environment("DANLU_SEED", own);
    fmt::print("seeds {} to {}\n", seed, seed + cases - 1);
    for (std::uint64_t i = 0; i < cases; ++i) {
      Case drawn = testing::random_case(seed + i);
      if (formula) {
        drawn.workload.collectives = CollectiveMode::Formula;
        drawn.cluster.degraded.flaps.clear();
        drawn.cluster.topology.collective_blocks = 0;
      }
      SCOPED_TRACE(fmt::format("DANLU_SEED={} DANLU_CASES=1: {}", seed + i, describe(drawn)));
      const Outcome before = outcome_of(drawn);
      for (const Resource& resource : resources()) {
        if (!resource.key.ends_with("_bandwidth") && resource.key != "peak_dense") {
          continue;  // latencies hardly matter, and each takes a play
        }
        Case other = drawn;
        resource.scale(other.cluster, other.workload, 2);
        const Outcome after = outcome_of(other);
        if (after.choices == before.choices) {
          EXPECT_LE(after.step, before.step * (1 + tolerance)) << resource.name;
        }
      }
    }
  }

  void expect_halves() const {
    const std::uint64_t cases = from_environment("DANLU_CASES", 25);
    const std::uint64_t own = 7001 + static_cast<std::uint64_t>(GetParam()) * cases;
    const std::uint64_t seed = from_environment("DANLU_SEED", own);
    fmt::print("seeds {} to {}\n", seed, seed + cases - 1);
    for (std::uint64_t i = 0; i < cases; ++i) {
      Case drawn = testing::random_case(seed + i);
      drawn.cluster.topology.nccl_tuning = false;
      for (NodeKind& kind : drawn.cluster.others) {
        kind.topology.nccl_tuning = false;
      }
      drawn.workload.communication = {};     // algorithms whose steps take what NCCL says they do
      drawn.cluster.degraded.flaps.clear();  // these come at a time of their own
      drawn.cluster.degraded.throttle.clear();
      SCOPED_TRACE(fmt::format("DANLU_SEED={} DANLU_CASES=1: {}", seed + i, describe(drawn)));
      Case twice = drawn;
      scale_all(twice.cluster, twice.workload, 2);
      EXPECT_TRUE(testing::near(2 * outcome_of(twice).step, outcome_of(drawn).step));
    }
  }
};

TEST_P(RandomHardware, AllTwiceAsFastTakesHalfTheTime) {
  expect_halves();
}

TEST_P(RandomHardware, TwiceAsFastIsNotSlowerByClosedForms) {
  expect_not_slower(5001, true, 1e-9);
}

TEST_P(RandomHardware, TwiceAsFastIsHardlySlowerWhereLinksAreShared) {
  expect_not_slower(6001, false, 0.02);
}

INSTANTIATE_TEST_SUITE_P(Shards, RandomHardware, ::testing::Range(0, 8));

}  // namespace
}  // namespace danlu
