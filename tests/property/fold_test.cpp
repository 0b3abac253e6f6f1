// Folding plays one rank of every class instead of all. It must not be seen in any time: random
// small steps are played folded and unfolded, and every rank's optimizer must end at the same
// instant. The coarse fold (bound) must not be much faster than the truth.
//
// DANLU_SEED=n repeats a failure, DANLU_CASES=n asks for more cases.
#include "sim/plan/fold.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <random>
#include <sstream>

#include "sim/plan/plan_step.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::run_in_child;

/// A step and the machine it runs on.
struct Case {
  ClusterSpec cluster;
  Workload workload;
};

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}

  /// A whole number from `least` to `most`; the same on every machine, unlike the standard's.
  int between(int least, int most) {
    const auto range = static_cast<std::uint64_t>(most - least + 1);
    return least + static_cast<int>(engine_() % range);
  }
  std::size_t below(std::uint64_t limit) { return engine_() % limit; }
  bool coin() { return between(0, 1) == 1; }
  template <typename Enum>
  Enum one_of(Enum last) {
    return static_cast<Enum>(between(0, static_cast<int>(last)));
  }
  /// A divisor of `number`.
  int divisor(int number) {
    int found = 0;
    do {
      found = between(1, number);
    } while (number % found != 0);
    return found;
  }

 private:
  std::mt19937_64 engine_;
};

TopologySpec random_topology(Dice& dice) {
  constexpr std::array kSizes{1, 2, 3, 4, 4, 6, 8, 8};
  TopologySpec spec{.name = "random", .gpus_per_node = kSizes[dice.below(8)]};
  spec.scale_up = dice.coin() ? ScaleUpKind::Switch : dice.one_of(ScaleUpKind::None);
  for (int first = 0; first < spec.gpus_per_node; ++first) {  // only read for a mesh: all to all
    for (int second = first + 1; second < spec.gpus_per_node; ++second) {
      spec.mesh_links.push_back({first, second, dice.between(1, 2)});
    }
  }
  spec.scale_up_bandwidth = BytesPerSecond{dice.between(1, 6) * 5e10};
  spec.scale_up_efficiency = 0.8;
  spec.scale_up_latency = dice.coin() ? Seconds{} : 3_us;
  spec.pcie_bandwidth = BytesPerSecond{dice.between(1, 4) * 1e10};
  spec.nics_per_node = dice.between(1, spec.gpus_per_node);
  spec.nic_bandwidth = BytesPerSecond{dice.between(1, 8) * 5e9};
  spec.fabric = dice.one_of(FabricKind::Switch);
  spec.nodes_per_leaf = dice.between(1, 4);
  spec.oversubscription = dice.between(1, 4);
  spec.fabric_latency = dice.coin() ? Seconds{} : 10_us;
  spec.hop_latency = dice.coin() ? Seconds{} : 1_us;
  spec.collective_launch = dice.coin() ? Seconds{} : 8_us;
  return spec;
}

ParallelismSpec random_parallelism(Dice& dice, int gpus) {
  ParallelismSpec p;
  do {  // not all GPUs in one long pipeline, which leaves nothing to fold
    p.pipeline = dice.divisor(gpus);
    p.tensor = dice.divisor(gpus / p.pipeline);
  } while (p.pipeline > 8 || (gpus > 8 && p.tensor == gpus));
  p.data = gpus / p.tensor / p.pipeline;
  p.sequence = dice.coin();
  p.zero = dice.between(0, 1);
  p.scatter_gather = dice.coin();
  p.overlap_tensor = dice.one_of(TensorOverlap::Full);
  p.tensor_chunks = dice.between(1, 4);
  p.overlap_data = dice.coin();
  p.overlap_pipeline = dice.coin();
  return p;
}

Workload random_workload(Dice& dice, int gpus) {
  Workload w;
  ParallelismSpec& p = w.parallelism;
  p = random_parallelism(dice, gpus);
  TrainingSpec& t = w.training;
  t.chunks = p.pipeline > 1 && dice.coin() ? dice.between(1, 3) : 1;
  t.schedule =
      t.chunks == 1 && dice.between(0, 2) == 0 ? ScheduleKind::GPipe : ScheduleKind::OneFOneB;
  const int microbatches = t.chunks > 1 ? p.pipeline * dice.between(1, 2) : dice.between(1, 6);
  t.micro_batch = dice.between(1, 2);
  t.global_batch = t.micro_batch * p.data * microbatches;
  t.sequence_length = 64 * p.tensor;
  t.attention = dice.coin() ? AttentionKind::Flash : AttentionKind::Unfused;
  t.recompute = dice.one_of(Recompute::Full);
  if (t.recompute == Recompute::Selective) {
    t.attention = AttentionKind::Unfused;
  }
  w.model = {.name = "random",
             .layers = p.pipeline * t.chunks * dice.between(1, 2),
             .hidden = 256 * p.tensor,
             .heads = 4 * p.tensor,
             .kv_heads = dice.coin() ? 4 * p.tensor : p.tensor,
             .head_dim = 64,
             .ffn = 1024 * p.tensor,
             .vocab = 1000,
             .positions = dice.coin() ? t.sequence_length : 0,
             .gated_mlp = dice.coin(),
             .tied_embeddings = dice.coin()};
  w.collectives = dice.between(0, 3) == 0 ? CollectiveMode::Stepwise : CollectiveMode::Steady;
  return w;
}

