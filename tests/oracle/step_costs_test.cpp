// What a step asks of its groups, and what its collectives and its optimizer cost before anything
// is shared: sizes and latencies by hand.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/collective/algorithms.hpp"
#include "sim/collective/group.hpp"
#include "sim/collective/tuning.hpp"
#include "sim/program/step_program.hpp"
#include "sim/report/report.hpp"
#include "sim/tasks/plan_step.hpp"
#include "sim/workload/memory.hpp"
#include "sim/workload/model_blocks.hpp"
#include "tests/support/closed_forms.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::plain_cluster;
using testing::rank_layer_parameters;
using testing::shipped;

/// Two stages of two layers, a tied embedding, four replicas.
Workload two_stages() {
  Workload w{.model = {.layers = 4,
                       .hidden = 1024,
                       .heads = 16,
                       .kv_heads = 16,
                       .head_dim = 64,
                       .ffn = 4096,
                       .vocab = 32000}};
  w.parallelism = {.tensor = 2, .pipeline = 2, .data = 4};
  w.training.global_batch = 8;
  w.training.micro_batch = 2;
  w.training.sequence_length = 512;
  return w;
}

// The last backward pass finishes layer by layer, the last layer first: a stage's head comes with
// the first bucket, its embedding with the last.
TEST(GradientBuckets, EndsComeWithTheLayerBesideThem) {
  Workload w = two_stages();
  w.parallelism.overlap_data = true;
  const double layer = rank_layer_parameters(w.model, 2);
  const double table = 32000.0 / 2 * 1024;
  const std::vector<GradientBucket> first = gradient_buckets(w, build_model(w), 0);
  ASSERT_EQ(first.size(), 2U);
  EXPECT_EQ(first[0].parameters, layer);
  EXPECT_EQ(first[1].parameters, layer + table);
  const std::vector<GradientBucket> last = gradient_buckets(w, build_model(w), 1);
  EXPECT_EQ(last[0].parameters, layer + table + 2 * 1024.0);  // and the final norm
  EXPECT_EQ(last[1].parameters, layer);
}

// Weights travel in 16 bits, whatever width gradients have.
TEST(GatheredParameters, HaveTheWidthOfWeights) {
  Workload w = two_stages();
  w.parallelism.zero = 1;
  w.parallelism.data = 2;
  for (const int width : {4, 2}) {
    w.training.gradient_bytes = width;
    const StageProgram stage = make_step_program(w).stages[0];
    const EndStep& last = stage.ends.back();
    EXPECT_EQ(last.name, "gather parameters");
    EXPECT_EQ(last.op, CollectiveOp::AllGather);
    EXPECT_EQ(last.bytes.value, 2 * rank_parameters(w, 0));
  }
}

// The loss over a split vocabulary sums one fp32 number a token: 4 x 2 x 512 bytes.
TEST(LossDemands, AreFp32NumbersOfTokens) {
  const Workload w = two_stages();
  const KernelTimer timer(load_gpu("h100", testing::shipped_presets()), Precision::Bf16);
  const std::vector<Demand> found = demands(make_step_program(w), kTensorGroups, 1);
  EXPECT_NE(
      std::find(found.begin(), found.end(), Demand{CollectiveOp::AllReduce, Bytes{4.0 * 2 * 512}}),
      found.end());
}

// With ZeRO-1 a rank updates a quarter: of each parameter it reads a 4-byte gradient, reads and
// writes three fp32 numbers and writes 2 bytes: 30 bytes at 3350 x efficiency GB/s, and a launch.
TEST(OptimizerTask, IsOfARanksShare) {
  for (const int zero : {0, 1}) {
    Scenario s = shipped("llama3-8b-h100.yaml", {"cluster.gpus=32", "parallelism={tensor: 8}",
                                                 "training.global_batch=8", "model.layers=2"});
    s.workload.parallelism.zero = zero;
    const StepPlan plan = plan_step(s.workload, build_cluster(s.cluster));
    const auto task =
        std::find_if(plan.graph.tasks.begin(), plan.graph.tasks.end(),
                     [&](const Task& one) { return plan.graph.name_of(one) == "optimizer"; });
    ASSERT_NE(task, plan.graph.tasks.end());
    const GpuSpec& gpu = s.cluster.gpu;
    const double bytes = 30 * rank_parameters(s.workload, 0) / (zero == 0 ? 1 : 4);
    EXPECT_TRUE(near(
        task->duration.value,
        bytes / (gpu.memory_bandwidth.value * gpu.memory_efficiency) + gpu.kernel_launch.value));
  }
}

// A gradient of a weight waits for its output's gradient, not for the sum of its input's: that is
// what hides half of the tensor communication of a backward pass.
TEST(TensorOverlap, WeightGradientsRunBesideTheSums) {
  const auto hidden = [](const char* overlap) {
    const Scenario s = shipped("learn/05-tensor-parallel.yaml",
                               {std::string("parallelism.overlap.tensor=") + overlap});
    const Cluster cluster = build_cluster(s.cluster);
    const StepPlan plan = plan_step(s.workload, cluster);
    const Report report = measure("", s.workload, cluster, plan, testing::play(plan.graph));
    return report.step.by_kind[Axis::Tensor].overlapped;
  };
  EXPECT_EQ(hidden("none").value, 0);
  EXPECT_GT(hidden("backward").value, 0);
}

