// What is offloaded: bytes over PCIe, times by hand, what is held where.
#include "sim/workload/offload.hpp"

#include <gtest/gtest.h>

#include <map>

#include "sim/program/step_program.hpp"
#include "sim/report/report.hpp"
#include "sim/workload/memory.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped;

/// A plain plan of Llama 2 7B on one node of eight H100.
Scenario on_one_node(const std::vector<std::string>& more) {
  std::vector<std::string> settings{
      "model=llama2-7b", "cluster.gpus=8", "parallelism={data: 8}",
      "training={micro_batch: 1, sequence_length: 2048, global_batch: 8}"};
  settings.insert(settings.end(), more.begin(), more.end());
  return shipped("llama3-8b-h100.yaml", settings);
}

Report played(const Scenario& s) {
  const Cluster cluster = build_cluster(s.cluster);
  const StepPlan plan = plan_step(s.workload, cluster);
  return measure("", s.workload, cluster, plan, testing::play(plan.graph));
}

double bytes_over(const Report& report, LinkKind kind) {
  double bytes = 0;
  for (const LinkReport& row : report.links) {
    bytes += row.kind == kind ? row.bytes.value : 0;
  }
  return bytes;
}

constexpr double kParameters = 6738415616;
constexpr double kPcie = 63e9 * 0.879;

// Grace's superchips have NVLink-C2C to their CPUs, 450 GB/s each way: seven times PCIe 5.0.
TEST(Offload, TravelsOverC2cOnGrace) {
  for (const char* rack : {"gb200-nvl72", "gb300-nvl72"}) {
    const Report away =
        played(on_one_node({std::string("cluster.topology=") + rack, "parallelism.zero=1",
                            "parallelism.offload.optimizer=true"}));
    EXPECT_TRUE(near(away.step.by_kind[Axis::Offload].time.value,
                     kParameters / 8 * 6 / (450e9 * 0.879), 1e-6))
        << rack;
  }
}

// Each of eight ranks updates an eighth: 4 bytes of a gradient go down, 2 of a weight come up; the
// CPUs of the node update all of it.
TEST(Offload, UpdatesOnTheHost) {
  const Report there = played(on_one_node({"parallelism.zero=1"}));
  const Report away =
      played(on_one_node({"parallelism.zero=1", "parallelism.offload.optimizer=true",
                          "parallelism.offload.update_rate=5e9"}));
  const double share = kParameters / 8;
  const KindOverlap& copies = away.step.by_kind[Axis::Offload];
  EXPECT_TRUE(near(copies.time.value, share * 6 / kPcie, 1e-6));
  EXPECT_TRUE(near(away.step.breakdown[TimePart::Optimizer].value, kParameters / 5e9, 1e-6));
  EXPECT_TRUE(near(away.step.breakdown[TimePart::ExposedOffload].value, share * 6 / kPcie, 1e-6));
  EXPECT_TRUE(near(away.step.time.value,
                   (there.step.time + copies.time).value + kParameters / 5e9 -
                       there.step.breakdown[TimePart::Optimizer].value,
                   1e-3));
  EXPECT_TRUE(near(bytes_over(away, LinkKind::Pcie), 8 * share * 6 / 0.879, 1e-6));
  EXPECT_EQ(bytes_over(there, LinkKind::Pcie), 0);
}

// In n pieces only the first goes down and the last comes up by itself, where the CPUs are slowest.
TEST(Offload, InPiecesTravelsBesideTheUpdate) {
  const auto step = [](const std::string& pieces) {
    return played(on_one_node({"parallelism.zero=1", "parallelism.offload.optimizer=true",
                               "parallelism.offload.pieces=" + pieces}))
        .step;
  };
  const double exposed = step("1").breakdown[TimePart::ExposedOffload].value;
  EXPECT_TRUE(near(step("10").breakdown[TimePart::ExposedOffload].value, exposed / 10, 1e-6));
}

// The state leaves the GPU, as in DeepSpeed's estimate of what stays (2 P of weights).
TEST(Offload, OfTheOptimizerTakesItsStateOffTheGpu) {
  const Workload w =
      on_one_node({"parallelism.zero=2", "parallelism.offload.optimizer=true"}).workload;
  const MemoryUse use = memory_use(w);
  EXPECT_EQ(use.optimizer.value, 0);
  EXPECT_EQ(use.parameters.value, 2 * kParameters);
  EXPECT_TRUE(near(use.host.value, (12 + 4) * kParameters / 8));
  const MemoryReport report =
      played(on_one_node({"parallelism.zero=2", "parallelism.offload.optimizer=true",
                          "cluster.node.memory=100 GB"}))
          .memory;
  EXPECT_TRUE(near(report.host.value, 16 * kParameters));
  EXPECT_FALSE(report.fits_host());  // 107.8 GB
  EXPECT_FALSE(report.fits());
}

