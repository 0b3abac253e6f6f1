// The report against hand-worked definitions, and what must hold for every shipped scenario.
#include "sim/report/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "sim/engine/engine.hpp"
#include "sim/report/intervals.hpp"
#include "sim/report/writers.hpp"
#include "tests/support/play.hpp"
#include "tests/support/replicas.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped;

Report report_of(const Scenario& scenario) {
  const Cluster cluster = build_cluster(scenario.cluster);
  const StepPlan plan = plan_step(scenario.workload, cluster);
  return measure(scenario.name, scenario.workload, cluster, plan, simulate(plan.graph));
}

Interval stretch(double start, double finish) {
  return {{start}, {finish}};
}

// T43. One rank computes in [0, 10] and communicates in [6, 12] and [8, 14]. Merged communication
// is [6, 14] = 8 s; both run in [6, 10] = 4 s, so the ratio is 0.5 and 4 s are exposed.
TEST(Intervals, OverlapIsMeasuredOnMergedIntervals) {
  const Intervals compute = unite({stretch(0, 10)});
  const Intervals communication = unite({stretch(6, 12), stretch(8, 14)});
  EXPECT_DOUBLE_EQ(measure_of(communication).value, 8);
  EXPECT_DOUBLE_EQ(measure_of(intersect(communication, compute)).value, 4);
  EXPECT_DOUBLE_EQ(measure_of(subtract(communication, compute)).value, 4);
  EXPECT_DOUBLE_EQ(Coverage(compute).within(stretch(6, 12)).value, 4);
  EXPECT_TRUE(subtract({stretch(0, 14)}, unite({stretch(0, 10), stretch(6, 14)})).empty());
}

TEST(Intervals, EmptyAndTouchingOnes) {
  EXPECT_TRUE(unite({stretch(3, 3)}).empty());
  EXPECT_EQ(unite({stretch(2, 3), stretch(0, 2)}).size(), 1U);
  EXPECT_TRUE(intersect({stretch(0, 1)}, {stretch(1, 2)}).empty());
  EXPECT_DOUBLE_EQ(measure_of(subtract({stretch(0, 10)}, {stretch(2, 3), stretch(5, 6)})).value, 8);
}

// T44. One GPU has nobody to talk to: no ratio, nothing exposed, nothing divided by zero.
TEST(Report, WithoutCommunicationThereIsNoOverlapRatio) {
  const Report report =
      report_of(shipped("llama3-8b-h100.yaml", {"cluster.gpus=1", "parallelism={tensor: 1}",
                                                "training.global_batch=2", "model.layers=2"}));
  EXPECT_FALSE(report.step.all_communication.overlap_ratio().has_value());
  EXPECT_EQ(report.step.all_communication.exposed.value, 0);
  EXPECT_TRUE(report.communication.empty());
  const auto json = nlohmann::json::parse(json_report(report));
  EXPECT_TRUE(json["step"]["overlap_ratio"].is_null());
  EXPECT_TRUE(json["faults"].is_null());
  EXPECT_TRUE(near(report.step.breakdown.total().value, report.step.time.value));
}

// A30. Flash attention executes the causal half of the square. Llama-3-8B on 131,072 tokens: its
// 8.03e9 parameters less embedding and norms are multiplied, P' in all. Model FLOPs of a token are
// 6 P' + 12 l q s with the whole square and 6 P' + 6 l q s with half of it (l q s = 32 x 4096 x
// 131072), so the two MFUs stand as those do. Executed is the half, and in backward its scores once
// more: 3.5/3 of it.
TEST(Report, NamesBothCountsOfAttentionAndExecutesOne) {
  const Report report = report_of(shipped(
      "llama3-8b-h100.yaml", {"training.sequence_length=131072", "training.global_batch=32"}));
  const double weights = 6 * (8030261248.0 - 128256 * 4096.0 - 65 * 4096.0);
  const double half = 6 * 32 * 4096.0 * 131072;
  const StepReport& step = report.step;
  EXPECT_TRUE(near(step.mfu_causal / step.mfu_full, (weights + half) / (weights + 2 * half)));
  EXPECT_EQ(step.mfu, step.mfu_full);
  EXPECT_TRUE(near(step.hfu / step.mfu_causal, (weights + 3.5 / 3 * half) / (weights + half)));
}

