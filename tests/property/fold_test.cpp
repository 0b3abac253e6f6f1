// Folding plays one rank of every class instead of all. It must not be seen in any time: random
// small steps on random machines, with slow, throttling and jittering GPUs, slow, dead and flapping
// NICs and links, hurt leaf switches, and nodes of two kinds, are played folded and unfolded, and
// whatever any rank does must start and end at the same instant. The coarse fold (bound) must
// never be faster.
//
// DANLU_SEED=n repeats a failure, DANLU_CASES=n asks for more cases per shard.
#include "sim/fold/fold.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <map>
#include <random>

#include "sim/collective/algorithms.hpp"
#include "sim/fold/implied_links.hpp"
#include "sim/fold/step_patterns.hpp"
#include "sim/report/activity.hpp"
#include "sim/report/report.hpp"
#include "sim/tasks/plan_step.hpp"
#include "tests/support/play.hpp"
#include "tests/support/random_steps.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::Case;
using testing::Dice;
using testing::from_environment;
using testing::mixed_case;
using testing::other_kind_case;
using testing::random_case;
using testing::run_in_child;

/// What one rank does, in order: starts and ends of the activities of one name, microbatch and
/// role.
using Times = std::vector<std::pair<double, double>>;
using RankTimes = std::map<std::string, Times>;

struct Played {
  double step = 0;
  TimePartition breakdown;
  double communication = 0;  // on the critical path
  IdVector<RankClassId, RankTimes> rank_classes;
  IdVector<RankId, RankClassId> class_of_rank;
  bool exact = true;

  const RankTimes& rank(RankId id) const { return rank_classes[class_of_rank[id]]; }
};

/// In order and each once: two messages of a rank that fold into one, what it sends and what it
/// receives at the same time, count as one whether folded or not.
void sort_out(Times& times) {
  std::sort(times.begin(), times.end());
  const auto same = [](const auto& a, const auto& b) {
    return testing::is_near(a.first, b.first) && testing::is_near(a.second, b.second);
  };
  times.erase(std::unique(times.begin(), times.end(), same), times.end());
}

/// A collective is one from its first part to its last, whatever it is played as.
void join_parts(Times& times) {
  Times joined;
  for (const auto& [start, finish] : times) {
    if (!joined.empty() &&
        (start <= joined.back().second || testing::is_near(start, joined.back().second))) {
      joined.back().second = std::max(joined.back().second, finish);
    } else {
      joined.emplace_back(start, finish);
    }
  }
  times = std::move(joined);
}

IdVector<RankClassId, RankTimes> times_of_ranks(const StepPlan& plan, const Timeline& timeline) {
  IdVector<RankClassId, RankTimes> rank_classes(plan.fold.rank_classes.size());
  ActivityReader reader(plan.graph, timeline);
  for (const TaskId task : plan.graph.tasks.ids()) {
    const std::span<const RankClassId> participants = plan.graph.participants.of(task);
    reader.expand(task, [&](const Activity& activity) {
      const bool transfer =
          activity.communication &&
          plan.fold.groups[plan.graph.communications[*activity.communication].group_class]
              .sort.is_transfer();
      for (std::size_t at = 0; at < participants.size(); ++at) {
        Times& times = rank_classes[participants[at]]
                                   [fmt::format("{} of microbatch {}, {}", activity.name,
                                                activity.action ? activity.action->microbatch : -1,
                                                activity.compute != nullptr ? "compute"
                                                : !transfer                 ? "collective"
                                                : at == 0                   ? "sent"
                                                                            : "received")];
        times.emplace_back(activity.interval.start.value, activity.interval.finish.value);
      }
    });
  }
  for (RankTimes& ranks : rank_classes) {
    for (auto& [name, times] : ranks) {
      sort_out(times);
      if (name.ends_with("collective")) {
        join_parts(times);
      }
    }
  }
  return rank_classes;
}

Played play_step(const Case& drawn, FoldMode mode) {
  Case copy = drawn;
  copy.workload.fold = mode;
  const Cluster cluster = build_cluster(copy.cluster);
  const StepPlan plan = plan_step(copy.workload, cluster);
  const Timeline timeline = testing::play(plan.graph);
  const Report report = measure("", copy.workload, cluster, plan, timeline);
  const CriticalPath& path = report.critical_path;
  EXPECT_TRUE(testing::near((path.compute.total() + path.communication).value, timeline.end.value))
      << "the critical path is " << path.compute.total().value << " s of compute and "
      << path.communication.value << " s of communication";
  return {timeline.end.value,       report.step.breakdown,
          path.communication.value, times_of_ranks(plan, timeline),
          plan.fold.class_of_rank,  plan.fold.exact};
}

