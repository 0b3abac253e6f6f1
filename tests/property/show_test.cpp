// `danlu show` prints a scenario as it is understood. Read back, what it prints must be the same
// scenario: the same settings, the same notes and the same report, byte for byte. Random scenarios
// on all shipped topologies, with own and preset models, figures changed by key, and factors.
//
// DANLU_SEED=n repeats a failure, DANLU_CASES=n asks for more cases per shard.
#include "sim/scenario/show.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/campaign/study.hpp"
#include "sim/engine/engine.hpp"
#include "sim/plan/plan_step.hpp"
#include "sim/report/report.hpp"
#include "sim/report/writers.hpp"
#include "tests/support/play.hpp"
#include "tests/support/random_steps.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::Dice;
using testing::from_environment;
using testing::shipped_presets;

std::string random_model(Dice& dice) {
  if (dice.coin()) {
    return fmt::format("model: {{preset: {}, layers: {}}}\n",
                       dice.pick({"llama3-8b", "gpt2-xl", "llama2-70b"}), dice.pick({8, 16}));
  }
  std::string model =
      fmt::format("model:\n  layers: {}\n  hidden: 1024\n  heads: 16\n  vocab: {}\n",
                  dice.pick({8, 16}), dice.pick({32000, 51200}));
  for (const char* key : {"kv_heads: 8", "ffn: 2816", "gated_mlp: true", "norm: rmsnorm",
                          "biases: false", "tied_embeddings: false", "positions: 2048"}) {
    model += dice.coin() ? fmt::format("  {}\n", key) : "";
  }
  return model;
}

std::string random_cluster(Dice& dice, int gpus) {
  const std::vector<std::string> names = preset_names(shipped_presets().topologies);
  std::string cluster =
      fmt::format("cluster:\n  topology: {}\n  gpus: {}\n", names[dice.below(names.size())], gpus);
  if (dice.coin()) {
    cluster +=
        fmt::format("  gpu: {}\n", dice.pick({"h100", "{preset: h100, gemm: {efficiency: 0.7}}",
                                              "{memory: {bandwidth: 2x, capacity: 3x}}",
                                              "{peak_dense: {bf16: 1.5x}, kernel_launch: 3 us}"}));
  }
  if (dice.coin()) {
    cluster += fmt::format("  node: {}\n",
                           dice.pick({"{nics: {bandwidth: 2x}}", "{pcie: {bandwidth: 0.5x}}",
                                      "{nics: {efficiency: 0.9}, power: 9 kW}"}));
  }
  cluster += dice.coin() ? "  fabric: {oversubscription: 2, latency: 2x}\n" : "";
  cluster += dice.coin() ? "  price: 2.5 USD/h\n" : "";
  return cluster;
}

/// A preset of causes, or own ones, with settings of which some repeat what stands without them.
std::string random_faults(Dice& dice) {
  std::string faults = "faults:\n  days: 5\n  trials: 2\n";
  if (dice.coin()) {
    const std::vector<std::string> names = preset_names(shipped_presets().topologies / "faults");
    faults += fmt::format("  preset: {}\n", names[dice.below(names.size())]);
  } else {
    faults +=
        "  causes: {GPU: {component: gpu, mtbf: 2000 h}, link: {component: nic, mtbf: 1000 h}}\n";
  }
  for (const char* key :
       {"spares: {hot: 2}", "detection: 1 min", "restart: {diagnose: 30 s}", "random: true",
        "checkpoint: {interval: 1 h}", "semantics: {whole_steps: true}"}) {
    faults += dice.coin() ? fmt::format("  {}\n", key) : "";
  }
  return faults;
}

/// Not every one can run: topologies, models and degrees are thrown together.
std::string random_scenario(Dice& dice) {
  const int gpus = dice.pick({8, 16, 32});
  std::string text = dice.coin() ? "name: 'random: \"one\"'\n" : "";
  text += random_model(dice) + random_cluster(dice, gpus);
  text += fmt::format("parallelism:\n  tensor: {}\n  pipeline: {}\n", dice.pick({1, 2, 4, 8}),
                      dice.pick({1, 2}));
  for (const char* key : {"sequence: true", "zero: 1", "scatter_gather: true",
                          "overlap: {tensor: full, chunks: 2x}", "overlap: {tensor: none}"}) {
    const bool taken = std::string_view(key).starts_with("overlap") &&
                       text.find("overlap: {t") != std::string::npos;
    text += !taken && dice.coin() ? fmt::format("  {}\n", key) : "";
  }
  text += fmt::format(
      "training:\n  global_batch: {}\n  micro_batch: {}\n  sequence_length: 1024\n  precision: "
      "{}\n  recompute: {}\n",
      gpus * 4, dice.pick({"1", "2x"}), dice.pick({"bf16", "fp16"}),
      dice.pick({"none", "selective", "full"}));
  text += dice.coin() ? "  dropout: true\n" : "";
  text += dice.coin() ? "  tokens: 1e9\n" : "";
  text += dice.coin() ? "degraded: {gpus: {1: 1.5}}\n" : "";
  text += dice.coin() ? "communication: {timeout: 2x}\n" : "";
  text += dice.coin() ? random_faults(dice) : "";
  text += fmt::format("fold: {}\n", dice.pick({"exact", "bound"}));
  return text;
}

std::string played(const Scenario& scenario) {
  return testing::run_in_child([&] {
    const Cluster cluster = build_cluster(scenario.cluster);
    const StepPlan plan = plan_step(scenario.workload, cluster);
    Report report = measure(scenario.name, scenario.workload, cluster, plan, simulate(plan.graph));
    report.notes = scenario.notes;
    if (scenario.faults) {
      const CampaignJob job{
          .nodes = scenario.cluster.nodes(),
          .gpus_per_node = std::min(scenario.cluster.topology.gpus_per_node, scenario.cluster.gpus),
          .replicas = scenario.workload.parallelism.data,
          .step = report.step.time,
          .steps = 1e9,  // more than can be done by then
          .horizon = *scenario.faults->horizon};
      report.faults = measure_faults(study(job, *scenario.faults, 1), report.step.mfu, 0);
    }
    return json_report(report);
  });
}

class ShownScenarios : public ::testing::TestWithParam<int> {};

TEST_P(ShownScenarios, AreReadBackToTheSameReport) {
  const std::uint64_t cases = from_environment("DANLU_CASES", 50);
  const std::uint64_t own = 1 + 100000 * static_cast<std::uint64_t>(GetParam());
  std::uint64_t seed = from_environment("DANLU_SEED", own);
  fmt::print("seeds from {}\n", seed);
  const LoadOptions options = shipped_presets();
  for (std::uint64_t done = 0; done < cases; ++seed) {
    Dice dice(seed);
    const std::string text = random_scenario(dice);
    Scenario scenario;
    try {
      scenario = load_scenario_text(text, "random.yaml", options);
    } catch (const InputError&) {
      continue;  // a plan that cannot be
    }
    ++done;
    const std::string shown = show_yaml(scenario, options);
    SCOPED_TRACE(fmt::format("DANLU_SEED={} DANLU_CASES=1\n{}\nshown as\n{}", seed, text, shown));
    Scenario again;
    ASSERT_NO_THROW(again = load_scenario_text(shown, "shown.yaml", options));
    ASSERT_EQ(again.notes, scenario.notes);
    ASSERT_EQ(played(again), played(scenario));
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ShownScenarios, ::testing::Range(0, 4));

}  // namespace
}  // namespace danlu