// A29. A plan that leaves less than the reserve is tight, and fits.
TEST(Report, APlanInsideTheReserveIsTight) {
  const auto memory = [](const char* reserve) {
    const Scenario s = shipped("gpt3-175b-64-a100-selective.yaml",
                               {fmt::format("training.memory_reserve={}", reserve)});
    return measure_memory(s.workload, s.cluster);
  };
  const double left = (memory("0 B").capacity - memory("0 B").use.peak()).value;
  const auto verdict = [&](double reserve) {
    return memory(fmt::format("{:.0f} B", reserve).c_str()).verdict();
  };
  EXPECT_EQ(verdict(std::floor(left) - 1), "fits");
  EXPECT_EQ(verdict(std::ceil(left) + 1), "tight");
  MemoryReport full = memory("4 GiB");
  full.capacity = full.use.peak() - Bytes{1};
  EXPECT_EQ(full.verdict(), "does not fit");
}

// Two nodes of two A100; all four reduce gradients in rings through both GPUs of each node, streams
// of 10 GB/s, what a NIC does. While one flows the NIC is full, and NVLink has 10 of its 100 GB/s;
// the 2 us of each step that pass before are no part of it.
TEST(Report, PeakOfALinkIsTheRateOfItsStream) {
  testing::Replicas replicas(4);
  replicas.cluster = testing::plain_cluster(2, 2, 100_GBps, 10_GBps, 2_us);
  replicas.cluster.spec.gpu = load_gpu("a100-80", testing::shipped_presets());
  replicas.cluster = build_cluster(replicas.cluster.spec);
  const StepPlan plan = replicas.plan();
  const Report report =
      measure("test", replicas.workload, replicas.cluster, plan, testing::play(plan.graph));
  int seen = 0;
  for (const LinkReport& links : report.links) {
    if (links.kind == LinkKind::NicCable) {
      EXPECT_TRUE(near(links.peak, 1, 1e-6));
      ++seen;
    } else if (links.kind == LinkKind::ScaleUp) {
      EXPECT_TRUE(near(links.peak, 0.1, 1e-6));
      ++seen;
    }
  }
  EXPECT_EQ(seen, 2);
}

// One stage without replicas, tensor parallel over two GPUs: the path is all that one of them does.
// Of its communication, what compute covers is not on it, however often products are cut.
TEST(Report, TheCriticalPathLeavesOutWhatComputeCovers) {
  for (const char* overlap : {"none", "backward", "full"}) {
    testing::run_in_child([&] {
      const Report report = report_of(
          shipped("llama3-8b-h100.yaml",
                  {"cluster.gpus=2", "parallelism.tensor=2", "parallelism.data=1",
                   "parallelism.pipeline=1", fmt::format("parallelism.overlap.tensor={}", overlap),
                   "training.global_batch=2", "model.layers=2"}));
      const KindOverlap& all = report.step.all_communication;
      double listed = 0;
      for (const CriticalCommunication& communication : report.critical_path.communications) {
        listed += communication.time.value;
      }
      if (!near(report.critical_path.communication.value, all.exposed.value) ||
          !near(listed, all.exposed.value) ||
          (std::string(overlap) == "none") != (all.overlapped.value < 1e-9 * all.time.value)) {
        throw std::runtime_error(fmt::format("overlap {}: path {} s, listed {} s, exposed {} s",
                                             overlap, report.critical_path.communication.value,
                                             listed, all.exposed.value));
      }
      return std::string();
    });
  }
}

// The compute part that is useful is model FLOPs at the dense peak, so its share of the step is
// MFU: 72 B s l h^2 (1 + s/(6h) + V/(12 l h)) / (GPUs x peak x step), Korthikanti et al. 2022 (7).
TEST(Report, MfuIsTheUsefulShareAndTheFormulaOfThePaper) {
  const Report report = report_of(shipped("gpt3-175b-64-a100-selective.yaml"));
  const double b = 64, s = 2048, l = 96, h = 12288, v = 51200;
  const double flops = 72 * b * s * l * h * h * (1 + s / (6 * h) + v / (12 * l * h));
  EXPECT_TRUE(near(report.step.mfu, flops / (64 * 312e12 * report.step.time.value)));
  EXPECT_TRUE(near(report.step.breakdown[TimePart::Useful] / report.step.time, report.step.mfu));
}

