// The report in words: the verdict, plans that differ never read alike, figures that never round to
// nothing, differences that add up.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>
#include <set>

#include "sim/engine/engine.hpp"
#include "sim/report/faults_report.hpp"
#include "sim/report/page.hpp"
#include "sim/report/plan_text.hpp"
#include "sim/report/trace_events.hpp"
#include "sim/report/verdict.hpp"
#include "sim/report/writers.hpp"
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

TEST(Figures, HaveThreeOrFourDigitsAndNeverNone) {
  EXPECT_EQ(figure(0), "0");
  EXPECT_EQ(figure(1234567), "1,235,000");
  EXPECT_EQ(figure(999.96), "1,000");
  EXPECT_EQ(figure(413.82), "413.8");
  EXPECT_EQ(figure(50.2216), "50.22");
  EXPECT_EQ(figure(1), "1.000");
  EXPECT_EQ(figure(0.011349), "0.0113");
  EXPECT_EQ(figure(8.7e-6), "8.70e-06");
  EXPECT_EQ(figure(-2.5), "-2.500");
  EXPECT_EQ(percent(0.5402), "54.0 %");
  EXPECT_EQ(percent(0.0036), "0.4 %");
  EXPECT_EQ(percent(0.0004), "0.04 %");
  EXPECT_EQ(percent(0.000025), "0.0025 %");
  EXPECT_EQ(percent(1e-9), "<0.001 %");
  EXPECT_EQ(percent(0.0), "0 %");
  EXPECT_EQ(signed_percent(0.06), "+6.0 %");
  EXPECT_EQ(signed_percent(-0.06), "-6.0 %");
}

// Of 10 s, 5 are useful, and products and fused attention lose 2 and 0.5: 7.5 s of products.
TEST(Verdict, NamesWhatLimitsTheStep) {
  StepReport step;
  step.time = {10};
  step.breakdown[TimePart::Useful] = {5};
  step.breakdown[TimePart::KernelInefficiency] = {3};
  step.breakdown[TimePart::ExposedTensor] = {1.5};
  step.breakdown[TimePart::Bubble] = {0.5};
  step.kernel_inefficiency = {.gemm = {2}, .attention = {0.5}, .memory = {0.5}};
  EXPECT_EQ(limit_text(step), "matrix products 75.0 %, then exposed tensor communication 15.0 %");
  double sum = 0;
  for (const StepLimit& limit : limits_of(step)) {
    sum += limit.share;
  }
  EXPECT_TRUE(near(sum, 1));
  EXPECT_EQ(limits_of(step).size(), 4U);  // nothing that takes no time
}

TEST(Verdict, ComesFirstAndAlone) {
  Report report = report_of(shipped("gpt3-175b-64-a100-selective.yaml"));
  report.saving = Saving{"parallelism.overlap.tensor=full", report.step.time * 0.9};
  const std::string brief = brief_report(report, false);
  const std::string text = text_report(report, false);
  EXPECT_TRUE(text.starts_with(brief + "\n"));
  EXPECT_TRUE(brief.starts_with(report.scenario + "\n  fits in memory: "));
  EXPECT_NE(brief.find("overlap.tensor=full would save " + to_text(report.step.time * 0.1)),
            std::string::npos);
  // One vocabulary: what the critical path names has a row among the communications.
  std::set<std::string> sorts;
  for (const CommunicationReport& communication : report.communication) {
    sorts.insert(communication.name());
  }
  for (const CriticalCommunication& communication : report.critical_path.communications) {
    EXPECT_TRUE(sorts.contains(communication.name)) << communication.name;
  }
  EXPECT_EQ(text.find(" 0.0 %"), std::string::npos);
}

TEST(Plans, ThatDifferNeverReadAlike) {
  Workload base;
  base.parallelism = {.tensor = 4, .pipeline = 4, .data = 4};
  base.model.layers = 24;
  base.training.global_batch = 64;
  base.training.sequence_length = 2048;
  const std::vector<std::function<void(Workload&)>> changes{
      [](Workload& w) { w.parallelism.tensor = 8; },
      [](Workload& w) { w.parallelism.pipeline = 8; },
      [](Workload& w) { w.parallelism.data = 8; },
      [](Workload& w) { w.parallelism.first_stage_layers = 3; },
      [](Workload& w) { w.parallelism.last_stage_layers = 3; },
      [](Workload& w) { w.parallelism.sequence = true; },
      [](Workload& w) { w.parallelism.zero = 1; },
      [](Workload& w) { w.parallelism.scatter_gather = true; },
      [](Workload& w) { w.parallelism.overlap_tensor = TensorOverlap::None; },
      [](Workload& w) { w.parallelism.overlap_tensor = TensorOverlap::Full; },
      [](Workload& w) {
        w.parallelism.overlap_tensor = TensorOverlap::Full;
        w.parallelism.tensor_chunks = 8;
      },
      [](Workload& w) { w.parallelism.overlap_data = true; },
      [](Workload& w) { w.parallelism.overlap_pipeline = false; },
      [](Workload& w) { w.training.global_batch = 128; },
      [](Workload& w) { w.training.micro_batch = 2; },
      [](Workload& w) { w.training.sequence_length = 4096; },
      [](Workload& w) { w.training.precision = Precision::Fp8; },
      [](Workload& w) { w.training.recompute = Recompute::Full; },
      [](Workload& w) { w.training.recompute = Recompute::Selective; },
      [](Workload& w) { w.training.attention = AttentionKind::Unfused; },
      [](Workload& w) { w.training.dropout = true; },
      [](Workload& w) { w.training.gradient_bytes = 2; },
      [](Workload& w) { w.training.schedule = "gpipe"; },
      [](Workload& w) { w.training.chunks = 2; },
      [](Workload& w) { w.communication.tensor.algorithm = Algorithm::Ring; },
      [](Workload& w) { w.communication.data.algorithm = Algorithm::Ring; },
      [](Workload& w) { w.communication.tensor.protocol = Protocol::Simple; }};
  std::set<std::vector<std::string>> seen{plan_lines(base)};
  for (std::size_t i = 0; i < changes.size(); ++i) {
    Workload changed = base;
    changes[i](changed);
    EXPECT_TRUE(seen.insert(plan_lines(changed)).second) << "change " << i;
  }
}