// DeepSpeed's ZeRO-2 with CPU offloading: 2 bytes a parameter and nothing else on the GPU but a
// unit's gradients on their way (its estimate_zero2_model_states_mem_needs: 2 P with cpu_offload);
// what goes over PCIe is the same, but for each microbatch, beside backward.
TEST(Offload, OfGradientsLeavesNoneOnTheGpu) {
  const std::vector<std::string> settings{
      "parallelism.zero=2", "parallelism.offload={optimizer: true, gradients: backward}"};
  const Scenario s = on_one_node(settings);
  const MemoryUse use = memory_use(s.workload);
  EXPECT_EQ(use.gradients.value, 0);
  EXPECT_EQ(use.parameters.value, 2 * kParameters);
  EXPECT_TRUE(near(use.host.value, (12 + 4) * kParameters / 8));
  const Report late =
      played(on_one_node({"parallelism.zero=2", "parallelism.offload.optimizer=true"}));
  const Report early = played(s);
  EXPECT_TRUE(near(bytes_over(early, LinkKind::Pcie), bytes_over(late, LinkKind::Pcie), 1e-6));
  EXPECT_LT(early.step.breakdown[TimePart::ExposedOffload],
            late.step.breakdown[TimePart::ExposedOffload]);
  std::vector<std::string> twice = settings;
  twice.emplace_back("training.global_batch=16");
  EXPECT_TRUE(near(bytes_over(played(on_one_node(twice)), LinkKind::Pcie),
                   kParameters * (2 * 4 + 2) / 0.879, 1e-6));
}

// What layers keep goes down once and comes up once for each microbatch.
TEST(Offload, OfActivationsMovesWhatLayersKeep) {
  const Scenario s =
      on_one_node({"training.global_batch=16", "parallelism.offload.activation_layers=12"});
  const double kept = kept_by(build_model(s.workload).layer(0)).value;
  EXPECT_TRUE(near(bytes_over(played(s), LinkKind::Pcie), 8 * 2 * 2 * 12 * kept / 0.879, 1e-6));
}

TEST(Offload, OfActivationsHidesBesideTheLayersThatAreLong) {
  const Report there = played(on_one_node({}));
  const Report away = played(on_one_node({"parallelism.offload.activation_layers=8"}));
  EXPECT_LT(away.step.by_kind[Axis::Offload].exposed, 0.9 * away.step.by_kind[Axis::Offload].time);
  EXPECT_GE(away.step.time, there.step.time);
  // A link as fast as HBM hides all but the ends of it.
  const Report fast = played(on_one_node(
      {"parallelism.offload.activation_layers=8", "cluster.node.pcie.bandwidth=500 GB/s"}));
  EXPECT_TRUE(near(fast.step.time.value, there.step.time.value, 1e-2));
}

// Of 32 layers 20 stay whole; of the others two are on the GPU at a time.
TEST(Offload, OfActivationsLeavesTwoLayersOnTheGpu) {
  const Workload w = on_one_node({"parallelism.offload.activation_layers=12"}).workload;
  const ModelBlocks model = build_model(w);
  const Bytes layer = kept_by(model.layer(0));
  const HeldDuring forward = memory_over_time(w, model, 0).front();
  EXPECT_EQ(forward.activations, (20 + 2) * layer);
  EXPECT_EQ(forward.on_host, 12 * layer);
  EXPECT_EQ(memory_use(w).host, 12 * layer);
}

TEST(Offload, NeedsPcie) {
  const OffloadSpec some{.activation_layers = 1};
  EXPECT_FALSE(offload_problem(some, {.nics_per_node = 1}));
  EXPECT_FALSE(offload_problem(some, {.scale_up = ScaleUpKind::None, .nics_per_node = 0}));
  EXPECT_FALSE(offload_problem({}, {.nics_per_node = 0}));
  EXPECT_TRUE(offload_problem(some, {.nics_per_node = 0}));
}

// With two on the GPU a layer's forward waits for the copy of the last but one, and its backward
// for its own, which was begun a layer before.
TEST(Offload, LayersWaitForCopiesOfOthers) {
  const Workload w =
      on_one_node({"model.layers=6", "parallelism.offload.activation_layers=4"}).workload;
  const StepProgram step = make_step_program(w);
  const auto copies_before = [&](std::size_t pass) {
    const Program& program = step.programs[step.stages[0].passes[make_id<PassId>(pass)].program];
    std::vector<std::size_t> begun;  // by layer: copies begun before it ends
    std::size_t copies = 0;
    std::size_t layer = 0;
    for (std::size_t i = 0; i < program.segments.size(); ++i) {
      for (; layer < program.layer_ends.size() && program.layer_ends[layer] == i; ++layer) {
        begun.push_back(copies);
      }
      copies += program.segments[i].sort().is_copy() && !program.segments[i].is_compute ? 1 : 0;
    }
    return begun;
  };
  EXPECT_EQ(copies_before(0), (std::vector<std::size_t>{1, 2, 3, 4, 4, 4}));
  EXPECT_EQ(copies_before(1), (std::vector<std::size_t>{0, 1, 2, 3, 4, 4}));
}

}  // namespace
}  // namespace danlu