Case random_case(std::uint64_t seed) {
  Dice dice(seed);
  Case drawn;
  drawn.cluster.topology = random_topology(dice);
  drawn.cluster.gpu = load_gpu("a100-80", testing::shipped_presets());
  drawn.cluster.gpus = drawn.cluster.topology.gpus_per_node * dice.between(1, 8);
  if (dice.between(0, 7) == 0) {  // the last node is not full
    drawn.cluster.gpus = dice.between(1, drawn.cluster.gpus);
  }
  drawn.workload = random_workload(dice, drawn.cluster.gpus);
  return drawn;
}

std::string describe(const Case& drawn) {
  const TopologySpec& c = drawn.cluster.topology;
  const Workload& w = drawn.workload;
  const ParallelismSpec& p = w.parallelism;
  return fmt::format(
      "{} GPUs, {} a node, {} NICs, scale-up {}, fabric {}, {} nodes a leaf, oversubscription {}, "
      "tensor {} pipeline {} data {}, sequence {} zero {} scatter {} overlap {}/{} pieces {}, "
      "schedule {} chunks {}, {} microbatches, {} layers, recompute {}, tied {}, stepwise {}",
      drawn.cluster.gpus, c.gpus_per_node, c.nics_per_node, static_cast<int>(c.scale_up),
      static_cast<int>(c.fabric), c.nodes_per_leaf, c.oversubscription, p.tensor, p.pipeline,
      p.data, p.sequence, p.zero, p.scatter_gather, static_cast<int>(p.overlap_tensor),
      p.overlap_data, p.tensor_chunks, static_cast<int>(w.training.schedule), w.training.chunks,
      w.microbatches(), w.model.layers, static_cast<int>(w.training.recompute),
      w.model.tied_embeddings, static_cast<int>(w.collectives));
}

struct Played {
  std::vector<double> ends;  // of the step, then of every rank's optimizer
  std::size_t units = 0;     // classes of ranks
  bool exact = true;
};
Played play_step(const Case& drawn, FoldMode mode) {
  const std::string text = run_in_child([&] {
    Case copy = drawn;
    copy.workload.fold = mode;
    const StepPlan plan = plan_step(copy.workload, build_cluster(copy.cluster));
    const Timeline timeline = simulate(plan.graph);
    std::vector<double> by_unit(plan.fold.units.size());
    for (std::size_t i = 0; i < plan.graph.tasks.size(); ++i) {
      if (plan.graph.tasks[i].name == "optimizer") {
        const auto unit = static_cast<std::size_t>(plan.graph.participants[i][0]);
        by_unit[unit] = timeline.finish[i].value;
      }
    }
    std::vector<double> found{timeline.end.value};
    for (const int unit : plan.fold.unit_of_rank) {
      found.push_back(by_unit[static_cast<std::size_t>(unit)]);
    }
    return fmt::format("{} {:d} {:.17g}", by_unit.size(), plan.fold.exact, fmt::join(found, " "));
  });
  std::istringstream stream(text);
  Played played;
  stream >> played.units >> played.exact;
  for (double value = 0; stream >> value;) {
    played.ends.push_back(value);
  }
  return played;
}

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

/// Runs `holds` on cases seed, seed + 1, ...; the failing one's seed is in the message.
template <typename Check>
void for_random_cases(const Check& holds) {
  const std::uint64_t seed = from_environment("DANLU_SEED", 1);
  const std::uint64_t cases = from_environment("DANLU_CASES", 40);
  for (std::uint64_t i = 0; i < cases; ++i) {
    const Case drawn = random_case(seed + i);
    SCOPED_TRACE(fmt::format("DANLU_SEED={} DANLU_CASES=1: {}", seed + i, describe(drawn)));
    ASSERT_TRUE(problems(drawn.workload, drawn.cluster.gpus, drawn.cluster.gpu).empty());
    holds(drawn);
  }
}

TEST(Fold, ExactGivesEveryRankTheTimesOfTheUnfoldedStep) {
  for_random_cases([](const Case& drawn) {
    const std::vector<double> folded = play_step(drawn, FoldMode::Exact).ends;
    const std::vector<double> truth = play_step(drawn, FoldMode::Off).ends;
    ASSERT_EQ(folded.size(), truth.size());
    for (std::size_t i = 0; i < truth.size(); ++i) {
      ASSERT_TRUE(testing::near(folded[i], truth[i]))
          << (i == 0 ? "step" : fmt::format("rank {}", i - 1));
    }
  });
}

// The cases above mean something only if there was something to fold.
TEST(Fold, ManyRandomCasesHaveFewerClassesThanRanks) {
  int folded = 0;
  for_random_cases([&](const Case& drawn) {
    const std::size_t units = play_step(drawn, FoldMode::Exact).units;
    folded += units < static_cast<std::size_t>(drawn.cluster.gpus) ? 1 : 0;
  });
  EXPECT_GE(folded, std::getenv("DANLU_CASES") == nullptr ? 20 : 0);
}

// The coarse fold takes the worst of a class for all of it, so most steps take longer. It is no
// strict bound: a class held up by its worst member leaves bandwidth to others, who may be ahead of
// the truth then (by 2.5 % in the worst of 3000 cases).
TEST(Fold, BoundIsAtMostAFewPercentFasterThanTheUnfoldedStep) {
  for_random_cases([](const Case& drawn) {
    const double bound = play_step(drawn, FoldMode::Bound).ends[0];
    const double truth = play_step(drawn, FoldMode::Off).ends[0];
    EXPECT_GE(bound, truth * 0.95) << "short by " << 1 - bound / truth;
  });
}

TEST(Fold, BoundThatSaysExactIsExact) {
  for_random_cases([](const Case& drawn) {
    const Played bound = play_step(drawn, FoldMode::Bound);
    if (bound.exact) {
      EXPECT_TRUE(testing::near(bound.ends[0], play_step(drawn, FoldMode::Off).ends[0]));
    }
  });
}

}  // namespace
}  // namespace danlu