// 24 layers on 4 stages, 3 of them on the first: 7 on each of the other three.
TEST(Plans, NameUnevenStages) {
  Workload w;
  w.model.layers = 24;
  w.parallelism.pipeline = 4;
  EXPECT_EQ(layout_line(w), "tensor 1 x pipeline 4 x data 1; 1f1b");
  w.parallelism.first_stage_layers = 3;
  EXPECT_EQ(layout_line(w), "tensor 1 x pipeline 4 x data 1; 1f1b, layers by stage: 3, 3 x 7");
}

TEST(Compare, ShowsTheKeysThatDiffer) {
  const auto with = [](std::vector<ReportSetting> settings) {
    Report report;
    report.settings = std::move(settings);
    return report;
  };
  const std::vector<Report> reports{with({{"cluster.topology", "dgx-a100", true},
                                          {"cluster.node.gpus", "8", false},
                                          {"cluster.node.nics.bandwidth", "400 Gbps", true},
                                          {"cluster.fabric.oversubscription", "1", false},
                                          {"parallelism.overlap.data", "false", false},
                                          {"training.micro_batch", "1", true}}),
                                    with({{"cluster.topology", "dgx-h100", true},
                                          {"cluster.node.gpus", "4", false},
                                          {"cluster.node.nics.bandwidth", "50 GB/s", true},
                                          {"cluster.fabric.oversubscription", "2", true},
                                          {"parallelism.overlap.data", "true", true},
                                          {"training.micro_batch", "1", true},
                                          {"training.tokens", "1e9", true}})};
  std::vector<std::string> keys;
  for (const DifferentSetting& setting : different_settings(reports)) {
    keys.push_back(setting.key);
  }
  // What the topology brings along goes without saying; what the user wrote over it does not.
  EXPECT_EQ(keys, (std::vector<std::string>{"cluster.topology", "cluster.fabric.oversubscription",
                                            "parallelism.overlap.data", "training.tokens"}));
  EXPECT_EQ(different_settings(reports)[3].texts, (std::vector<std::string>{"-", "1e9"}));
}

// 40 days become 50: useful as before, 6 of checkpoints less 2 of redone work, 6 of waiting.
TEST(Compare, DaysBetweenCampaignsByName) {
  const auto campaign = [&](double useful, double checkpoint, double redone, double waiting) {
    FaultsReport faults;
    Campaign& of = faults.study.campaign;
    of.time[CampaignPart::Useful] = Seconds{useful * kDay};
    of.time[CampaignPart::Checkpoint] = Seconds{checkpoint * kDay};
    of.time[CampaignPart::Redone] = Seconds{redone * kDay};
    of.time[CampaignPart::Waiting] = Seconds{waiting * kDay};
    of.wall.mean = (useful + checkpoint + redone + waiting) * kDay;
    return faults;
  };
  Report base;
  base.scenario = "a";
  base.faults = campaign(30, 2, 8, 0);
  Report other;
  other.scenario = "b";
  other.faults = campaign(30, 8, 6, 6);
  const CampaignDifference against = campaign_difference(*base.faults, *other.faults);
  EXPECT_TRUE(near(against.wall.value, 10 * kDay));
  EXPECT_TRUE(near(against.parts.total().value, against.wall.value));
  const std::string text = write_text(std::array{comparison_of(std::array{base, other})}, false);
  EXPECT_EQ(text.substr(text.find("\nWith faults, from")), R"(
With faults, from a to b
  days                      40.00 d             ================================
  checkpoint               +6.000 d    +15.0 %                                  +++++
  redone                   -2.000 d     -5.0 %                                     --
  waiting                  +6.000 d    +15.0 %                                     +++++
  days                      50.00 d             ========================================
  difference               +10.00 d    +25.0 %
)");
}

