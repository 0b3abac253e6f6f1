// What ZeRO and FSDP send and hold. Bytes sent by one rank are read from what the links of the
// played step carried, and held to closed forms over all parameters P, with n ranks that share and
// r parts, m microbatches, gathers of 2 bytes and gradients of g:
//
//   ZeRO-1             (n-1)/n P (g + 2)               FSDP                 m (n-1)/n P (g + 4)
//   ZeRO-2             (n-1)/n P (m g + 2)             SHARD_GRAD_OP        m (n-1)/n P (g + 2)
//   between parts      m 2 (r-1)/r P/n g               no_sync              (n-1)/n P (4 m + g)
//
// (Rajbhandari et al. 2020, section 7; the figures are of a derivation that other people's
// estimators were held to.)
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim/report/report.hpp"
#include "sim/tasks/plan_step.hpp"
#include "sim/workload/memory.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped;

/// A plain plan of a shipped scenario's model, on nodes of eight, by rings.
Scenario sharded(const std::string& model, int ranks, int microbatches,
                 std::vector<std::string> more) {
  std::vector<std::string> settings{
      "model=" + model, "cluster.gpus=" + std::to_string(ranks),
      "parallelism={data: " + std::to_string(ranks) + "}",
      "training={micro_batch: 1, sequence_length: 64, global_batch: " +
          std::to_string(ranks * microbatches) + "}",
      "communication.data.algorithm=ring"};
  settings.insert(settings.end(), more.begin(), more.end());
  return shipped("llama3-8b-h100.yaml", settings);
}

/// Bytes that one rank sends over its links of a kind. As many are received over as many links.
struct Sent {
  double scale_up = 0;
  double nic = 0;
};
Sent sent_by_one(const Scenario& s) {
  const Cluster cluster = build_cluster(s.cluster);
  const StepPlan plan = plan_step(s.workload, cluster);
  const Report report = measure("", s.workload, cluster, plan, testing::play(plan.graph));
  Sent sent;
  for (const LinkReport& row : report.links) {
    const double each = row.bytes.value / 2 / s.cluster.gpus;
    sent.scale_up += row.kind == LinkKind::ScaleUp ? each : 0;
    sent.nic += row.kind == LinkKind::NicCable ? each : 0;
  }
  return sent;
}

struct Way {
  const char* what;
  std::vector<std::string> settings;
  double bytes;
};

TEST(ShardedBytes, AreThoseOfTheClosedFormsInOneNode) {
  const std::string fp32 = "training.gradients=fp32";
  const std::string root = "parallelism.sharding.keep_root=false";
  const std::vector<Way> ways{
      {"data parallel", {}, 47168909312},
      {"ZeRO-1", {"parallelism.zero=1"}, 35376681984},
      {"ZeRO-2", {"parallelism.zero=2"}, 35376681984},
      {"FSDP", {"parallelism.zero=3", root}, 47168909312},
      {"SHARD_GRAD_OP",
       {"parallelism.zero=3", "parallelism.sharding.reshard=backward"},
       35376681984},
      {"no_sync", {"parallelism.zero=3", root, "parallelism.sharding.reduce=step"}, 47168909312},
  };
  for (const Way& way : ways) {
    std::vector<std::string> settings = way.settings;
    settings.push_back(fp32);
    const Sent sent = sent_by_one(sharded("llama2-7b", 8, 1, settings));
    EXPECT_TRUE(near(sent.scale_up, way.bytes, 1e-8)) << way.what;
  }
}

TEST(ShardedBytes, FollowTheMicrobatches) {
  const std::string root = "parallelism.sharding.keep_root=false";
  const std::vector<Way> ways{
      {"data parallel", {}, 56211828736},
      {"ZeRO-1", {"parallelism.zero=1"}, 42158871552},
      {"ZeRO-2", {"parallelism.zero=2"}, 238900272128},
      {"FSDP", {"parallelism.zero=3", root}, 449694629888},
      {"SHARD_GRAD_OP",
       {"parallelism.zero=3", "parallelism.sharding.reshard=backward"},
       337270972416},
      {"no_sync", {"parallelism.zero=3", root, "parallelism.sharding.reduce=step"}, 252953229312},
  };
  for (const Way& way : ways) {
    const Sent sent = sent_by_one(sharded("llama3-8b", 8, 8, way.settings));
    EXPECT_TRUE(near(sent.scale_up, way.bytes, 1e-8)) << way.what;
  }
}

