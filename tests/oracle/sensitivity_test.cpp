// What more of each resource is worth, by hand and on shipped scenarios.
#include "sim/session/sensitivity.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "sim/report/advice.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped;

struct Played {
  Seconds step;
  Sensitivity sensitivity;

  const ResourceGain& of(std::string_view key) const {
    const auto& all = sensitivity.resources;
    return *std::find_if(all.begin(), all.end(), [&](const auto& gain) { return gain.key == key; });
  }
};
Played played(const std::string& file, std::vector<std::string> overrides = {}) {
  const Simulation simulation = simulate(shipped(file, std::move(overrides)));
  return {simulation.report.step.time, sensitivity_of(simulation, {})};
}

// Nothing hides behind anything, so that the step is a + b over the bandwidth: both figures follow
// from the time b that communication takes of it.
TEST(Sensitivity, IsTheShareOfWhatIsNotHidden) {
  const Played two = played("learn/02-two-gpus-and-a-wire.yaml");
  const Seconds sending = (two.step - two.of("nic_bandwidth").twice) * 2;
  EXPECT_GT(sending / two.step, 0.02);
  EXPECT_TRUE(near(two.of("nic_bandwidth").little_more.value,
                   (two.step - sending + sending / kLittleMore).value));
  EXPECT_EQ(two.of("scale_up_bandwidth").twice, two.step);  // each has a node of its own
}

// NCCL has no constants on the lessons' hardware, so that all resources are all that there is.
TEST(Sensitivity, AllTogetherAreWorthOne) {
  for (const char* file : {"learn/05-tensor-parallel.yaml", "learn/06-pipeline-and-bubbles.yaml",
                           "learn/10-memory-and-sharding.yaml"}) {
    const Played lesson = played(file);
    EXPECT_TRUE(near(lesson.sensitivity.together(lesson.step), 1)) << file;
  }
}

class ElasticitiesOf : public ::testing::TestWithParam<const char*> {};

TEST_P(ElasticitiesOf, AddUpToOneWithinThreePerCent) {
  const Played run = played(GetParam());
  EXPECT_NEAR(run.sensitivity.sum(run.step), 1, 0.03);
  EXPECT_NEAR(run.sensitivity.together(run.step), 1, 0.01);
  for (const ResourceGain& gain : run.sensitivity.resources) {
    EXPECT_GE(gain.elasticity(run.step), -0.001) << gain.name;
    EXPECT_LE(gain.twice, run.step * 1.001) << gain.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Shipped, ElasticitiesOf,
                         ::testing::Values("gpt3-175b-a100.yaml", "gpt3-175b-64-a100-full.yaml",
                                           "gpt3-175b-64-a100-selective.yaml",
                                           "gpt3-175b-zb-h1.yaml", "llama3-405b-8192-h100.yaml",
                                           "llama3-70b-hsdp-h100.yaml", "llama3-8b-fsdp-h100.yaml",
                                           "llama3-8b-1m-context.yaml", "mixtral-8x7b-h100.yaml",
                                           "lora-gpt-j-6b-a100.yaml", "mixed-a100-h100.yaml"),
                         [](const auto& test) { return "Number" + std::to_string(test.index); });

// GPT-3 on 1,024 A100 computes all layers again: that switch is worth most, and fits.
TEST(Sensitivity, SwitchesThatAreOff) {
  const Played gpt3 = played("gpt3-175b-a100.yaml");
  ASSERT_FALSE(gpt3.sensitivity.switches.empty());
  EXPECT_EQ(gpt3.sensitivity.switches.front().change, "training.recompute=none");
  EXPECT_TRUE(gpt3.sensitivity.with_memory.empty());
  // With half of the HBM that no longer fits, but would with twice as much.
  const Played tight = played("gpt3-175b-a100.yaml", {"cluster.gpu.memory.capacity=56 GiB"});
  const auto has = [](const std::vector<Saving>& gains) {
    return std::any_of(gains.begin(), gains.end(),
                       [](const Saving& gain) { return gain.change == "training.recompute=none"; });
  };
  EXPECT_FALSE(has(tight.sensitivity.switches));
  EXPECT_TRUE(has(tight.sensitivity.with_memory));
}

// A model with shared experts can run them beside dispatch and combine.
TEST(Sensitivity, SwitchesOfExperts) {
  const Scenario scenario = testing::shipped("deepseek-v3-h800.yaml");
  const std::vector<Change> found = switch_changes(scenario.workload, scenario.cluster);
  EXPECT_TRUE(std::any_of(found.begin(), found.end(), [](const Change& change) {
    return change.text() == "parallelism.overlap.shared_experts=true";
  }));
}

}  // namespace
}  // namespace danlu
