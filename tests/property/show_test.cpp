// `danlu show` prints a scenario as it is understood. Read back, what it prints must be the same
// scenario: the same settings, the same notes and the same report, byte for byte.
//
// DANLU_SEED=n repeats a failure, DANLU_CASES=n asks for more cases per shard.
#include "sim/scenario/show.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/campaign/study.hpp"
#include "sim/engine/engine.hpp"
#include "sim/report/report.hpp"
#include "sim/report/writers.hpp"
#include "sim/tasks/plan_step.hpp"
#include "tests/support/play.hpp"
#include "tests/support/random_scenarios.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::Dice;
using testing::from_environment;
using testing::shipped_presets;

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
    const std::string text = testing::random_scenario(dice);
    LoadOptions with_overrides = options;
    if (dice.coin()) {
      with_overrides.overrides = testing::random_overrides(dice);
    }
    Scenario scenario;
    try {
      scenario = load_scenario_text(text, "random.yaml", with_overrides);
    } catch (const InputError&) {
      continue;  // a plan that cannot be
    }
    const bool idle = std::any_of(
        scenario.notes.begin(), scenario.notes.end(),
        [](const std::string& note) { return note.find("no effect") != std::string::npos; });
    if (idle && !with_overrides.overrides.empty()) {
      continue;  // what is set from outside to no effect is shown as a comment
    }
    ++done;
    const std::string shown = show_yaml(scenario, options);
    SCOPED_TRACE(fmt::format("DANLU_SEED={} DANLU_CASES=1\n{}{}\nshown as\n{}", seed, text,
                             fmt::join(with_overrides.overrides, " "), shown));
    Scenario again;
    ASSERT_NO_THROW(again = load_scenario_text(shown, "shown.yaml", options));
    ASSERT_EQ(again.notes, scenario.notes);
    ASSERT_EQ(played(again), played(scenario));
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, ShownScenarios, ::testing::Range(0, 4));

}  // namespace
}  // namespace danlu