/// Cases are checked in shards, which CTest runs side by side; a shard's seeds follow its number.
class RandomSteps : public ::testing::TestWithParam<int> {
 protected:
  template <typename Check>
  void for_cases(const Check& holds, Case (*draw)(std::uint64_t) = random_case) const {
    const std::uint64_t cases = from_environment("DANLU_CASES", 25);
    const std::uint64_t own = 1 + static_cast<std::uint64_t>(GetParam()) * cases;
    const std::uint64_t seed = from_environment("DANLU_SEED", own);
    fmt::print("seeds {} to {}\n", seed, seed + cases - 1);
    for (std::uint64_t i = 0; i < cases; ++i) {
      const Case drawn = draw(seed + i);
      SCOPED_TRACE(fmt::format("DANLU_SEED={} DANLU_CASES=1: {}", seed + i, describe(drawn)));
      if (std::getenv("DANLU_SEED") != nullptr) {
        fmt::print("{}\n", describe(drawn));  // a crash leaves no trace
        std::fflush(stdout);
      }
      ASSERT_TRUE(problems(drawn.workload, drawn.cluster.gpus, drawn.cluster.gpu).empty());
      ASSERT_NO_FATAL_FAILURE(holds(drawn));
    }
  }
};

void expect_equal(const Played& folded, const Played& truth) {
  ASSERT_TRUE(testing::near(folded.step, truth.step));
  EXPECT_NEAR(folded.communication, truth.communication, 1e-9 * truth.step);
  for (const auto& [part, name] : kNames<TimePart>) {
    EXPECT_NEAR(folded.breakdown[part].value, truth.breakdown[part].value, 1e-9 * truth.step)
        << name;
  }
  for (const RankId r : truth.class_of_rank.ids()) {
    const RankTimes& mine = folded.rank(r);
    ASSERT_EQ(mine.size(), truth.rank(r).size()) << "rank " << index(r);
    for (const auto& [name, times] : truth.rank(r)) {
      const auto found = mine.find(name);
      ASSERT_TRUE(found != mine.end()) << "rank " << index(r) << " has no " << name;
      ASSERT_EQ(found->second.size(), times.size()) << "rank " << index(r) << ": " << name;
      for (std::size_t i = 0; i < times.size(); ++i) {
        ASSERT_TRUE(testing::near(found->second[i].first, times[i].first))
            << "rank " << index(r) << ": start of " << name << ", time " << i;
        ASSERT_TRUE(testing::near(found->second[i].second, times[i].second))
            << "rank " << index(r) << ": end of " << name << ", time " << i;
      }
    }
  }
}

/// Whether the case folds into fewer classes than it has ranks.
bool check_folds(const Case& drawn) {
  const Played truth = play_step(drawn, FoldMode::Off);
  const Played folded = play_step(drawn, FoldMode::Exact);
  expect_equal(folded, truth);
  const bool folds = folded.rank_classes.size() < truth.rank_classes.size();
  const DegradedSpec& degraded = drawn.cluster.degraded;
  if (drawn.workload.collectives == CollectiveMode::Stepwise || !degraded.flaps.empty() ||
      degraded.jitter.spread > 0) {
    return folds;  // which the coarse fold does not know
  }
  const Played bound = play_step(drawn, FoldMode::Bound);
  constexpr double kRounding = 1e-9;
  if (bound.step < truth.step * (1 - kRounding)) {  // what collectives take has no bound
    Case without = drawn;
    without.cluster.topology.collective_blocks = 0;
    EXPECT_GE(play_step(without, FoldMode::Bound).step,
              play_step(without, FoldMode::Off).step * (1 - kRounding));
  }
  if (bound.exact) {
    EXPECT_TRUE(testing::near(bound.step, truth.step));
  }
  return folds;
}

TEST_P(RandomSteps, FoldedAndUnfoldedAreEqualInEveryTaskAndTheBoundIsNotBelow) {
  int cases_with_folds = 0;
  for_cases([&](const Case& drawn) { cases_with_folds += check_folds(drawn) ? 1 : 0; });
  // They mean something only if there was something to fold.
  EXPECT_GE(cases_with_folds, std::getenv("DANLU_CASES") == nullptr ? 5 : 0);
}

using MixedSteps = RandomSteps;

TEST_P(MixedSteps, FoldedAndUnfoldedAreEqualInEveryTaskAndTheBoundIsNotBelow) {
  int cases_with_folds = 0;
  for_cases([&](const Case& drawn) { cases_with_folds += check_folds(drawn) ? 1 : 0; }, mixed_case);
  EXPECT_GE(cases_with_folds, std::getenv("DANLU_CASES") == nullptr ? 1 : 0);
}
INSTANTIATE_TEST_SUITE_P(Seeds, MixedSteps, ::testing::Range(0, 12));

