// What the user wrote holds: --set over a scenario, over what it extends, over presets, whichever
// key it stands at. And settings of a faults section that nothing uses are told.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/base/error.hpp"
#include "sim/campaign/faults.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {
namespace {

/// 16 nodes of 8 A100. 174.6e9 parameters of 14 B make 2.223 TiB.
std::string scenario_with(const std::string& cluster, const std::string& faults) {
  return "model: gpt3-175b\n"
         "cluster: {topology: dgx-a100, gpus: 128" +
         cluster +
         "}\n"
         "parallelism: {tensor: 8, pipeline: 4}\n"
         "training: {global_batch: 64, sequence_length: 2048, tokens: 1e9}\n"
         "faults: " +
         faults + "\n";
}
Scenario load(const std::string& cluster, const std::string& faults,
              std::vector<std::string> overrides = {}) {
  return load_scenario_text(scenario_with(cluster, faults), "good.yaml",
                            shipped_presets(std::move(overrides)));
}
Seconds blocking_of(const Scenario& scenario) {
  return scenario.faults.value().spec.tiers.back().blocking;
}
bool has_note(const Scenario& scenario, const std::string& part) {
  return std::any_of(scenario.notes.begin(), scenario.notes.end(),
                     [&](const std::string& note) { return note.find(part) != std::string::npos; });
}

const std::string kStorage = ", storage: {write: 100 GB/s, read: 50 GB/s}";

// 2.223 TiB over 100 GB/s are 24.45 s, and not the 5 min of rsc-1; nor what 16 nodes of the
// topology's 0.71 GB/s let through. A load takes twice as long.
TEST(FaultsPrecedence, TheStorageOfTheScenarioOverPresets) {
  const Scenario scenario = load(kStorage, "rsc-1");
  const double bytes = total_parameters(scenario.workload.model) * 14;
  EXPECT_NEAR(bytes / 100e9, 24.45, 0.005);
  EXPECT_TRUE(near(blocking_of(scenario).value, bytes / 100e9));
  EXPECT_TRUE(near(scenario.faults->spec.tiers[TierId{0}].load.mean.value, bytes / 50e9));
  EXPECT_TRUE(has_note(scenario, "'faults.checkpoint.write' of rsc-1 gives way"));
  // Without storage of its own the preset holds.
  EXPECT_EQ(blocking_of(load("", "rsc-1")), 300_s);
}

TEST(FaultsPrecedence, TheTimeThatTheScenarioGivesOverItsStorage) {
  const Scenario scenario = load(kStorage, "{preset: rsc-1, checkpoint: {write: 40 s}}");
  EXPECT_EQ(blocking_of(scenario), 40_s);
  EXPECT_TRUE(has_note(scenario, "'faults.checkpoint.write' says how long a checkpoint's write"));
}

TEST(FaultsPrecedence, TheCommandLineOverTheScenario) {
  const std::string given = "{preset: rsc-1, checkpoint: {write: 40 s}}";
  const Scenario storage = load("", given, {"cluster.storage.write=1 TB/s"});
  const double bytes = total_parameters(storage.workload.model) * 14;
  EXPECT_TRUE(near(blocking_of(storage).value, bytes / 1e12));
  EXPECT_EQ(blocking_of(load(kStorage, "rsc-1", {"faults.checkpoint.write=50 s"})), 50_s);
  // A synchronous save blocks for its write: of two names of one time the later one counts.
  EXPECT_EQ(blocking_of(load("", given, {"faults.checkpoint.blocking=70 s"})), 70_s);
}

// megascale writes beside the steps and blocks for 5 s; a synchronous save blocks for all of it.
TEST(FaultsPrecedence, AnotherModeThanThePresets) {
  const Scenario scenario = load(kStorage, "{preset: megascale, checkpoint: {mode: sync}}");
  EXPECT_EQ(blocking_of(scenario), scenario.faults->file.write);
  EXPECT_TRUE(has_note(scenario, "'faults.checkpoint.blocking' of megascale gives way"));
  EXPECT_EQ(blocking_of(load(kStorage, "{preset: megascale, checkpoint: {mode: async}}")), 5_s);
  const Scenario later = load(kStorage, "{preset: rsc-1, checkpoint: {mode: async, blocking: 9 s}}",
                              {"faults.checkpoint.mode=sync"});
  EXPECT_EQ(blocking_of(later), later.faults->file.write);
}

// 5 counted in 10 days on 64 GPUs, then one in 100 h a GPU: 128 GPUs fail every 100/128 h. Then 3
// in 1,000 node-days: on 16 nodes one in 1000/48 days.
TEST(FaultsPrecedence, ARateOfTheCommandLineReplacesOneOfAnotherSort) {
  const std::string counted =
      "{observed: {gpus: 64, time: 10 d}, "
      "causes: {GPU: {component: gpu, observed: 5}, link: {effect: degrade, slow_gpu: 1.5, mtbf: "
      "1000 h, duration: {samples: [1 min, 3 min]}}}}";
  const auto rate = [](const Scenario& scenario) {
    return fault_rate(scenario.faults.value().spec.causes[CauseId{0}]);
  };
  EXPECT_TRUE(near(rate(load("", counted)), 5 * 2 / (10 * kDay)));
  EXPECT_TRUE(near(rate(load("", counted, {"faults.causes.GPU.mtbf=100 h"})), 128 / (100 * kHour)));
  EXPECT_TRUE(
      near(rate(load("", counted,
                     {"faults.causes.GPU.mtbf=100 h", "faults.causes.GPU.per_1000_node_days=3"})),
           48 / (1000 * kDay)));
  const FaultsPlan plan =
      load("", counted, {"faults.causes.link.slowdown=3", "faults.causes.link.duration.mean=7 min"})
          .faults.value();
  EXPECT_TRUE(plan.states.empty());
  EXPECT_EQ(plan.spec.causes[CauseId{1}].slowdown, 3);
  EXPECT_EQ(plan.spec.causes[CauseId{1}].window.kind, Duration::Kind::Constant);
  EXPECT_EQ(plan.spec.causes[CauseId{1}].window.mean, 420_s);
}

// A duration written alone replaces the preset's section, also where it says the same.
TEST(FaultsPrecedence, ADurationAloneThatRepeatsThePresets) {
  const FaultsPlan repeated =
      load("",
           "{preset: llama3-405b, days: 3, causes: {Silent data corruption: {duration: 30 min}}}")
          .faults.value();
  const FaultsPlan plain = load("", "{preset: llama3-405b, days: 3}").faults.value();
  const auto corruption = [](const FaultsPlan& plan) {
    return *std::find_if(plan.spec.causes.begin(), plan.spec.causes.end(),
                         [](const FaultCause& cause) { return cause.name.starts_with("Silent"); });
  };
  EXPECT_EQ(corruption(repeated).window.mean, 1800_s);
  EXPECT_EQ(repeated.assumptions, plain.assumptions);
}

// The default of the table in the place of what a preset lacks changes nothing that it assumes.
TEST(FaultsPrecedence, ADefaultWrittenOut) {
  const FaultsPlan plain = load("", "{preset: llama3-405b, days: 3}").faults.value();
  const auto assumed = [](const std::string& spares) {
    return load("", "{preset: llama3-405b, days: 3, spares: {" + spares + "}}")
        .faults.value()
        .assumptions.size();
  };
  EXPECT_EQ(assumed("cold: 0"), plain.assumptions.size());
  EXPECT_EQ(assumed("cold: 4"), plain.assumptions.size() - 1);
}

TEST(FaultsPrecedence, APresetOnTheCommandLineTakesNothingBack) {
  for (const std::vector<std::string>& order :
       {std::vector<std::string>{"faults=rsc-1", "faults.days=3"},
        std::vector<std::string>{"faults.days=3", "faults=rsc-1"}}) {
    const FaultsPlan plan = load("", "{preset: rsc-2, trials: 7}", order).faults.value();
    EXPECT_EQ(plan.name, "Meta RSC-1: 16,000 A100, general");
    EXPECT_EQ(plan.horizon.value_or(0_s), Seconds{3 * kDay});
    EXPECT_EQ(plan.spec.trials, 50);  // of the scenario, which is replaced
  }
}

TEST(FaultsPrecedence, APresetOverThatOfTheBaseIsTold) {
  const Folder folder;
  folder.write("base.yaml", scenario_with("", "{preset: rsc-2, trials: 7, days: 3}"));
  const std::string file =
      folder.write("own.yaml", "extends: base.yaml\nfaults: {preset: rsc-1, days: 2}\n").string();
  const Scenario scenario = load_scenario(file, shipped_presets());
  EXPECT_TRUE(has_note(scenario, "'faults.trials' of the extended scenario does not hold"));
}

TEST(FaultsPrecedence, DetectionOfACauseInThePreset) {
  EXPECT_TRUE(has_note(load("", "{preset: llama3-405b, detection: 30 s}"),
                       "'faults.detection' does not hold for 'NCCL watchdog timeout'"));
}

// Two nodes of H100 for which nobody pays their own price; the launch of a collective is set for
// all.
TEST(FaultsPrecedence, PriceAndFabricHoldForMixedNodesToo) {
  const Scenario scenario = load(
      ", mixed: {14-15: dgx-h100}, price: 3 USD/h, collective: {launch: 99 us}, node: "
      "{pcie: {bandwidth: 20 GB/s}}",
      "rsc-1");
  ASSERT_EQ(scenario.cluster.others.size(), 1U);
  EXPECT_EQ(scenario.cluster.gpu_of(1).dollars_per_hour, 3);
  EXPECT_TRUE(near(scenario.cluster.topology_of(1).collective_launch.value, 99e-6));
  EXPECT_TRUE(has_note(scenario, "'cluster.node.pcie.bandwidth' holds only for those of"));
}

// By Erlang's formula, worked out apart: 12 hosts beside OPT's 128 are 6 beside 16 and 18 beside
// 256, 16 beside Llama 3's 2,048 are 2 beside 16. What the scenario says is a count.
TEST(FaultsPrecedence, SparesGoWithTheNodes) {
  const auto hot = [](const std::string& faults, std::vector<std::string> overrides = {}) {
    return load("", faults, std::move(overrides)).faults->spec.spares.hot;
  };
  EXPECT_EQ(hot("opt-175b"), 6);
  EXPECT_EQ(hot("llama3-405b"), 2);
  EXPECT_EQ(hot("opt-175b", {"cluster.gpus=1024"}), 12);
  EXPECT_EQ(hot("opt-175b", {"cluster.gpus=2048", "training.global_batch=128"}), 18);
  EXPECT_EQ(hot("{preset: opt-175b, spares: {hot: 5}}"), 5);
  EXPECT_EQ(hot("opt-175b", {"faults.spares.hot=5"}), 5);
  EXPECT_EQ(hot("{preset: opt-175b, spares: {hot: 6, beside: 16}}"), 6);
  EXPECT_EQ(hot("{preset: opt-175b, spares: {hot: 500, beside: 16}}"), 500);
  EXPECT_EQ(hot("opt-175b", {"faults.spares.beside=16"}), 12);
  for (const char* first : {"faults.spares.hot=12", "faults.spares.beside=128"}) {
    const std::string second = first == std::string("faults.spares.hot=12")
                                   ? "faults.spares.beside=128"
                                   : "faults.spares.hot=12";
    EXPECT_EQ(hot("opt-175b", {first, second}), 6) << first;
  }
  EXPECT_TRUE(
      has_note(load("", "opt-175b"),
               "'faults.spares.hot' is 6 here, for 16 nodes: 12 stand beside 128, and a job is "
               "to wait for repairs as rarely"));
  EXPECT_FALSE(has_note(load("", "opt-175b", {"cluster.gpus=1024"}), "spares"));
}

/// The scenario's first note that tells of something without effect; "" without one.
std::string idle_note(const std::string& faults, std::vector<std::string> overrides = {}) {
  for (const std::string& note : load("", faults, std::move(overrides)).notes) {
    if (note.find("effect") != std::string::npos || note.find("nothing but") != std::string::npos) {
      return note;
    }
  }
  return "";
}

TEST(IdleSettings, AreNotesWhereTheyAreNoMistake) {
  const std::string host = "{preset: rsc-1, causes: {X: {mtbf: 100 d, ";
  EXPECT_EQ(idle_note(host + "effect: degrade, slowdown: 2, duration: 5 min, timeout: 10 min}}}"),
            "'faults.causes.X.timeout' has no effect: a window of 300.0 s is never longer");
  EXPECT_EQ(idle_note(host + "effect: degrade, slowdown: 2, duration: 15 min, timeout: 10 min}}}"),
            "");
  EXPECT_EQ(idle_note("{preset: rsc-1, checkpoint: {keep: 3}}"),
            "'faults.checkpoint.keep' has no effect: no cause corrupts numbers, so that the newest "
            "checkpoint is always good");
  EXPECT_EQ(idle_note("{causes: {X: {mtbf: 100 d}}, spares: {hot: 2}}"),
            "'faults.spares.hot' brings nothing but spares that stand by: no failure breaks a node "
            "for good ('permanent')");
  EXPECT_EQ(idle_note("{random: false, events: [{time: 1 h, cause: X}], causes: {X: {mtbf: 9 d}}}"),
            "the rates of 'X' have no effect: 'faults.random' is false");
  EXPECT_EQ(idle_note("{preset: rsc-1, recovery: {kind: elastic}}",
                      {"cluster.gpus=32", "training.global_batch=16"}),
            "'faults.recovery.kind' has no effect: with one replica the whole job restarts, "
            "whatever it is");
}

TEST(IdleSettings, OfAJobThatIsTooSmallForThem) {
  const auto note = [](const std::string& key) {
    const Scenario scenario = load_scenario_text(
        "model: gpt1\ncluster: {topology: dgx-a100, gpus: 16}\nparallelism: "
        "{tensor: 2, sequence: true, zero: 1}\n"
        "training: {global_batch: 64, sequence_length: 512}\n",
        "good.yaml", shipped_presets({key}));
    return scenario.notes.empty() ? "" : scenario.notes.back();
  };
  EXPECT_EQ(note("training.tokens=1e9"), "");
  EXPECT_EQ(note("parallelism.tensor=1"),
            "'parallelism.sequence' has no effect: 'parallelism.tensor' is 1");
  EXPECT_EQ(note("cluster.gpus=2"), "'parallelism.zero' has no effect: 'parallelism.data' is 1");
}

}  // namespace
}  // namespace danlu::testing
