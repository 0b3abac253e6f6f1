// What is said of a step's size before it is made, against the step; and steps whose stages are
// listed.
#include <fmt/format.h>

#include "sim/report/report.hpp"
#include "sim/tasks/plan_step.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped;

struct Planned {
  StepSize before;
  StepSize made;
};

Planned planned(const Scenario& scenario) {
  Planned found;
  const StepPlan plan = plan_step(scenario.workload, build_cluster(scenario.cluster),
                                  [&](const StepSize& size) { found.before = size; });
  found.made.tasks = static_cast<double>(plan.graph.tasks.size());
  for (const PlayedProgram& played : plan.graph.programs) {
    found.made.segments += static_cast<double>(played.program->segments.size());
  }
  return found;
}

// Passes that are one task, passes of many, with chunks, overlap and slow GPUs. The model's ends
// add a few segments, and programs of chunks alike are made once.
TEST(StepSize, IsKnownBeforeTheStepIsMade) {
  const std::vector<Scenario> scenarios{
      shipped("gpt3-175b-64-a100-selective.yaml"),
      shipped("gpt3-175b-64-a100-selective.yaml",
              {"parallelism.overlap.data=true", "cluster.gpus=128", "parallelism.data=2",
               "degraded.gpus={3: 1.5}"}),
      shipped("gpt3-175b-64-a100-selective.yaml", {"fold=off", "training.global_batch=16"}),
      shipped("gpt3-175b-64-a100-selective.yaml",
              {"model.layers=192", "training.schedule.chunks=1", "training.global_batch=8"}),
  };
  for (const Scenario& scenario : scenarios) {
    const Planned found = planned(scenario);
    EXPECT_TRUE(near(found.before.tasks, found.made.tasks, 0.15))
        << found.before.tasks << " for " << found.made.tasks;
    EXPECT_TRUE(near(found.before.segments, found.made.segments, 0.35))
        << found.before.segments << " for " << found.made.segments;
    const StepSize least = least_size(scenario.workload);
    EXPECT_LE(least.tasks, found.made.tasks);
    EXPECT_LE(least.segments, found.made.segments);
  }
}

// A task for each pass of each GPU, and the segments within; the estimate is made of the step
// without jitter, in which passes of a tensor group are one task.
TEST(StepSize, OfJitterIsKnownBeforeTheStepIsFolded) {
  const std::vector<std::string> overrides{"cluster.gpus=128", "parallelism.data=2",
                                           "training.global_batch=32"};
  const Scenario calm = shipped("gpt3-175b-a100.yaml", overrides);
  Scenario shaken = calm;
  shaken.cluster.degraded.jitter = {.spread = 0.1, .gpus = {{0, 63}}};
  const Cluster cluster = build_cluster(shaken.cluster);
  const StepPlan plan = plan_step(shaken.workload, cluster);
  StepSize made;  // of GPUs that jitter
  for (const TaskId id : plan.graph.tasks.ids()) {
    const Task& task = plan.graph.tasks[id];
    if (plan.graph.jitter_of(id) != nullptr) {
      made.tasks += task.kind == TaskKind::Run || task.kind == TaskKind::Compute ? 1 : 0;
      made.drawn += static_cast<double>(task.slice.last - task.slice.first);
    }
  }
  const StepSize before = size_with_jitter(plan_step(calm.workload, build_cluster(calm.cluster)),
                                           calm.workload, shaken.cluster.degraded.jitter);
  EXPECT_GT(made.drawn, 100000);
  EXPECT_TRUE(near(before.tasks, made.tasks, 0.3)) << before.tasks << " for " << made.tasks;
  EXPECT_TRUE(near(before.drawn, made.drawn, 0.05)) << before.drawn << " for " << made.drawn;
  StepSize folded;
  plan_step(shaken.workload, cluster, [&](const StepSize& size) { folded = size; });
  EXPECT_TRUE(near(folded.drawn, made.drawn, 0.05)) << folded.drawn << " for " << made.drawn;
  EXPECT_GT(folded.effort(), folded.parts());
}

double step_of(const std::vector<std::string>& overrides) {
  const Scenario scenario = shipped("gpt3-175b-64-a100-selective.yaml", overrides);
  const StepPlan plan = plan_step(scenario.workload, build_cluster(scenario.cluster));
  return testing::play(plan.graph).end.value;
}

// 96 layers on 8 stages: listed evenly they are those of no list; with 11 layers at the ends the
// list says what first_stage_layers and last_stage_layers (12 1/3 for the others: not whole) say
// for 94 layers, (94 - 2 x 11) / 6 = 12.
TEST(StageLayers, AListSaysWhatTheOtherKeysSay) {
  const std::string fewer = "training.global_batch=16";
  EXPECT_TRUE(near(step_of({fewer, "parallelism.stage_layers=[12, 12, 12, 12, 12, 12, 12, 12]"}),
                   step_of({fewer})));
  const std::string plain = "training.schedule.chunks=1";
  EXPECT_TRUE(near(step_of({fewer, plain, "model.layers=94",
                            "parallelism.stage_layers=[11, 12, 12, 12, 12, 12, 12, 11]"}),
                   step_of({fewer, plain, "model.layers=94", "parallelism.first_stage_layers=11",
                            "parallelism.last_stage_layers=11"})));
}

// Two microbatches on two stages of n and 32 - n layers, no bubble but the schedule's: 1F1B takes
// as long as the larger stage works, plus the smaller one's first pass forward and backward.
TEST(StageLayers, EveryStageHoldsWhatIsListed) {
  Workload w;
  w.model.layers = 32;
  w.parallelism.pipeline = 4;
  w.parallelism.stage_layers = {7, 8, 9, 8};
  EXPECT_EQ(w.stage_layers(0), 7);
  EXPECT_EQ(w.stage_layers(2), 9);
  EXPECT_EQ(w.layers_at({3, 0}), 8);
}

// Two replicas of a two-stage pipeline over PCIe: by closed forms their communications ask for more
// of a link than it has, which is said; shared, they do not.
TEST(FormulaMode, SaysThatLinksAreNotShared) {
  for (const bool formula : {true, false}) {
    Scenario scenario = load_scenario_text(
        "model: {layers: 12, hidden: 1024, heads: 16, vocab: 51200, ffn: 4096, positions: 1024,\n"
        "        gated_mlp: false, tied_embeddings: true, biases: true, norm: layernorm}\n"
        "cluster: {topology: pcie-a10, gpus: 16}\n"
        "parallelism: {pipeline: 2, data: 8, overlap: {data: true}}\n"
        "training: {global_batch: 16, sequence_length: 1024, schedule: {kind: 1f1b, chunks: 3}}\n",
        "own.yaml", testing::shipped_presets());
    scenario.workload.collectives = formula ? CollectiveMode::Formula : CollectiveMode::Steady;
    const Cluster cluster = build_cluster(scenario.cluster);
    const StepPlan plan = plan_step(scenario.workload, cluster);
    const Report report =
        measure("own", scenario.workload, cluster, plan, testing::play(plan.graph));
    double most = 0;
    for (const LinkReport& link : report.links) {
      most = std::max(most, link.average);
      EXPECT_LE(link.average, link.peak * (1 + 1e-9));
    }
    const bool said = std::any_of(report.notes.begin(), report.notes.end(), [](const auto& note) {
      return note.starts_with("collectives: formula gives every communication its links to itself");
    });
    EXPECT_EQ(said, formula);
    EXPECT_EQ(most > 1, formula);
  }
}

}  // namespace
}  // namespace danlu