using StepsOfOtherKinds = RandomSteps;
TEST_P(StepsOfOtherKinds, FoldedAndUnfoldedAreEqualInEveryTaskAndTheBoundIsNotBelow) {
  std::map<std::string, int> cases;
  for_cases(
      [&](const Case& drawn) {
        const ModelSpec& m = drawn.workload.model;
        const std::string kind =
            m.prediction_layers > 0 ? "prediction" : std::string(name_of(m.kind));
        SCOPED_TRACE(kind);
        ++cases[kind];
        check_folds(drawn);
      },
      other_kind_case);
  EXPECT_GE(cases.size(), std::getenv("DANLU_CASES") == nullptr ? 2U : 1U);
}
INSTANTIATE_TEST_SUITE_P(Seeds, StepsOfOtherKinds, ::testing::Range(0, 3));

/// Max-min rates by progressive filling: all active patterns' rates grow alike; those on a link
/// that gets full stay as they are.
IdVector<PatternId, double> max_min_rates(const StepPatterns& step, const Cluster& cluster,
                                          const IdVector<PatternId, bool>& active, bool flapping) {
  IdVector<PatternId, double> rates(step.keys.size(), 0);
  IdVector<PatternId, bool> grows = active;
  IdVector<LoadedLinkId, double> room;
  for (const LinkId link : step.links) {
    const std::vector<Flap> flaps = cluster.flaps_of(link);
    const double share = flapping && !flaps.empty() ? flaps.front().share : 1;
    room.push_back(share * cluster.topology.link(link).bandwidth.value);
  }
  while (std::count(grows.begin(), grows.end(), true) > 0) {
    IdVector<LoadedLinkId, double> weight(room.size(), 0);
    for (const PatternId i : step.patterns()) {
      for (const Load& load : step.loads.of(i)) {
        weight[load.link] += grows[i] ? load.weight : 0;
      }
    }
    double growth = std::numeric_limits<double>::infinity();
    for (const LoadedLinkId l : room.ids()) {
      growth = weight[l] > 0 ? std::min(growth, room[l] / weight[l]) : growth;
    }
    IdVector<LoadedLinkId, bool> full(room.size());
    for (const LoadedLinkId l : room.ids()) {
      const double before = room[l];
      room[l] -= growth * weight[l];
      full[l] = weight[l] > 0 && room[l] <= before * 1e-12;
    }
    for (const PatternId i : step.patterns()) {
      rates[i] += grows[i] ? growth : 0;
    }
    for (const PatternId i : step.patterns()) {
      for (const Load& load : step.loads.of(i)) {
        grows[i] = grows[i] && !full[load.link];
      }
    }
  }
  return rates;
}

// Whichever classes of patterns run, dropping the links that the others imply changes no rate.
TEST_P(RandomSteps, ImpliedLinksLimitNobody) {
  std::size_t dropped_links = 0;
  for_cases([&](const Case& drawn) {
    const Cluster cluster = build_cluster(drawn.cluster);
    const Mesh mesh = drawn.workload.parallelism.mesh();
    const StepPatterns all =
        step_patterns(drawn.workload, make_step_program(drawn.workload), cluster, mesh);
    Dice dice(static_cast<std::uint64_t>(drawn.cluster.gpus));
    IdVector<RankId, RankClassId> ranks(static_cast<std::size_t>(mesh.world_size()));
    if (dice.coin()) {
      ranks = all_different<RankClassId>(ranks.ids());
    }
    const Colours classes = refine(all, cluster, ranks);
    const IdVector<LoadedLinkId, bool> dropped = implied_links(all, cluster, classes);
    dropped_links += static_cast<std::size_t>(std::count(dropped.begin(), dropped.end(), true));
    const StepPatterns rest = without_links(all, dropped);
    for (int draw = 0; draw < 5; ++draw) {
      IdVector<PatternClassId, bool> runs(count_colours(classes.patterns));
      for (const PatternClassId i : runs.ids()) {
        runs[i] = draw == 0 || dice.coin();
      }
      IdVector<PatternId, bool> active;
      for (const PatternClassId i : classes.patterns) {
        active.push_back(runs[i]);
      }
      const bool flapping = dice.coin();
      const IdVector<PatternId, double> truth = max_min_rates(all, cluster, active, flapping);
      const IdVector<PatternId, double> rates = max_min_rates(rest, cluster, active, flapping);
      for (const PatternId i : truth.ids()) {
        ASSERT_TRUE(testing::near(rates[i], truth[i]))
            << "pattern " << index(i) << ", draw " << draw;
      }
    }
  });
  EXPECT_GT(dropped_links, std::getenv("DANLU_CASES") == nullptr ? 100U : 0U);
}
INSTANTIATE_TEST_SUITE_P(Seeds, RandomSteps, ::testing::Range(0, 8));

}  // namespace
}  // namespace danlu