// MBU. One GPU: what all kernels of the blocks move, for each of three microbatches, and what Adam
// moves of each parameter (24 + 2 + 4 bytes).
TEST(Report, CountsTheBytesOfEveryKernel) {
  const Scenario scenario = shipped(
      "llama3-8b-h100.yaml",
      {"cluster.gpus=1", "parallelism={tensor: 1}", "training.global_batch=3", "model.layers=2"});
  const Report report = report_of(scenario);
  const ModelBlocks model = build_model(scenario.workload);
  double bytes = 0;
  double parameters = 0;
  const auto add = [&](const Block& block) {
    parameters += weight_of(block).held;
    for (const Operator* const one : operators_of(block)) {
      for (const Kernels* const kernels :
           {&one->forward, &one->input_gradient, &one->weight_gradient}) {
        for (const Kernel& kernel : *kernels) {
          bytes += 3 * kernel.bytes.value;
        }
      }
    }
  };
  for (const Block* const block :
       {&model.embedding, &model.layer(0), &model.layer(1), &model.head}) {
    add(*block);
  }
  EXPECT_TRUE(
      near(report.step.mbu, (bytes + 30 * parameters) / (report.step.time.value * 3.35e12)));
}

// Twelve layers on four stages, m = 8, t a microbatch's time in a layer. Evenly a step of 1F1B is
// (m + p - 1) 3 t = 33 t. With six of them on the last stage, which has one microbatch under way,
// it takes m 6 t + 3 x 2 t = 54 t, (m - 1)/m of what that stage is above the mean, 24 t. With six
// on the first, whose four under way hide that the pipe is filled and drained, m 6 t = 48 t.
TEST(Report, SaysWhatUnequalStagesCost) {
  const auto played = [](const std::string& file, const std::vector<std::string>& overrides) {
    const Scenario scenario = shipped(file, overrides);
    const Cluster cluster = build_cluster(scenario.cluster);
    const StepPlan plan = plan_step(scenario.workload, cluster);
    return measure("", scenario.workload, cluster, plan, testing::play(plan.graph));
  };
  const auto lesson = [&](const std::string& layers) {
    return played("learn/06-pipeline-and-bubbles.yaml",
                  {"model.layers=12", "parallelism." + layers, "collectives=formula"});
  };
  constexpr double kEnds = 0.05;  // embedding, head, optimizer
  const Report even = lesson("first_stage_layers=3");
  for (const auto& [layers, slowest, longer] :
       {std::tuple("last_stage_layers=6", 3, 54.0 - 33), {"first_stage_layers=6", 0, 48.0 - 33}}) {
    const Report uneven = lesson(layers);
    const StageBalance balance = balance_of(uneven.stages);
    EXPECT_EQ(balance.slowest, slowest);
    EXPECT_TRUE(near(balance.compute / balance.mean, 2, kEnds));
    const Seconds difference = uneven.step.time - even.step.time;
    EXPECT_TRUE(near(difference / balance.cost(), longer / 24, kEnds));
    ASSERT_EQ(uneven.stages.size(), 4U);
    for (const StageReport& stage : uneven.stages) {
      EXPECT_EQ(stage.gpus, 1);
      EXPECT_TRUE(stage.stage == slowest || stage.waits > uneven.stages[slowest].waits);
    }
  }
  EXPECT_TRUE(played("learn/04-data-parallel-and-overlap.yaml", {}).stages.empty());
}

// Full recomputation does the layers' forward pass twice: HFU/MFU = 4/3 but for the logits.
TEST(Report, FullRecomputationMakesHardwareFlopsFourThirds) {
  const Report report = report_of(shipped("gpt3-175b-64-a100-full.yaml"));
  const double s = 2048, l = 96, h = 12288, v = 51200;
  const double layers = 1 + s / (6 * h);
  const double logits = v / (12 * l * h);
  const double ratio = (layers * 4 / 3 + logits) / (layers + logits);
  EXPECT_TRUE(near(report.step.hfu / report.step.mfu, ratio));
}

