// A search on small random cases against every plan played: the bound of a plan is never above its
// step, the best plans are the same, and a plan is what its settings make of the scenario.
#include "sim/search/search.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "sim/program/step_program.hpp"
#include "sim/session/evaluate.hpp"
#include "sim/workload/memory.hpp"
#include "tests/support/random_steps.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {
namespace {

constexpr int kCases = 20;

/// A small model on a few GPUs, dense or a mixture of experts, and lists of what may vary.
std::string random_search(Dice& dice) {
  const bool mixture = dice.coin();
  const int gpus = dice.pick({8, 16});
  const char* topology = dice.pick<const char*>(
      {"dgx-a100", "hgx-h800", "dgx-h100", "lesson", "pcie-a10", "h100-rail-only"});
  const bool long_sequences = !mixture && dice.coin();
  std::string yaml = fmt::format("model: {{layers: 8, hidden: 1024, heads: 8, vocab: 32000{}}}\n",
                                 mixture ? ", ffn: 1024, experts: {count: 8, per_token: 2}" : "");
  yaml += fmt::format("cluster: {{topology: {}, gpus: {}}}\n", topology, gpus);
  yaml += fmt::format("parallelism: {{sequence: true, overlap: {{pipeline: {}}}}}\n", dice.coin());
  yaml += fmt::format("training: {{global_batch: {}, sequence_length: {}, recompute: {}}}\n",
                      dice.pick({16, 32}), long_sequences ? 4096 : 1024,
                      dice.pick<const char*>({"none", "selective", "full"}));
  yaml += "search:\n  parallelism:\n    tensor: [1, 2, 4]\n    pipeline: [1, 2, 4]\n";
  yaml += long_sequences ? "    context: [1, 2]\n" : "";
  yaml += mixture ? "    expert: [1, 4]\n    expert_tensor: 1\n" : "";
  yaml +=
      fmt::format("    zero: {}\n", dice.pick<const char*>({"[0, 1]", "[1, 3]", "[0, 2]", "[3]"}));
  yaml += fmt::format("    overlap: {{tensor: {}, chunks: 2, data: [false, true]{}}}\n",
                      dice.pick<const char*>({"[none, full]", "[backward, full]", "none"}),
                      mixture ? ", pair: [false, true]" : "");
  yaml += "  training:\n    micro_batch: [1, 2]\n";
  yaml += fmt::format("    recompute: {}\n",
                      dice.pick<const char*>({"[none, full]", "[none, selective]", "full",
                                              "[none, [layernorm, mlp], [mlp]]"}));
  yaml += fmt::format("    schedule: {{kind: {}, chunks: [1, 2]}}\n",
                      dice.pick<const char*>({"1f1b", "[1f1b, zb-h1]", "[1f1b, gpipe]",
                                              "[zb-v, 1f1b]", "[dualpipe, 1f1b]"}));
  return yaml;
}

/// A case, read, with what plays it.
class Case {
 public:
  explicit Case(int seed)
      : dice_(static_cast<std::uint64_t>(seed)),
        yaml_(random_search(dice_)),
        variants_(folder_.write("case.yaml", yaml_), shipped_presets()),
        space_(variants_, axes_of(variants_)),
        cluster_(build_cluster(variants_.scenario().cluster)),
        evaluator_(cluster_),
        bounds_(variants_.scenario().cluster, 0) {}

  const std::string& yaml() const { return yaml_; }
  SearchSpace& space() { return space_; }
  PlanBounds& bounds() { return bounds_; }
  /// Played to its end; none, and a failure, where it cannot be.
  std::optional<Seconds> step_of(const Workload& workload) {
    const PlayedPlan played = play()({&workload, 1}, std::nullopt).front();
    EXPECT_TRUE(played.step) << played.obstacle;
    return played.step;
  }
  PlayPlans play() {
    return [this](std::span<const Workload> workloads, std::optional<Seconds> wanted) {
      std::vector<PlayedPlan> played;
      for (const Evaluation& one : evaluator_.evaluate(workloads, wanted)) {
        const bool ended = one.outcome == Evaluation::Outcome::Ended;
        const bool slower = one.outcome == Evaluation::Outcome::GivenUp;
        played.push_back({ended ? std::optional(one.step) : std::nullopt, slower ? "" : one.why});
      }
      return played;
    };
  }