// Over several nodes a ring leaves a node once in eight hops.
TEST(ShardedBytes, AreTheSameOverNodes) {
  const std::vector<std::string> fsdp{"parallelism.zero=3", "parallelism.sharding.keep_root=false"};
  const Sent sent = sent_by_one(sharded("llama3-70b", 256, 1, fsdp));
  EXPECT_TRUE(near(sent.scale_up + sent.nic, 562224848640, 1e-8));
  EXPECT_TRUE(near(sent.nic, 562224848640 / 8, 1e-8));
}

// Within parts of a node's size over NVLink, between them over the NICs.
TEST(ShardedBytes, ArePartedBetweenShardsAndReplicas) {
  const std::vector<std::string> hsdp{"parallelism.zero=3", "parallelism.sharding.keep_root=false",
                                      "parallelism.sharding.ranks=8"};
  const Sent once = sent_by_one(sharded("llama2-7b", 32, 1, hsdp));
  EXPECT_TRUE(near(once.scale_up, 47168909312, 1e-8));
  EXPECT_TRUE(near(once.nic, 5053811712, 1e-8));
  std::vector<std::string> narrow = hsdp;
  narrow.emplace_back("training.gradients=16bit");
  const Sent twice = sent_by_one(sharded("llama3-8b", 64, 2, narrow));
  EXPECT_TRUE(near(twice.scale_up, 84317743104, 1e-8));
  EXPECT_TRUE(near(twice.nic, 7026478592, 1e-8));
}

// PyTorch's root unit stays from forward to backward: its weights are gathered once, not twice.
TEST(ShardedBytes, OfTheRootAreGatheredOnce) {
  const Scenario s = sharded("llama2-7b", 8, 1, {"parallelism.zero=3"});
  const double root = 2 * 32000.0 * 4096 + 4096;
  EXPECT_TRUE(near(sent_by_one(s).scale_up, 47168909312 - 7.0 / 8 * 2 * root, 1e-8));
}

// ZeRO's table (Rajbhandari et al. 2020, figure 1) with fp32 gradients, and FSDP's 16 bytes.
TEST(ShardedMemory, IsDividedByTheRanksThatShare) {
  const double p = 6738415616;
  const auto states = [](std::vector<std::string> settings) {
    const MemoryUse use = memory_use(sharded("llama2-7b", 8, 1, std::move(settings)).workload);
    return (use.parameters + use.gradients + use.optimizer).value;
  };
  EXPECT_TRUE(near(states({"parallelism.zero=0"}), 18 * p));
  EXPECT_TRUE(near(states({"parallelism.zero=1"}), (6 + 12.0 / 8) * p));
  EXPECT_TRUE(near(states({"parallelism.zero=2"}), (2 + 16.0 / 8) * p));
  EXPECT_TRUE(near(states({"parallelism.zero=3"}), 18 * p / 8));
  EXPECT_TRUE(near(states({"parallelism.zero=3", "parallelism.sharding.copy=false"}), 16 * p / 8));
  EXPECT_TRUE(near(states({"parallelism.zero=3", "parallelism.sharding.ranks=4"}), 18 * p / 4));
  EXPECT_TRUE(
      near(states({"parallelism.zero=3", "parallelism.sharding.reduce=step"}), 4 * p + 14 * p / 8));
}

// Two layers in flight, the root unit, and the gradients of one layer (FSDP's unsharded peak).
TEST(ShardedMemory, HoldsUnitsInFlight) {
  struct Row {
    const char* model;
    int ranks;
    double bytes;
  };
  for (const Row& row : {Row{"llama2-7b", 8, 1738596352}, Row{"llama3-8b", 8, 3410026496},
                         Row{"llama3-70b", 64, 9336635392}}) {
    const Scenario s = sharded(row.model, row.ranks, 1, {"parallelism.zero=3"});
    EXPECT_EQ(memory_use(s.workload).gathered.value, row.bytes) << row.model;
  }
}