class ShippedScenario : public ::testing::TestWithParam<std::string> {};

// T50 and the definitions: the parts add up to the step, exposed + overlapped is communication for
// every kind, the exposed parts add up to all exposed communication, and the critical path covers
// the step.
TEST_P(ShippedScenario, EverySecondHasOneName) {
  const Report report = report_of(shipped(GetParam()));
  const StepReport& step = report.step;
  EXPECT_TRUE(near(step.breakdown.total().value, step.time.value));
  double exposed = 0;
  for (const KindOverlap& kind : step.by_kind) {
    EXPECT_NEAR((kind.exposed + kind.overlapped).value, kind.time.value, 1e-9 * step.time.value);
  }
  for (const TimePart part :
       {TimePart::ExposedTensor, TimePart::ExposedPipeline, TimePart::ExposedData,
        TimePart::ExposedExpert, TimePart::ExposedContext}) {
    exposed += step.breakdown[part].value;
  }
  EXPECT_NEAR(exposed, step.all_communication.exposed.value, 1e-9 * step.time.value);
  EXPECT_TRUE(
      near((report.critical_path.compute.total() + report.critical_path.communication).value,
           step.time.value));
  EXPECT_GT(step.mfu, 0);
  EXPECT_LT(step.mfu, 1);
  EXPECT_GT(step.mbu, 0);
  EXPECT_LT(step.mbu, 1);
  EXPECT_GE(step.hfu, step.mfu_causal * (1 - 1e-12));  // of a mask nothing less is executed
}

std::vector<std::string> shipped_scenarios() {
  std::vector<std::string> files;
  const std::filesystem::path folder = testing::source_dir() + "/scenarios";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") {
      files.push_back(std::filesystem::relative(entry.path(), folder).string());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}
INSTANTIATE_TEST_SUITE_P(
    All, ShippedScenario, ::testing::ValuesIn(shipped_scenarios()), [](const auto& scenario) {
      std::string name = scenario.param;
      std::replace_if(
          name.begin(), name.end(),
          [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
      return name;
    });

// T49. Two runs of one scenario, with its keys in another order, give the same bytes. (The wall
// time is the only figure that differs; it is left out.)
TEST(Report, KeyOrderDoesNotMatter) {
  const auto run = [](const std::string& yaml) {
    return testing::run_in_child([&] {
      const Scenario scenario =
          load_scenario_text(yaml, "scenarios/x.yaml", testing::shipped_presets());
      return json_report(report_of(scenario));
    });
  };
  const std::string one =
      run("name: x\nmodel: megatron-1.7b\ncluster: {topology: dgx-a100, gpus: 16}\n"
          "parallelism: {tensor: 2, pipeline: 2}\n"
          "training: {global_batch: 16, sequence_length: 1024, precision: bf16}\n");
  const std::string other =
      run("training: {precision: bf16, sequence_length: 1024, global_batch: 16}\n"
          "parallelism: {pipeline: 2, tensor: 2}\n"
          "cluster: {gpus: 16, topology: dgx-a100}\nmodel: megatron-1.7b\nname: x\n");
  EXPECT_EQ(one, other);
  EXPECT_NE(one.find("\"schema\": \"danlu.run/1\""), std::string::npos);
}

// A comparison's parts add up to the difference of the steps.
TEST(Compare, PartsAddUpToTheDifference) {
  Report base;
  base.step.time = {10};
  base.step.breakdown[TimePart::Useful] = {6};
  base.step.breakdown[TimePart::ExposedTensor] = {4};
  Report other;
  other.step.time = {7};
  other.step.breakdown[TimePart::Useful] = {6};
  other.step.breakdown[TimePart::ExposedTensor] = {1};
  const Difference against = difference(base, other);
  EXPECT_DOUBLE_EQ(against.step.value, -3);
  EXPECT_DOUBLE_EQ(against.parts.total().value, -3);
  EXPECT_DOUBLE_EQ(against.parts[TimePart::ExposedTensor].value, -3);
}

}  // namespace
}  // namespace danlu
