// Jobs that go on with fewer replicas: their step is that of a job of as many, and what is said of
// a campaign beside the whole run.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "sim/session/simulate.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

Scenario job(int gpus, int batch, const std::string& more, int stages = 1) {
  return load_scenario_text(
      "model: {layers: 4, hidden: 1024, heads: 8, vocab: 32000}\ncluster: {topology: dgx-h100, "
      "gpus: " +
          std::to_string(gpus) + "}\nparallelism: {tensor: 4, pipeline: " + std::to_string(stages) +
          "}\ntraining: {global_batch: " + std::to_string(batch) +
          ", micro_batch: 1, sequence_length: 2048, tokens: 1e9}\n" + more,
      "x.yaml", testing::shipped_presets());
}

// 8 nodes hold 16 replicas, two each. Of 64 sequences 15 replicas have 5 microbatches each, and 14
// as well; without a node 14 are left, on 7 whole nodes, which with 14 x 5 sequences is a job of 56
// GPUs. 15 replicas, half a node, never occur.
TEST(ElasticJob, TakesTheStepOfTheReplicasThatNodesLostLeave) {
  const Scenario elastic = job(64, 64,
                               "faults: {days: 3, trials: 1, random: false, what_if: false, "
                               "causes: {gpu: {component: gpu, mtbf: 50000 h, permanent: 1}}, "
                               "events: [{time: 1 h, cause: gpu}], spares: {repair: 48 h}, "
                               "recovery: elastic}\n");
  const Report report = simulate(elastic, {}).report;
  ASSERT_TRUE(report.faults);
  const std::vector<Seconds>& steps = report.faults->study.job.shrunk_step;
  ASSERT_EQ(steps.size(), 16U);
  EXPECT_TRUE(
      testing::near(steps[13].value, simulate(job(56, 70, ""), {}).report.step.time.value, 1e-6));
  // 1e9 tokens are less than three days of work: two totals that are not of the same.
  EXPECT_TRUE(std::any_of(report.notes.begin(), report.notes.end(), [](const std::string& note) {
    return note.starts_with("the campaign is of 3 days (faults.days), the whole run without");
  }));
}

// A campaign that would wait for nodes is asked what going on without them would bring, and plays
// no steps for that: m (1 + b) of them, here b = (p - 1) / m. 16 sequences on 8 replicas of two
// stages are m = 2, on 7 (of which some have one more) m = 3: (3 + 1) / (2 + 1) of the step. In
// proportion to replicas it would be 8 / 7.
TEST(ElasticJob, IsForetoldByMicrobatchesAndTheBubble) {
  const auto shrunk_to = [](int replicas, const std::string& recovery) {
    const Scenario campaign = job(64, 16,
                                  "faults: {days: 3, trials: 1, random: false, "
                                  "causes: {node: {component: node, mtbf: 50000 h, permanent: 1}}, "
                                  "events: [{time: 1 h, cause: node}], spares: {repair: 48 h}, "
                                  "recovery: " +
                                      recovery + "}\n",
                                  2);
    const Report report = simulate(campaign, {}).report;
    return report.faults->study.job.shrunk_step[static_cast<std::size_t>(replicas) - 1] /
           report.step.time;
  };
  EXPECT_NEAR(shrunk_to(7, "restart"), 4.0 / 3, 1e-6);
  EXPECT_NEAR(shrunk_to(7, "elastic"), 4.0 / 3, 0.1);
}

}  // namespace
}  // namespace danlu