// With one unit ahead a gather runs beside the unit before it, with none compute waits for it.
TEST(ShardedWeights, AreGatheredAheadOfTheirUnit) {
  const auto after_of_gathers = [](int prefetch) {
    Workload w = sharded("llama2-7b", 8, 1, {"parallelism.zero=3"}).workload;
    w.parallelism.sharding.prefetch = prefetch;
    const StepProgram step = make_step_program(w);
    const Program& forward = step.programs[step.stages[0].passes.begin()->program];
    std::vector<std::string> before;  // what each gather waits for
    for (const Segment& segment : forward.segments) {
      if (segment.name == "gather weights") {
        before.push_back(segment.after.empty() ? "" : forward.segments[segment.after[0]].name);
      }
    }
    return before;
  };
  const std::vector<std::string> ahead = after_of_gathers(1);
  ASSERT_EQ(ahead.size(), 33U);  // the root's and 32 layers'
  EXPECT_EQ(ahead[0] + ahead[1], "");
  EXPECT_EQ(ahead[2], "embedding");  // as the first layer begins, the second one's
  EXPECT_EQ(ahead[3], "residual");
  const std::vector<std::string> bare = after_of_gathers(0);
  EXPECT_EQ(bare[0], "");
  EXPECT_EQ(bare[1], "embedding");
  EXPECT_EQ(bare[2], "residual");
}

// Gradients are summed over the ranks that hold the same weights and no others: not over tensor
// ranks or stages; experts over their copies alone.
TEST(ShardedGradients, AreSummedOverCopies) {
  const auto ranks_of = [](const ParallelismSpec& p, AxisSet copies) {
    std::vector<int> ranks;
    for (const GradientSum& sum : gradient_sums(p, copies)) {
      ranks.push_back(p.mesh().size(sum.axes));
      EXPECT_FALSE(sum.axes.contains(Axis::Tensor) || sum.axes.contains(Axis::Pipeline));
    }
    return ranks;
  };
  ParallelismSpec p{.tensor = 2, .pipeline = 3, .data = 8};
  p.context = 4;
  p.expert = 8;  // x 2 that share each, as tensor ranks do: 4 copies among 64 ranks
  EXPECT_EQ(ranks_of(p, kDataAxes), std::vector{32});
  EXPECT_EQ(ranks_of(p, kExpertDataAxes), std::vector{4});
  p.zero = 3;
  EXPECT_EQ(ranks_of(p, kDataAxes), std::vector{32});
  EXPECT_EQ(ranks_of(p, kExpertDataAxes), std::vector{4});
  p.sharding.ranks = 4;  // two parts, of experts too
  EXPECT_EQ(ranks_of(p, kDataAxes), (std::vector{16, 2}));
  EXPECT_EQ(ranks_of(p, kExpertDataAxes), (std::vector{2, 2}));
}

// A unit's first kernels wait for its gather, and a unit's sums for its last ones.
TEST(ShardedWeights, AreThereWhenTheirUnitComputes) {
  const Workload w = sharded("llama2-7b", 8, 1, {"parallelism.zero=3"}).workload;
  const StepProgram step = make_step_program(w);
  for (const StagePass& pass : step.stages[0].passes) {
    const Program& program = step.programs[pass.program];
    std::vector<bool> waited_for(program.segments.size());
    for (const Segment& segment : program.segments) {
      for (const std::size_t before : segment.after) {
        waited_for[before] = waited_for[before] || segment.is_compute;
      }
    }
    int gathers = 0;
    for (std::size_t i = 0; i < program.segments.size(); ++i) {
      const Segment& segment = program.segments[i];
      if (segment.name == "gather weights") {
        EXPECT_TRUE(waited_for[i]) << "segment " << i;
        ++gathers;
      } else if (segment.name == "scatter gradients") {
        EXPECT_TRUE(program.segments[segment.after.at(0)].is_compute);
      }
    }
    EXPECT_EQ(gathers, pass.action.is_forward() ? 33 : 32);
  }
}

}  // namespace
}  // namespace danlu
