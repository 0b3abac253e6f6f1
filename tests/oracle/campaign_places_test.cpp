// Where what fails lies: what a slow part costs, which nodes a leaf takes out, and which replicas
// have a rank there.
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "sim/campaign/closed_forms.hpp"
#include "sim/campaign/faults.hpp"
#include "sim/campaign/replicas.hpp"
#include "sim/session/simulate.hpp"
#include "tests/support/campaigns.hpp"

namespace danlu {
namespace {

using testing::constant;
using testing::every;
using testing::hundred_steps;
using testing::listed;
using testing::near;
using testing::play;
using testing::random_cause;
using testing::restart_part;
using Part = CampaignPart;

/// Four parts, of which one costs nothing.
FaultCause slow_parts(FaultCause cause, double count) {
  cause.effect = FaultCause::Effect::Degrade;
  cause.count = count;
  cause.slowdown_of = {1, 2, 2, 4};
  return cause;
}

// 100 s in which part i is slow hold 100 / s(i) of work.
TEST(SlowParts, EachCostsItsOwn) {
  FaultsSpec spec;
  spec.causes = {slow_parts(listed(), 4)};
  for (int part = 0; part < 4; ++part) {
    spec.events = {{.at = 100_s, .component = part, .window = 100_s}};
    const double slowdown = spec.causes[CauseId{0}].slowdown_of[static_cast<std::size_t>(part)];
    const double lost = 100 - 100 / slowdown;
    const CampaignTrial trial = play(spec);
    EXPECT_TRUE(near(trial.wall.value, 1000 + lost)) << part;
    EXPECT_TRUE(near(trial.time[Part::Slowed].value, lost)) << part;
  }
}

// A drawn one costs the mean over the parts, 10 s x (0 + 1/2 + 1/2 + 3/4) / 4, whether the
// components that are drawn are the parts themselves or nodes of two parts each; and what strikes
// when does not depend on what it costs. Two at once, 1 of 1,000, cost less.
TEST(SlowParts, ADrawnOneIsAnyOfThem) {
  const CampaignJob job{.step = 10_s, .steps = 1e9, .horizon = Seconds{1e7}};
  double struck = 0;
  for (const double count : {4.0, 2.0}) {
    FaultsSpec spec;
    spec.causes = {slow_parts(random_cause(1e4 * count), count)};
    spec.causes[CauseId{0}].window = constant(10);
    spec.trials = 10;
    const Campaign campaign = run_campaign(job, spec);
    const double faults = campaign.faults_by_cause[CauseId{0}].mean;
    const double error = 10 * std::sqrt(0.0742) / std::sqrt(faults * spec.trials);
    EXPECT_NEAR(campaign.time[Part::Slowed].value / faults, 4.375, 4 * error + 0.01);
    EXPECT_TRUE(struck == 0 || struck == faults);
    struck = faults;
  }
}

// Stages lie on nodes of their own: node 0 and node 2 have parts of the first replica, and when
// one of them breaks, the other is out of the job and cannot. At 154 s the second replica gives up
// 4 s; at half the pace until 174 s.
TEST(ReplicasOnNodes, ARankOnTheNodeIsEnough) {
  CampaignJob job = hundred_steps();
  job.nodes = 4;
  job.replicas = 2;
  job.replicas_on = {{ReplicaId{0}}, {ReplicaId{1}}, {ReplicaId{0}}, {ReplicaId{1}}};
  FaultsSpec spec;
  spec.causes = {listed()};
  spec.causes[CauseId{0}].nodes = 1;
  spec.causes[CauseId{0}].count = 4;
  spec.events = {{.at = 154_s, .component = 0}, {.at = 160_s, .component = 2}};
  spec.restart = {restart_part(20)};
  spec.recovery.kind = RecoverySpec::Kind::Replica;
  const CampaignTrial trial = play(spec, job);
  EXPECT_EQ(trial.failures, 1);
  EXPECT_EQ(trial.left_out, 1);
  EXPECT_TRUE(near(trial.wall.value, 174 + 840));
  // One that has a part on the node next to it takes both, and with none left the job starts anew.
  spec.events[1].component = 1;
  EXPECT_TRUE(near(play(spec, job).wall.value, 160 + 20 + 1000));
}

// Every replica has a rank on either node.
TEST(ReplicasOnNodes, WithNoneLeftTheJobRollsBack) {
  CampaignJob job = hundred_steps();
  job.nodes = 2;
  job.replicas = 2;
  FaultsSpec spec;
  spec.causes = {listed()};
  spec.causes[CauseId{0}].nodes = 1;
  spec.causes[CauseId{0}].count = 2;
  spec.events = {{.at = 154_s}};
  spec.restart = {restart_part(20)};
  spec.recovery.kind = RecoverySpec::Kind::Replica;
  EXPECT_TRUE(near(play(spec, job).wall.value, 174 + 840));
  job.replicas_on = {{ReplicaId{0}, ReplicaId{1}}, {ReplicaId{0}, ReplicaId{1}}};
  EXPECT_TRUE(near(play(spec, job).wall.value, 174 + 1000));
  // So that the interval by formula counts the failure: sqrt(2 C M) and so on.
  spec.tiers = {every(100, 1)};
  spec.tiers[TierId{0}].interval = CheckpointTier::Interval::Auto;
  EXPECT_TRUE(near(with_formulas(job, spec).tiers[TierId{0}].time.value,
                   optimal_interval(1_s, 1000_s).value));
  job.replicas_on.clear();
  EXPECT_EQ(with_formulas(job, spec).tiers[TierId{0}].interval, CheckpointTier::Interval::Never);
}

// Nodes 0 and 1 break together: of three replicas those that have a rank on either.
TEST(ReplicasOnNodes, OfSeveralNodesTheUnionLeaves) {
  const CampaignJob job{
      .nodes = 4,
      .replicas = 3,
      .replicas_on = {
          {ReplicaId{0}}, {ReplicaId{0}, ReplicaId{2}}, {ReplicaId{1}}, {ReplicaId{1}}}};
  EXPECT_EQ(replicas_on(job, {0, 2}), (std::vector{ReplicaId{0}, ReplicaId{2}}));
  EXPECT_EQ(replicas_on(job, {1, 4}), (std::vector{ReplicaId{0}, ReplicaId{1}, ReplicaId{2}}));
}

// Two stops and a flap of 20 min that NCCL gives up after 10: three failures in 1,000 s of work.
// A flap that is over in time is none, nor is one after the end.
TEST(FormulaInterval, CountsAListedFlapThatIsGivenUp) {
  FaultsSpec spec;
  spec.causes = {listed("crash"), listed("flap")};
  spec.causes[CauseId{1}].effect = FaultCause::Effect::Degrade;
  spec.causes[CauseId{1}].limit = 600_s;
  spec.events = {{.at = 100_s},
                 {.at = 200_s},
                 {.at = 300_s, .cause = CauseId{1}, .window = 1200_s},
                 {.at = 400_s, .cause = CauseId{1}, .window = 60_s},
                 {.at = Seconds{5000}}};
  spec.tiers = {every(100, 1)};
  spec.tiers[TierId{0}].interval = CheckpointTier::Interval::Auto;
  CampaignJob job = hundred_steps();
  job.horizon = 1000_s;
  EXPECT_TRUE(near(with_formulas(job, spec).tiers[TierId{0}].time.value,
                   optimal_interval(1_s, Seconds{1000.0 / 3}).value));
}

Scenario scenario(int gpus, const std::string& plan, const std::string& faults,
                  const std::string& cluster = "") {
  return load_scenario_text(
      "model: {layers: 4, hidden: 1024, heads: 8, vocab: 32000}\ncluster: {topology: dgx-h100, "
      "gpus: " +
          std::to_string(gpus) + cluster + "}\nparallelism: {" + plan +
          "}\ntraining: {global_batch: " + std::to_string(gpus) +
          ", micro_batch: 1, sequence_length: 2048, tokens: 1e9}\n" + faults,
      "x.yaml", testing::shipped_presets());
}

// The first stage of two takes the embedding, the last the logits: a slow GPU costs what a step
// does that is played with that very GPU slow, and a drawn one their mean.
TEST(SlowStates, AreThoseOfThePartThatIsSlow) {
  const std::string plan = "tensor: 2, pipeline: 2";
  const Report report =
      simulate(scenario(16, plan,
                        "faults: {days: 1, trials: 1, what_if: false, causes: {hot: {component: "
                        "gpu, mtbf: 900 h, effect: degrade, slow_gpu: 1.5, duration: 1 h}}}\n"),
               {})
          .report;
  const FaultsPlan& faults = report.faults->study.plan;
  const FaultCause& hot = faults.spec.causes[CauseId{0}];
  ASSERT_EQ(hot.slowdown_of.size(), 16U);
  double sum = 0;
  for (const double slowdown : hot.slowdown_of) {
    sum += slowdown;
  }
  EXPECT_TRUE(near(hot.slowdown, sum / 16));
  for (const int gpu : {0, 5, 8, 15}) {
    const std::string damage = "degraded: {gpus: {" + std::to_string(gpu) + ": 1.5}}\n";
    const Report slow = simulate(scenario(16, plan, damage), {}).report;
    EXPECT_NEAR(hot.slowdown_of[static_cast<std::size_t>(gpu)], slow.step.time / report.step.time,
                1e-6)
        << gpu;
  }
  EXPECT_GT(std::abs(hot.slowdown_of[0] - hot.slowdown_of[15]), 0.01);
  EXPECT_LE(faults.slow_parts.size(), static_cast<std::size_t>(report.simulation.classes));
}

// Of two kinds of node the faster one's GPUs have time to spare.
TEST(SlowStates, TellKindsOfNodesApart) {
  const Report report =
      simulate(scenario(16, "tensor: 8",
                        "faults: {days: 1, trials: 1, what_if: false, causes: {hot: {component: "
                        "node, mtbf: 900 h, effect: degrade, slow_gpu: 1.2, duration: 1 h}}}\n",
                        ", mixed: {1: dgx-a100}"),
               {})
          .report;
  const FaultCause& hot = report.faults->study.plan.spec.causes[CauseId{0}];
  ASSERT_EQ(hot.slowdown_of.size(), 16U);
  EXPECT_LT(hot.slowdown_of[0], hot.slowdown_of[8] - 0.01);
}

// GPUs of stages that lie on nodes of their own: two stages of 16 GPUs, of which each node has two
// replicas, and with replicas outermost one whole replica a node.
TEST(ReplicasOnNodes, AreThoseOfThePlan) {
  const auto placed = [](const std::string& outermost) {
    const Report report =
        simulate(scenario(32, "tensor: 4, pipeline: 2, outermost: " + outermost,
                          "faults: {days: 1, trials: 1, what_if: false, random: false, recovery: "
                          "replica, causes: {dead: {component: gpu}}, events: [{time: 1 h, cause: "
                          "dead, component: 3}], restart: {reschedule: 1 h}}\n"),
                 {})
            .report;
    const CampaignStudy& study = report.faults->study;
    const CampaignTrial trial = run_trial(study.job, study.plan.spec, 0, true);
    int least = study.job.replicas;
    for (const CampaignEvent& event : trial.events) {
      least = event.kind == CampaignEvent::Kind::Train ? std::min(least, event.replicas) : least;
    }
    return least;
  };
  EXPECT_EQ(placed("pipeline"), 2);
  EXPECT_EQ(placed("data"), 3);
}

// As many leaves as the cluster is built with, and each takes out the nodes that hang on it.
TEST(LeavesThatFail, AreThoseOfTheCluster) {
  struct Row {
    int gpus;
    std::string fabric;
    int leaves;
  };
  const std::vector<Row> rows{{64, "rail-optimised", 8}, {512, "rail-optimised", 16},
                              {512, "fat-tree", 2},      {512, "switch", 1},
                              {512, "rail-only", 16},    {520, "rail-optimised", 24}};
  for (const Row& row : rows) {
    SCOPED_TRACE(row.fabric + " of " + std::to_string(row.gpus));
    const Scenario read =
        scenario(row.gpus, "tensor: 8",
                 "faults: {days: 1, causes: {leaf: {component: leaf, mtbf: 900 h}}}\n",
                 ", fabric: {kind: " + row.fabric + "}");
    const FaultCause& leaf = read.faults->spec.causes[CauseId{0}];
    const Cluster cluster = build_cluster(read.cluster);
    EXPECT_EQ(leaf.count, row.leaves);
    EXPECT_EQ(cluster.topology.count(VertexKind::Leaf), row.leaves);
    const CampaignJob job{.nodes = cluster.nodes(), .gpus_per_node = 8};
    for (const Link& link : cluster.topology.links()) {
      const Vertex& from = cluster.topology.vertex(link.from);
      const Vertex& to = cluster.topology.vertex(link.to);
      if (from.kind == VertexKind::Nic && to.kind == VertexKind::Leaf) {
        const NodeRange nodes = nodes_of(job, leaf, to.number);
        EXPECT_TRUE(nodes.first <= from.node && from.node < nodes.last);
      }
    }
  }
}

// 200 failures of leaves that were seen on 320 GPUs, with 40 nodes under 8 x 2 leaves: one of 8
// leaves fails 100 times in as long, however many nodes hang on it.
TEST(LeavesThatFail, FailAsOftenWhateverHangsOnThem) {
  for (const int gpus : {8, 64, 256}) {
    const Scenario read =
        scenario(gpus, "tensor: 8",
                 "faults: {days: 1, observed: {gpus: 320, time: 90 d}, causes: {leaf: {component: "
                 "leaf, observed: 200}}}\n");
    EXPECT_TRUE(near(fault_rate(read.faults->spec.causes[CauseId{0}]) * 90 * 86400, 100)) << gpus;
  }
}

}  // namespace
}  // namespace danlu