 private:
  Dice dice_;
  std::string yaml_;
  Folder folder_;
  Variants variants_;
  SearchSpace space_;
  Cluster cluster_;
  Evaluator evaluator_;
  PlanBounds bounds_;
};

class Search : public ::testing::TestWithParam<int> {};

TEST_P(Search, FindsWhatPlayingEveryPlanFinds) {
  Case one(GetParam());
  SCOPED_TRACE(fmt::format("seed {}\n{}", GetParam(), one.yaml()));
  SearchSpace& space = one.space();
  const SearchOptions options{.top = 5, .near = 0.02};
  std::vector<FoundPlan> plans = survey(space, one.bounds());
  const PlayPlans play = one.play();
  std::vector<double> steps;
  std::size_t tight = 0, tight_by_compute = 0, tight_by_way = 0;
  StepBounds own(space.variants().scenario().cluster);
  for (const FoundPlan& plan : plans) {
    if (!plan.fits()) {
      continue;
    }
    const Workload workload = space.workload(plan.plan);
    SCOPED_TRACE(options_text(space.settings(plan.plan)));
    const std::optional<Seconds> step = one.step_of(workload);
    ASSERT_TRUE(step);
    // By compute alone it is that of a plan which may overlap other things.
    const Seconds bound = own.bound(workload);
    if (plan.overlapped) {  // what loses by that plan's bound is not asked for its own
      EXPECT_LE(own.bound(space.workload(plans[*plan.overlapped].plan)).value, bound.value);
    }
    EXPECT_FALSE(plan.is_full);
    EXPECT_LE(plan.bound.value, bound.value);
    EXPECT_LE(bound.value, step->value * (1 + 1e-9));
    EXPECT_FALSE(own.takes_longer(workload, *step));
    EXPECT_TRUE(own.takes_longer(workload, 0.5 * bound));
    tight_by_way += own.takes_longer(workload, 0.9 * *step) ? 1 : 0;
    tight += bound.value > 0.8 * step->value ? 1 : 0;
    tight_by_compute += plan.bound.value > 0.5 * step->value ? 1 : 0;
    steps.push_back(step->value);
  }
  ASSERT_FALSE(steps.empty());
  EXPECT_GT(tight, 0U);  // a bound of nothing would pass the rest
  EXPECT_GT(tight_by_compute, 0U);
  EXPECT_GT(tight_by_way, 0U);
  std::sort(steps.begin(), steps.end());
  const std::vector<std::size_t> ranked =
      play_best_first(space, plans, one.bounds(), play, options);
  for (std::size_t i = 0; i < std::min(options.top, steps.size()); ++i) {
    ASSERT_LT(i, ranked.size());
    EXPECT_DOUBLE_EQ(plans[ranked[i]].played.step->value, steps[i]) << i;
  }
  const double most = steps.front() * (1 + options.near);
  const auto is_near = [&](double step) { return step <= most; };
  EXPECT_EQ(std::count_if(ranked.begin(), ranked.end(),
                          [&](std::size_t i) { return is_near(plans[i].played.step->value); }),
            std::count_if(steps.begin(), steps.end(), is_near));
}

/// By its definition: of every pair of plans whether one beats the other.
TEST_P(Search, TheFrontIsThatOfEveryPlanPlayed) {
  using Trade = std::pair<double, double>;  // step and memory
  Case one(GetParam());
  SCOPED_TRACE(fmt::format("seed {}\n{}", GetParam(), one.yaml()));
  SearchSpace& space = one.space();
  const PlayPlans play = one.play();
  const SearchOptions options{.top = 3};
  std::vector<FoundPlan> plans = survey(space, one.bounds());
  std::vector<Trade> all;
  for (const FoundPlan& plan : plans) {
    if (plan.fits()) {
      const Workload workload = space.workload(plan.plan);
      const std::optional<Seconds> step = one.step_of(workload);
      ASSERT_TRUE(step);
      EXPECT_EQ(plan.memory.value, memory_use(workload).peak().value);
      all.emplace_back(step->value, plan.memory.value);
    }
  }
  std::vector<Trade> expected;
  for (const Trade& plan : all) {
    if (std::none_of(all.begin(), all.end(), [&](const Trade& other) {
          return other != plan && other.first <= plan.first && other.second <= plan.second;
        })) {
      expected.push_back(plan);
    }
  }
  std::sort(expected.begin(), expected.end());
  expected.erase(std::unique(expected.begin(), expected.end()), expected.end());
  const auto trades = [&](const std::vector<std::size_t>& front) {
    std::vector<Trade> found;
    for (const std::size_t i : front) {
      found.emplace_back(plans[i].played.step->value, plans[i].memory.value);
    }
    return found;
  };
  // Of the best alone it is known already, as far as they go.
  const std::vector<std::size_t> ranked =
      play_best_first(space, plans, one.bounds(), play, options);
  const double last = plans[ranked[std::min(options.top, ranked.size()) - 1]].played.step->value;
  const auto up_to_last = [&](std::vector<Trade> front) {
    std::erase_if(front, [&](const Trade& plan) { return plan.first > last; });
    return front;
  };
  EXPECT_EQ(up_to_last(trades(front_of(plans))), up_to_last(expected));
  EXPECT_EQ(trades(play_front(space, plans, one.bounds(), play, options)), expected);
}

TEST_P(Search, PlansAreWhatTheirSettingsMakeOfTheScenario) {
  constexpr std::size_t kSome = 40;  // plans that are read anew
  Case one(GetParam());
  SCOPED_TRACE(fmt::format("seed {}\n{}", GetParam(), one.yaml()));
  SearchSpace& space = one.space();
  std::vector<SearchPlan> all;
  for (const SearchPlan& plan : space.legal_plans()) {
    for (const SearchPlan& with : space.with_overlaps(plan)) {
      all.push_back(with);
    }
  }
  ASSERT_FALSE(all.empty());
  const std::size_t stride = all.size() / kSome + 1;
  for (std::size_t i = 0; i < all.size(); i += stride) {
    const std::vector<KeyValue> settings = space.settings(all[i]);
    SCOPED_TRACE(options_text(settings));
    const Workload made = space.workload(all[i]);
    ASSERT_TRUE(space.can_run(made));
    const Workload read = space.variants().load(settings).workload;
    EXPECT_TRUE(make_step_program(made) == make_step_program(read));
    EXPECT_EQ(memory_use(made).peak().value, memory_use(read).peak().value);
    EXPECT_EQ(made.parallelism.data, read.parallelism.data);
    EXPECT_EQ(made.training.attention, read.training.attention);
  }
}

/// Overlaps, that a plan's memory does not depend on, and whether it can run.
TEST_P(Search, OverlapsChangeNoMemory) {
  Case one(GetParam());
  SCOPED_TRACE(fmt::format("seed {}\n{}", GetParam(), one.yaml()));
  SearchSpace& space = one.space();
  for (const SearchPlan& plan : space.legal_plans()) {
    const Workload made = space.workload(plan);
    for (const SearchPlan& with : space.with_overlaps(plan)) {
      const Workload overlapped = space.workload(with);
      EXPECT_TRUE(space.can_run(overlapped));
      EXPECT_EQ(memory_use(made).peak().value, memory_use(overlapped).peak().value);
    }
  }
}

/// As if all plans had had them in full from the start.
TEST_P(Search, BoundsAreFilledAsFarAsTheyAreAskedFor) {
  Case one(GetParam());
  SCOPED_TRACE(fmt::format("seed {}\n{}", GetParam(), one.yaml()));
  SearchSpace& space = one.space();
  std::vector<FoundPlan> full = survey(space, one.bounds());
  std::vector<std::size_t> all(full.size());
  std::iota(all.begin(), all.end(), 0);
  std::vector<FoundPlan> up_to = full, least = full;
  one.bounds().fill(space, full, all);
  one.bounds().fill(space, full, all);  // those that another came before
  std::vector<double> bounds;
  for (const FoundPlan& plan : full) {
    if (plan.fits()) {
      EXPECT_TRUE(plan.is_full);
      bounds.push_back(plan.bound.value);
    }
  }
  ASSERT_FALSE(bounds.empty());
  std::nth_element(bounds.begin(), bounds.begin() + static_cast<std::ptrdiff_t>(bounds.size() / 2),
                   bounds.end());
  const Seconds median{bounds[bounds.size() / 2]};
  fill_up_to(median, space, up_to, one.bounds());
  std::vector<std::vector<std::size_t>> sets(7);
  for (const std::size_t i : all) {
    sets[i % sets.size()].push_back(i);
    EXPECT_EQ(up_to[i].bound <= median, full[i].bound <= median);
  }
  fill_least(sets, space, least, one.bounds());
  const auto least_of = [](const std::vector<FoundPlan>& plans,
                           const std::vector<std::size_t>& set) {
    double bound = 1e300;
    for (const std::size_t i : set) {
      bound = plans[i].fits() ? std::min(bound, plans[i].bound.value) : bound;
    }
    return bound;
  };
  for (const std::vector<std::size_t>& set : sets) {
    EXPECT_EQ(least_of(least, set), least_of(full, set));
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Search, ::testing::Range(1, kCases + 1));

/// Where exchanges of experts take longer than the compute beside them; that alone is 55 % of one
/// of these steps.
TEST(SearchBound, PassesSideBySideTakeTheirExchangesToo) {
  const Folder folder;
  const Variants variants(folder.write("one.yaml", R"(
model:
  {layers: 8, hidden: 1024, heads: 8, vocab: 32000, ffn: 1024, experts: {count: 8, per_token: 2}}
cluster: {topology: pcie-a10, gpus: 16}
parallelism: {tensor: 1, pipeline: 2, expert: 8}
training: {global_batch: 128, sequence_length: 1024, recompute: none}
search:
  parallelism:
    tensor: 1
    pipeline: 2
    expert: 8
    expert_tensor: 1
    zero: 0
    overlap: {tensor: none, data: false, pair: true}
  training: {micro_batch: 1, recompute: none, schedule: {kind: [1f1b, dualpipe], chunks: [1, 2]}}
)"),
                          shipped_presets());
  SearchSpace space(variants, axes_of(variants));
  const Cluster cluster = build_cluster(variants.scenario().cluster);
  Evaluator evaluator(cluster);
  std::size_t pairs = 0;
  PlanBounds bounds(variants.scenario().cluster, 0);
  std::vector<FoundPlan> plans = survey(space, bounds);
  for (FoundPlan& plan : plans) {
    const Seconds by_compute = plan.bound;
    bounds.fill(space, plans, {static_cast<std::size_t>(&plan - plans.data())});
    EXPECT_LT(by_compute, plan.bound);
    const Workload workload = space.workload(plan.plan);
    const bool side_by_side = std::ranges::any_of(
        workload.actions(0), [](const Action& action) { return action.with_next; });
    const Seconds step = evaluator.evaluate({&workload, 1}).front().step;
    SCOPED_TRACE(options_text(space.settings(plan.plan)));
    EXPECT_LE(plan.bound.value, step.value * (1 + 1e-9));
    EXPECT_GT(plan.bound.value, (side_by_side ? 0.7 : 0.0) * step.value);
    pairs += side_by_side ? 1 : 0;
  }
  EXPECT_GT(pairs, 0U);
}

/// DeepSeek-V3's sort of step, small: exchanges of experts hidden behind compute, which they slow.
/// The same on machines whose collectives take nothing tells what of the longest way is contention.
TEST(SearchBound, TheLongestWayHasWhatExchangesTakeFromCompute) {
  const Folder folder;
  const auto way_tells = [&](int blocks, double share) {
    const Variants variants(folder.write("one.yaml", fmt::format(R"(
model:
  {{layers: 16, hidden: 4096, heads: 32, vocab: 32000, ffn: 2048,
    experts: {{count: 32, per_token: 4}}}}
cluster: {{topology: hgx-h800, gpus: 32, collective: {{blocks: {}}}}}
parallelism: {{tensor: 1, pipeline: 4, expert: 8}}
training:
  {{global_batch: 128, micro_batch: 1, sequence_length: 4096, recompute: none,
    schedule: {{kind: dualpipe}}}}
)",
                                                                 blocks)),
                            shipped_presets());
    const Workload& workload = variants.scenario().workload;
    const Cluster cluster = build_cluster(variants.scenario().cluster);
    const Seconds step = Evaluator(cluster).evaluate({&workload, 1}).front().step;
    StepBounds bounds(variants.scenario().cluster);
    EXPECT_FALSE(bounds.takes_longer(workload, step));
    EXPECT_LE(bounds.bound(workload).value, step.value * (1 + 1e-9));
    return bounds.takes_longer(workload, share * step);
  };
  EXPECT_TRUE(way_tells(32, 0.97));
  EXPECT_TRUE(way_tells(0, 0.97));
}

TEST(SearchSpace, KeysWithoutEffectMakeNoPlans) {
  const Folder folder;
  const Variants variants(folder.write("one.yaml", R"(
model: {layers: 8, hidden: 1024, heads: 8, vocab: 32000}
cluster: {topology: dgx-a100, gpus: 8}
training: {global_batch: 16, sequence_length: 1024}
search:
  parallelism:
    tensor: [1, 8]
    pipeline: 1
    zero: [0, 1]
    sequence: [false, true]
    overlap: {tensor: [none, backward, full], chunks: [2, 4], data: [false, true]}
  training: {micro_batch: 1, recompute: none, schedule: {chunks: 1}}
)"),
                          shipped_presets());
  SearchSpace space(variants, axes_of(variants));
  std::size_t plans = 0;
  for (const SearchPlan& plan : space.legal_plans()) {
    plans += space.with_overlaps(plan).size();
  }
  // tensor 1: zero x data. tensor 8: sequence x (none, backward, full x chunks).
  EXPECT_EQ(plans, 2U * 2 + 2 * (2 + 2));
}

/// What tensor ranks hold a part of each anyway is not cut into slices.
TEST(SearchSpace, WithSequenceParallelismNothingIsScattered) {
  const Folder folder;
  const Variants variants(folder.write("one.yaml", R"(
model: {layers: 8, hidden: 1024, heads: 8, vocab: 32000}
cluster: {topology: dgx-a100, gpus: 8}
training: {global_batch: 16, sequence_length: 1024}
search:
  parallelism:
    tensor: 4
    pipeline: 2
    zero: 0
    sequence: [false, true]
    scatter_gather: [false, true]
    overlap: {tensor: none, data: false}
  training: {micro_batch: 1, recompute: none, schedule: {kind: 1f1b, chunks: 1}}
)"),
                          shipped_presets());
  SearchSpace space(variants, axes_of(variants));
  EXPECT_EQ(space.legal_plans().size(), 3U);
}

TEST(SearchSpace, DataFollowsEvenWhereTheScenarioSaysIt) {
  const Folder folder;
  const Variants variants(folder.write("one.yaml", R"(
model: {layers: 8, hidden: 1024, heads: 8, vocab: 32000}
cluster: {topology: dgx-a100, gpus: 8}
parallelism: {data: 8}
training: {global_batch: 16, sequence_length: 1024}
search: {parallelism: {tensor: [1, 4], pipeline: 1}}
)"),
                          shipped_presets());
  SearchSpace space(variants, axes_of(variants));
  SearchPlan plan = space.own_plan();
  plan.at[0] = 1;
  EXPECT_EQ(options_text(space.settings(plan)),
            "--set parallelism.tensor=4 --set parallelism.data=2");
  EXPECT_EQ(variants.load(space.settings(plan)).workload.parallelism.data, 2);
}

TEST(SearchSpace, OptionsAreWordsOfAShell) {
  EXPECT_EQ(options_text({{"training.recompute", "[core_attn, mlp]"}, {"name", "it's"}}),
            "--set 'training.recompute=[core_attn, mlp]' --set 'name=it'\\''s'");
}

TEST(SearchWay, EndsAtTheBestChangeUponChange) {
  Case one(3);
  SearchSpace& space = one.space();
  const SearchOptions options;
  std::vector<FoundPlan> plans = survey(space, one.bounds());
  const std::vector<std::size_t> ranked =
      play_best_first(space, plans, one.bounds(), one.play(), options);
  ASSERT_FALSE(ranked.empty());
  const FoundPlan& best = plans[ranked.front()];
  std::size_t played = 0;
  const PlayPlans play = [&](std::span<const Workload> some, std::optional<Seconds> wanted) {
    played += some.size();
    return one.play()(some, wanted);
  };
  KnownSteps known = known_steps(plans);
  const std::vector<SearchStep> way = way_to(best.plan, space, play, known);
  ASSERT_FALSE(way.empty());
  EXPECT_TRUE(space.same(way.back().plan, best.plan));
  EXPECT_DOUBLE_EQ(way.back().step->value, best.played.step->value);
  for (const SearchStep& change : single_changes(space, one.bounds(), play, known)) {
    EXPECT_EQ(change.axes.size(), 1U);
  }
  EXPECT_GT(played, 0U);
  // All that was asked for is known now, and nothing is played for it again.
  played = 0;
  EXPECT_EQ(way_to(best.plan, space, play, known).size(), way.size());
  EXPECT_EQ(played, 0U);
}

}  // namespace
}  // namespace danlu::testing