// D4: of draws that take 10 and 12 s the run takes the mean, in days, cost and every GPU-year.
// 1e9 tokens of 1e6 a step are 1,000 steps of 11 s on 2 GPUs: 6.111 GPU-hours at 3 USD.
TEST(WholeRun, IsOfTheMeanOverDraws) {
  Report report;
  report.gpus = 2;
  report.parameters = 3e9;
  report.parameters_by_part[ModelPart::Mlp] = {3e9, 1e9};  // a token meets a third
  report.step.time = {10};
  report.step.model_flops_per_gpu_second = 1e12;
  report.draws = DrawsReport{{{10}, {12}}};
  report.workload.training.global_batch = 1000;
  report.workload.training.sequence_length = 1000;
  report.workload.training.tokens = 1e9;
  ClusterSpec cluster;
  cluster.gpus = 2;
  cluster.topology.gpus_per_node = 2;
  cluster.topology.node_power_watts = 1000;
  cluster.gpu.dollars_per_hour = 3;
  const RunReport run = measure_run(report, cluster).value();
  EXPECT_TRUE(near(run.days, 11000.0 / 86400));
  EXPECT_TRUE(near(run.gpu_hours, 22000.0 / 3600));
  EXPECT_TRUE(near(run.cost_usd.value(), 3 * 22000.0 / 3600));
  EXPECT_TRUE(near(run.energy_mwh.value(), 1e-3 * 11000 / 3600));
  EXPECT_TRUE(near(run.gpu_years_6tp, 6 * 1e9 * 1e9 / 1e12 * 1.1 / (365.25 * 86400)));
}

// The last step is a whole one: 1,500,000 tokens of 1e6 a step are two steps.
TEST(WholeRun, IsOfWholeSteps) {
  Report report;
  report.step.time = {10};
  report.workload.training.global_batch = 1000;
  report.workload.training.sequence_length = 1000;
  report.workload.training.tokens = 1.5e6;
  EXPECT_EQ(measure_run(report, {})->steps, 2);
}

// A31: silence about cost reads as free of charge.
TEST(WholeRun, SaysWhatIsNotKnown) {
  const Report report =
      report_of(shipped("llama3-8b-h100.yaml",
                        {"cluster.topology=mi300x", "cluster.gpus=8", "parallelism={tensor: 1}",
                         "training.global_batch=8", "model.layers=2", "training.tokens=1e6"}));
  const std::string text = text_report(report, false);
  EXPECT_NE(text.find("no power of a node known: set cluster.node.power; its GPUs alone"),
            std::string::npos);
  EXPECT_DOUBLE_EQ(report.run->gpu_energy_mwh, 750e-6 * report.run->gpu_hours);
  EXPECT_EQ(text.find("no price known"), std::string::npos);
}

// Three quarters at 1 USD and one at 5: 2 a GPU-hour, in the run and in the campaign.
TEST(WholeRun, PriceOfSeveralKindsIsTheirMean) {
  ClusterSpec cluster;
  cluster.topology.gpus_per_node = 8;
  cluster.gpus = 32;
  cluster.gpu.dollars_per_hour = 1;
  cluster.others.push_back({cluster.topology, cluster.gpu});
  cluster.others[0].gpu.dollars_per_hour = 5;
  cluster.kind_of_node = {{3, 1}};
  EXPECT_TRUE(near(dollars_per_gpu_hour(cluster).value(), 2));
  cluster.others[0].gpu.dollars_per_hour = 0;
  EXPECT_FALSE(dollars_per_gpu_hour(cluster).has_value());
}

// Which of two kinds has no price.
TEST(WholeRun, SaysWhichGpusHaveNoPrice) {
  Scenario mixed = shipped("mixed-a100-h100.yaml", {"training.tokens=1e9"});
  mixed.cluster.others[0].gpu.dollars_per_hour = 0;
  const std::string text = text_report(report_of(mixed), false);
  EXPECT_NE(text.find("no price known of " + mixed.cluster.others[0].gpu.name +
                      ": gpu.price of its topology's file, or cluster.price for all"),
            std::string::npos)
      << text;
}

// A26: where one slice begins as another ends, they touch, whatever the instants are.
TEST(TraceTime, SlicesThatTouchNeverOverlap) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> step(0, 3e-6);
  double now = 0;
  long long end = 0;
  for (int i = 0; i < 100000; ++i) {
    const double next = now + step(random);
    const TraceTime time({Seconds{now}, Seconds{next}});
    EXPECT_EQ(time.begin.value, end);
    end = time.begin.value + time.duration.value;
    now = next;
  }
  EXPECT_EQ(fmt::format("{}", TraceTime({Seconds{0.5e-9}, Seconds{1.5e-6}}).duration), "1.499");
  const Seconds days{54 * 86400.0};
  EXPECT_EQ(fmt::format("{}", TraceTime({days, days}).begin), "4665600000000.000");
}

}  // namespace
}  // namespace danlu
