// Every schedule of the table, played as a step: lesson 6's model of 8 layers on 4 stages, where a
// layer keeps 256 MiB for each of 8 microbatches.
#include "sim/report/report.hpp"
#include "sim/workload/memory.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;

Scenario lesson(const ScheduleRow& row, const std::vector<std::string>& more = {}) {
  std::vector<std::string> overrides{
      "training.schedule.kind=" + std::string(row.name),
      "training.schedule.chunks=" + std::to_string(row.chunks.value_or(1))};
  overrides.insert(overrides.end(), more.begin(), more.end());
  return testing::shipped("learn/06-pipeline-and-bubbles.yaml", overrides);
}

// The parts of the step add up to it, folded and unfolded are one, and the bubble is that of the
// closed form, F + B = 53.2 ms a microbatch: the ends are a little longer than other stages, and W
// is shorter than F and I, so within a tenth of the step.
TEST(ScheduleReport, EverySecondHasOneName) {
  for (const ScheduleRow& row : schedule_table()) {
    SCOPED_TRACE(row.name);
    const Scenario scenario = lesson(row);
    const Cluster cluster = build_cluster(scenario.cluster);
    const StepPlan plan = plan_step(scenario.workload, cluster);
    const Timeline timeline = testing::play(plan.graph);
    const StepReport step = measure(scenario.name, scenario.workload, cluster, plan, timeline).step;
    EXPECT_TRUE(near(step.breakdown.total().value, step.time.value));
    const double work = 8 * 53.225e-3;
    const double bubble = row.bubble({scenario.workload.placement(), 8}) * work;
    EXPECT_NEAR(step.breakdown[TimePart::Bubble].value, bubble, 0.05 * work);
    const Scenario unfolded = lesson(row, {"fold=off"});
    EXPECT_TRUE(near(testing::play(plan_step(unfolded.workload, cluster).graph).end.value,
                     timeline.end.value));
  }
}

// Nothing is given up before W, so activations are the row's peak of chunks of 512 MiB over v.
TEST(ScheduleReport, MemoryIsThePeakOfChunks) {
  for (const ScheduleRow& row : schedule_table()) {
    SCOPED_TRACE(row.name);
    const Workload w = lesson(row).workload;
    const double chunk = 512.0 * 1024 * 1024 * 4 / w.placement().parts();
    const ModelBlocks model = build_model(w);
    for (int stage = 0; stage < 4; ++stage) {
      Bytes most;
      for (const HeldDuring& moment : memory_over_time(w, model, stage)) {
        most = std::max(most, moment.activations);
      }
      EXPECT_TRUE(near(most.value, chunk * row.peak({w.placement(), 8}, stage)));
    }
  }
}

// A stage of DualPipe holds part r and part p-1-r; both hold the same, and sum their gradients.
TEST(ScheduleReport, DualPipeHoldsTwoCopies) {
  const Workload straight = lesson(kOneFOneB).workload;
  const Workload both = lesson(kDualPipe).workload;
  const StepProgram step = make_step_program(both);
  for (int stage = 0; stage < 4; ++stage) {
    const double held = rank_parameters(straight, stage) + rank_parameters(straight, 3 - stage);
    // The table of tied embeddings is on one stage with the head now, and is held once.
    const double table = stage == 0 || stage == 3 ? both.model.vocab * both.model.hidden : 0.0;
    EXPECT_EQ(rank_parameters(both, stage), held - (both.model.tied_embeddings ? table : 0.0));
    const IdVector<EndId, EndStep>& ends = step.stage(stage).ends;
    const auto sum = std::find_if(ends.begin(), ends.end(),
                                  [](const EndStep& end) { return end.sort == kCopyGroups; });
    ASSERT_NE(sum, ends.end());
    EXPECT_EQ(sum->op, CollectiveOp::AllReduce);
    EXPECT_EQ(sum->bytes.value, rank_parameters(both, stage) * both.training.gradient_bytes);
  }
  EXPECT_EQ(both.parallelism.mesh().group(2, kCopyGroups), (std::vector{1, 2}));
}

}  // namespace
}  // namespace danlu
