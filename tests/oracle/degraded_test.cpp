// Slow GPUs, NICs and links, uneven stages, and the ladder of collective modes, against hand
// arithmetic.
#include <gtest/gtest.h>

#include <cmath>

#include "sim/report/report.hpp"
#include "sim/tasks/plan_step.hpp"
#include "sim/workload/memory.hpp"
#include "sim/workload/model_blocks.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/closed_forms.hpp"
#include "tests/support/play.hpp"
#include "tests/support/replicas.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::compute_of;
using testing::near;
using testing::plain_cluster;
using testing::play;
using testing::Replicas;

// T45. One of d ranks computes s times slower and nothing overlaps: step = s x compute + comm,
// whatever d is. Compute is what one rank alone takes.
TEST(Degraded, TheStepWaitsForTheSlowestRank) {
  const double compute = Replicas(1).step();
  for (const int data : {2, 4, 8}) {
    for (const double slowdown : {1.0, 1.25, 3.0}) {
      const Replicas replicas(data, {.gpus = {{data - 1, slowdown}}});
      EXPECT_TRUE(near(replicas.step(), slowdown * compute + replicas.all_reduce()))
          << data << " ranks, " << slowdown;
    }
  }
}

// Three of 4 ranks wait for the slow one before the all-reduce and after their own weight update:
// (s - 1) x compute together, 3/4 of that in the mean over ranks.
TEST(Degraded, TheReportSaysWhoWaited) {
  const double compute = Replicas(1).step();
  const Replicas replicas(4, {.gpus = {{1, 1.5}}});
  const StepPlan plan = plan_step(replicas.workload, replicas.cluster);
  EXPECT_EQ(plan.fold.rank_classes.size(), 2U);  // the slow one, and the three others
  const Report report =
      measure("slow", replicas.workload, replicas.cluster, plan, play(plan.graph));
  EXPECT_TRUE(near(report.step.breakdown[TimePart::StragglerWait].value, 0.75 * 0.5 * compute));
  EXPECT_TRUE(near(report.step.breakdown.total().value, report.step.time.value));
  // The slow rank does no more useful work than the others, only more slowly.
  const Replicas healthy(4);
  const StepPlan plain = plan_step(healthy.workload, healthy.cluster);
  const Report before =
      measure("healthy", healthy.workload, healthy.cluster, plain, play(plain.graph));
  EXPECT_TRUE(near(report.step.breakdown[TimePart::Useful].value,
                   before.step.breakdown[TimePart::Useful].value));
}

// A ring is as slow as its slowest NIC: at a quarter of its rate the bytes of the all-reduce take
// four times as long.
TEST(Degraded, ASlowNicSlowsItsRing) {
  const double compute = Replicas(1).step();
  const Replicas replicas(4, {.nics = {{2, 0.25}}});
  const double latency = 2 * 3 * 2e-6;
  const double expected = compute + latency + 4 * (replicas.all_reduce() - latency);
  EXPECT_TRUE(near(replicas.step(), expected));
}

// GPU 5 sits in the third node of two GPUs; its links inside the node are slow, and no others.
TEST(Degraded, ScaleUpSharesConcernTheGpusOwnLinks) {
  ClusterSpec spec = plain_cluster(4, 2, 100_GBps, 10_GBps, 2_us).spec;
  spec.degraded.scale_up = {{5, 0.5}};
  const Topology topology = build_cluster(spec).topology;
  int slow = 0;
  for (const Link& link : topology.links()) {
    const bool inside = link.kind == LinkKind::ScaleUp;
    const bool own = link.from == topology.gpu(GpuId{5}) || link.to == topology.gpu(GpuId{5});
    EXPECT_EQ(link.bandwidth.value, (inside && own ? 0.5 : 1) * link.nominal.value);
    slow += inside && own ? 1 : 0;
  }
  EXPECT_EQ(slow, 2);  // up and down
}

// Two pairs of ranks reduce gradients over uplinks with half the bandwidth that both need: sharing
// takes twice the bytes' time, the closed form of one alone does not see it.
TEST(CollectiveModes, TheFormulaSeesNoContention) {
  ClusterSpec spec = plain_cluster(2, 2, 100_GBps, 10_GBps, 2_us).spec;
  spec.topology.nics_per_node = 1;  // both GPUs of a node behind one NIC
  spec.topology.pcie_bandwidth = 1000_GBps;
  spec.gpu = load_gpu("a100-80", testing::shipped_presets());
  Workload w = Replicas(2).workload;
  w.parallelism = {.tensor = 2, .data = 2};
  w.training.global_batch = 2;
  const Cluster cluster = build_cluster(spec);
  const auto reduction = [&](CollectiveMode mode) {
    w.collectives = mode;
    const StepPlan plan = plan_step(w, cluster);
    const Timeline timeline = play(plan.graph);
    for (const TaskId i : plan.graph.tasks.ids()) {
      if (plan.graph.name_of(plan.graph.tasks[i]) == "reduce gradients") {
        return (timeline.finish[i] - timeline.start[i]).value;
      }
    }
    return 0.0;
  };
  const double bytes = rank_parameters(w, 0) * w.training.gradient_bytes;
  EXPECT_TRUE(near(reduction(CollectiveMode::Formula), 2 * 2e-6 + bytes / 10e9));
  EXPECT_TRUE(near(reduction(CollectiveMode::Steady), 2 * 2e-6 + 2 * bytes / 10e9));
}

// Llama-3 405B: 126 layers = 7 + 14 x 8 + 7. All stages together hold the whole model, and seven
// further copies of its norms: two in each layer and the last, of 16384 each.
TEST(UnevenStages, HoldTheWholeModelTogether) {
  const Workload w = testing::shipped("llama3-405b-16384-h100.yaml").workload;
  int layers = 0;
  double parameters = 0;
  for (int stage = 0; stage < w.parallelism.pipeline; ++stage) {
    layers += w.stage_layers(stage);
    parameters += rank_parameters(w, stage) * w.parallelism.tensor;
  }
  EXPECT_EQ(w.stage_layers(0), 7);
  EXPECT_EQ(w.stage_layers(1), 8);
  EXPECT_EQ(w.stage_layers(15), 7);
  EXPECT_EQ(layers, 126);
  const double norms = (2 * 126 + 1) * 16384.0;
  EXPECT_EQ(parameters, total_parameters(w.model) + 7 * norms);
}

// Moving a layer from one end to the other moves its time: stage i computes in proportion to its
// layers, beside what the ends do in addition.
TEST(UnevenStages, ComputeInProportionToTheirLayers) {
  Workload w = testing::shipped("llama3-8b-h100.yaml").workload;
  w.model.layers = 8;
  const KernelTimer timer(load_gpu("a100-80", testing::shipped_presets()), Precision::Bf16);
  const auto seconds = [&](int layers) {
    const Chunk chunk{.layers = std::vector<LayerKindId>(layers)};
    return compute_of(make_program(w, build_model(w), chunk, ActionKind::Forward), timer)
        .total()
        .value;
  };
  EXPECT_TRUE(near(seconds(3), 3 * seconds(1)));
}

}  // namespace
}  // namespace danlu