// 8 MB over four GPUs with 8 MB to fill: a window of 4 MB. A ring all-reduce pays it 2 x 3/4 times
// at 100 GB/s, an all-gather 3/4 times, a tree once at half that rate; in lines (LL, LL128) none.
TEST(PipelineFill, IsPaidByPassesOfARing) {
  Cluster cluster = plain_cluster(1, 4, 100_GBps, 25_GBps, {});
  TopologySpec& topology = cluster.spec.topology;
  topology.nccl_tuning = true;
  const std::vector<int> ranks{0, 1, 2, 3};
  const Group group = make_group(cluster, ranks);
  const auto fill = [&](Algorithm algorithm, CollectiveOp op,
                        Protocol protocol = Protocol::Simple) {
    const auto cost = [&](Bytes window) {
      topology.pipeline_fill = window;
      return fixed_latency(topology, group, {algorithm, protocol}, op, 8_MB);
    };
    return (cost(8_MB) - cost({})).value;
  };
  EXPECT_TRUE(near(fill(Algorithm::Ring, CollectiveOp::AllReduce), 4e6 / 100e9 * 1.5));
  EXPECT_TRUE(near(fill(Algorithm::Ring, CollectiveOp::AllGather), 4e6 / 100e9 * 0.75));
  EXPECT_TRUE(near(fill(Algorithm::Tree, CollectiveOp::AllReduce), 4e6 / 50e9));
  for (const Algorithm algorithm : {Algorithm::Ring, Algorithm::Tree}) {
    EXPECT_EQ(fill(algorithm, CollectiveOp::AllReduce, Protocol::LL128), 0);
    EXPECT_EQ(fill(algorithm, CollectiveOp::AllReduce, Protocol::LL), 0);
  }
}

// A tree sums on the way up and spreads on the way down: every edge of its longest branch twice.
TEST(DoubleTree, GoesUpAndDownItsLongestBranch) {
  const Cluster cluster = plain_cluster(4, 1, 100_GBps, 25_GBps, {});
  const std::vector<int> ranks{0, 1, 2, 3};
  const Group group = make_group(cluster, ranks);
  const std::vector<Phase> phases = row_of(Algorithm::Tree).phases(CollectiveOp::AllReduce, group);
  ASSERT_EQ(phases.size(), 1U);
  ASSERT_FALSE(phases[0].critical.empty());
  for (const Hop& hop : phases[0].critical) {
    EXPECT_EQ(hop.times, 2);
  }
}

// A PCIe link between GPUs carries its share of the nominal bandwidth.
TEST(PcieLinks, ReachTheirEfficiency) {
  TopologySpec spec{.name = "pcie", .gpus_per_node = 2, .scale_up = ScaleUpKind::None};
  spec.pcie_bandwidth = 32_GBps;
  spec.pcie_efficiency = 0.75;
  spec.nic_bandwidth = 25_GBps;
  const Cluster cluster = build_cluster({.topology = spec, .gpu = {}, .gpus = 2});
  const Route way = route(cluster, 0, 1);
  ASSERT_EQ(way.size(), 2U);
  EXPECT_EQ(cluster.topology.link(way[0]).bandwidth.value, 24e9);
  EXPECT_EQ(cluster.topology.link(way[0]).nominal.value, 32e9);
}

// What the links of a kind carry is counted over all of them, however few classes they fold into.
TEST(LinkBytes, AreThoseOfAllLinks) {
  const auto carried = [](const char* fold) {
    const Scenario s = shipped("llama3-8b-h100.yaml", {"cluster.gpus=32", "parallelism={tensor: 8}",
                                                       "training.global_batch=8", "model.layers=2",
                                                       std::string("fold=") + fold});
    const Cluster cluster = build_cluster(s.cluster);
    const StepPlan plan = plan_step(s.workload, cluster);
    const Report report = measure("", s.workload, cluster, plan, testing::play(plan.graph));
    std::vector<double> bytes;
    for (const LinkReport& row : report.links) {
      bytes.push_back(row.bytes.value);
    }
    return bytes;
  };
  const std::vector<double> folded = carried("exact");
  const std::vector<double> whole = carried("off");
  ASSERT_EQ(folded.size(), whole.size());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    EXPECT_TRUE(near(folded[i], whole[i]));
  }
}

// Done again in backward, a kernel is executed once more: of a causal attention the half.
TEST(RecomputedKernels, CountWhatIsExecuted) {
  const KernelTimer timer(load_gpu("h100", testing::shipped_presets()), Precision::Bf16);
  const Kernel attention{
      .kind = KernelKind::AttentionForward, .flops = {1e9}, .model_flops = {2e9}, .bytes = {1}};
  EXPECT_EQ(timer.recompute_time({attention}).hardware_flops.value, 1e9);
  EXPECT_EQ(timer.time({attention}).model_flops.value, 2e9);
}

}  // namespace
}  // namespace danlu
