// What a faults section is taken to mean: rates, sizes and times that can be worked out by hand.
#include "sim/campaign/faults.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "sim/base/error.hpp"
#include "sim/campaign/study.hpp"
#include "sim/report/faults_report.hpp"
#include "sim/report/writers.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {
namespace {

/// 16 nodes of 8 A100 whose checkpoints all take 40 s.
std::string with_faults(const std::string& faults) {
  return "model: gpt3-175b\n"
         "cluster: {topology: dgx-a100, gpus: 128}\n"
         "parallelism: {tensor: 8, pipeline: 4}\n"
         "training: {global_batch: 64, sequence_length: 2048, tokens: 1e9}\n" +
         faults;
}
FaultsPlan read(const std::string& faults, std::vector<std::string> overrides = {}) {
  return load_scenario_text(with_faults(faults), "good.yaml", shipped_presets(std::move(overrides)))
      .faults.value();
}

const FaultCause& cause(const FaultsPlan& plan, std::string_view name) {
  for (const FaultCause& one : plan.spec.causes) {
    if (one.name == name) {
      return one;
    }
  }
  throw InternalError("no such cause");
}

double stops_per_second(const FaultsPlan& plan) {
  double rate = 0;
  for (const FaultCause& one : plan.spec.causes) {
    const bool stops =
        one.effect == FaultCause::Effect::Stop || one.effect == FaultCause::Effect::Corrupt;
    rate += stops ? fault_rate(one) : 0;
  }
  return rate;
}

TEST(Faults, Llama3HasItsCounts) {
  // T14: table 5 sums up to 419 in 54 days; a faulty GPU is 148 of them, 35.3 % (not 30.1 %).
  const FaultsPlan plan = shipped("faults/llama3-405b-54-days.yaml").faults.value();
  EXPECT_TRUE(near(stops_per_second(plan) * 54 * kDay, 419));
  EXPECT_TRUE(near(fault_rate(cause(plan, "Faulty GPU")) * 54 * kDay, 148));
  EXPECT_TRUE(near(fault_rate(cause(plan, "NIC")) * 54 * kDay, 7));
  EXPECT_TRUE(near(fault_rate(cause(plan, "Planned maintenance")) * 54 * kDay, 47));
  EXPECT_EQ(plan.spec.causes.size(), 19U);
  EXPECT_TRUE(near(plan.horizon.value().value, 54 * kDay));
  EXPECT_FALSE(plan.assumptions.empty());
  // A 1/16 of the cluster fails a 16th as often.
  const FaultsPlan small =
      shipped("faults/llama3-405b-54-days.yaml",
              {"cluster.gpus=1024", "parallelism.data=8", "training.global_batch=128"})
          .faults.value();
  EXPECT_TRUE(near(stops_per_second(small) * 54 * kDay, 419.0 / 16));
}

TEST(Faults, RatesInNodeDays) {
  // T13: 6.5 in 1,000 node-days on 2,048 nodes is one in 1.803 h.
  const FaultsPlan plan =
      shipped("faults/llama3-405b-54-days.yaml", {"faults=rsc-1"}).faults.value();
  EXPECT_TRUE(near(1 / stops_per_second(plan), 1000 * kDay / (6.5 * 2048)));
  EXPECT_NEAR(1 / stops_per_second(plan) / kHour, 1.803, 0.0005);
  EXPECT_FALSE(plan.horizon.has_value());  // the tokens of the run
}

TEST(Faults, EveryPresetIsAPlan) {
  for (const std::string& name : preset_names(source_dir() + "/topologies/faults")) {
    SCOPED_TRACE(name);
    EXPECT_GT(stops_per_second(read("faults: " + name + "\n")), 0);
    EXPECT_GT(load_faults_file(name, shipped_presets()).failures_per_day, 0);
  }
}

TEST(Faults, ACheckpointTakesItsBytesOverTheStorage) {
  // 405.85e9 parameters x 14 B = 5.68 TB; at 200 GB/s 28.4 s, at 50 GB/s 113.6 s. 2,048 nodes that
  // write 10 MB/s each are slower: 277 s.
  const auto file = [](const std::string& storage) {
    return shipped("faults/llama3-405b-54-days.yaml", {"cluster.storage=" + storage})
        .faults.value()
        .file;
  };
  const double bytes = file("{write: 200 GB/s}").size.value;
  EXPECT_NEAR(bytes / 1e12, 5.68, 0.005);
  EXPECT_NEAR(file("{write: 200 GB/s}").write.value, 28.4, 0.05);
  EXPECT_NEAR(file("{write: 50 GB/s}").write.value, 113.6, 0.1);
  EXPECT_TRUE(near(file("{write: 50 GB/s, node_write: 10 MB/s}").write.value, bytes / 20.48e9));
  EXPECT_TRUE(near(file("{write: 50 GB/s, node_write: 10 GB/s}").write.value, bytes / 50e9));
  EXPECT_TRUE(near(file("{write: 50 GB/s, read: 100 GB/s}").read->value, bytes / 100e9));
}

TEST(Faults, AsynchronousWritesContendForTheNics) {
  // 14 B x 175e9 in 40 s over 16 nodes of 8 NICs of 25 GB/s x 0.96 or so: what is left is played.
  const std::string faults = "faults: {preset: rsc-1, checkpoint: {mode: async, write: 40 s}}\n";
  const FaultsPlan alone = read(faults);
  EXPECT_TRUE(alone.states.empty());
  EXPECT_EQ(alone.spec.tiers.back().persist, 40_s);
  EXPECT_EQ(alone.spec.tiers.back().blocking, alone.file.copy);
  const FaultsPlan shared = read(faults, {"cluster.storage.shares_nics=true"});
  ASSERT_EQ(shared.states.size(), 1U);
  const double taken = shared.file.size.value / 40 / (16 * 8);
  const Scenario scenario = load_scenario_text(with_faults(faults), "good.yaml", shipped_presets());
  const TopologySpec& t = scenario.cluster.topology;
  EXPECT_TRUE(
      near(shared.states[0].all_nics, 1 - taken / (t.nic_bandwidth.value * t.nic_efficiency)));
  EXPECT_TRUE(read(faults, {"cluster.storage.shares_nics=true", "faults.checkpoint.slowdown=1.1"})
                  .states.empty());
}

TEST(Faults, OwnKeysOverrideThoseOfThePreset) {
  const FaultsPlan plan = read(
      "faults:\n"
      "  preset: llama3-405b\n"
      "  days: 7\n"
      "  trials: 3\n"
      "  detection: {by: heartbeat, period: 30 s, timeout: 60 s}\n"
      "  causes: {Faulty GPU: {mtbf: 1000 d}}\n"
      "  restart: {reschedule: {mean: 5 min, distribution: log-normal, shape: 1.5}}\n"
      "  checkpoint: {interval: 20 steps}\n");
  EXPECT_TRUE(near(fault_rate(cause(plan, "Faulty GPU")), 128 / (1000 * kDay)));
  EXPECT_TRUE(near(fault_rate(cause(plan, "SSD")), 3.0 / 128 / (54 * kDay)));
  EXPECT_EQ(cause(plan, "SSD").detection.kind, Detection::Kind::Heartbeat);
  EXPECT_EQ(cause(plan, "SSD").detection.timeout, 60_s);
  EXPECT_EQ(cause(plan, "NCCL watchdog timeout").detection.kind, Detection::Kind::Watchdog);
  EXPECT_EQ(plan.spec.trials, 3);
  EXPECT_EQ(plan.spec.tiers.back().interval, CheckpointTier::Interval::Steps);
  EXPECT_EQ(plan.spec.tiers.back().steps, 20);
  const auto part = std::find_if(plan.spec.restart.begin(), plan.spec.restart.end(),
                                 [](const RestartPart& one) { return one.name == "rescheduling"; });
  ASSERT_NE(part, plan.spec.restart.end());
  EXPECT_EQ(part->duration.kind, Duration::Kind::LogNormal);
  EXPECT_EQ(part->duration.shape, 1.5);
  for (const std::string& assumption : plan.assumptions) {
    EXPECT_FALSE(assumption.starts_with("detection")) << assumption;  // it has been replaced
  }
}

TEST(Faults, ADurationWrittenAloneReplacesAllOfThePresets) {
  const auto detection = [](const std::string& value) {
    return read("faults: {preset: rsc-1, detection: " + value + "}\n")
        .spec.causes[CauseId{0}]
        .detection;
  };
  EXPECT_EQ(detection("{timeout: 10 min}").kind, Detection::Kind::Heartbeat);
  EXPECT_EQ(detection("4 min").kind, Detection::Kind::Delay);
  EXPECT_EQ(detection("4 min").delay.mean, 240_s);
  EXPECT_EQ(
      read("faults: rsc-1\n", {"faults.detection=4 min"}).spec.causes[CauseId{0}].detection.kind,
      Detection::Kind::Delay);
}

TEST(Faults, ComponentsAreThoseOfTheCluster) {
  const FaultsPlan plan = read(
      "faults:\n"
      "  causes:\n"
      "    a GPU: {component: gpu, mtbf: 9 d}\n"
      "    a NIC: {component: nic, mtbf: 9 d}\n"
      "    a host: {mtbf: 9 d}\n"
      "    a rack: {component: rack, mtbf: 9 d}\n"
      "    a leaf: {component: leaf, mtbf: 9 d}\n"
      "    a job: {component: job, mtbf: 9 d}\n"
      "    five: {component: rack, nodes: 5, mtbf: 9 d}\n");
  const auto numbers = [&](const char* name) {
    const FaultCause& one = cause(plan, name);
    return std::pair{one.count, one.nodes};
  };
  EXPECT_EQ(numbers("a GPU"), std::pair(128.0, 1));
  EXPECT_EQ(numbers("a NIC"), std::pair(128.0, 1));
  EXPECT_EQ(numbers("a host"), std::pair(16.0, 1));
  EXPECT_EQ(numbers("a rack"), std::pair(4.0, 4));
  EXPECT_EQ(numbers("a leaf").first, 8.0);  // one for each NIC of a node
  EXPECT_EQ(numbers("a leaf").second, 16);
  EXPECT_EQ(numbers("a job"), std::pair(1.0, 0));
  EXPECT_EQ(numbers("five"), std::pair(4.0, 5));
}

TEST(Faults, EventsAndTracesComeInTheOrderOfTime) {
  const Folder folder;
  folder.write("faults.csv", "time,cause,component,duration\n2 h,GPU,7,\n\"30 h\",link,,90 s\n");
  const std::string file =
      folder
          .write("scenario.yaml",
                 with_faults("faults:\n"
                             "  days: 3\n"
                             "  random: false\n"
                             "  causes:\n"
                             "    GPU: {component: gpu, mtbf: 10 h}\n"
                             "    link: {component: nic, effect: degrade, duration: 5 s}\n"
                             "  events: [{time: 90 min, cause: GPU}, {time: 1 d, cause: link}]\n"
                             "  trace: faults.csv\n"))
          .string();
  const FaultsSpec spec = load_scenario(file, shipped_presets()).faults.value().spec;
  ASSERT_EQ(spec.events.size(), 4U);
  EXPECT_EQ(spec.events[0].at, Seconds{1.5 * kHour});
  EXPECT_EQ(spec.events[1].at, Seconds{2 * kHour});
  EXPECT_EQ(spec.events[1].component, 7);
  EXPECT_EQ(spec.events[2].window, kNever);
  EXPECT_EQ(spec.events[3].at, Seconds{30 * kHour});
  EXPECT_EQ(spec.events[3].window, 90_s);
  for (const FaultCause& one : spec.causes) {
    EXPECT_EQ(one.arrivals.kind, Arrivals::Kind::None);  // random: false
  }
  // A list replaces that of the scenario it extends, as a whole.
  const std::string other = folder
                                .write("other.yaml",
                                       "extends: scenario.yaml\n"
                                       "faults: {events: [{time: 5 h, cause: link}]}\n")
                                .string();
  EXPECT_EQ(load_scenario(other, shipped_presets()).faults.value().spec.events.size(), 3U);
}

// Without random faults an event's own duration is enough, where each has one.
TEST(Faults, EventsBringTheirDurations) {
  const auto faults = [](const std::string& events) {
    return "faults: {days: 3, random: false, causes: {link: {component: nic, effect: degrade, "
           "mtbf: 9 h}}, events: [{time: 1 h, cause: link, duration: 90 s}" +
           events + "]}\n";
  };
  EXPECT_EQ(read(faults("")).spec.events[0].window, 90_s);
  EXPECT_THROW(read(faults(", {time: 2 h, cause: link}")), InputError);
  EXPECT_THROW(read(faults(""), {"faults.random=true"}), InputError);
}

TEST(Faults, SlowPartsArePlayed) {
  const FaultsPlan plan = read(
      "faults:\n"
      "  causes:\n"
      "    hot GPU: {component: gpu, mtbf: 9 d, effect: degrade, duration: 1 h, slow_gpu: 1.3}\n"
      "    bad link: {component: nic, mtbf: 9 d, effect: degrade, duration: 1 h, slow_nic: 0.5}\n"
      "    flap: {component: nic, mtbf: 9 d, effect: degrade, duration: 1 min, timeout: 10 min}\n"
      "    known: {mtbf: 9 d, effect: degrade, duration: 1 h, slowdown: 1.05}\n");
  ASSERT_EQ(plan.states.size(), 2U);
  EXPECT_EQ(plan.states[0].slow_nic, 0.5);  // in the order of names
  EXPECT_EQ(plan.states[1].slow_gpu, 1.3);
  EXPECT_TRUE(std::isinf(cause(plan, "flap").slowdown));
  EXPECT_EQ(cause(plan, "flap").limit, 600_s);
  EXPECT_EQ(cause(plan, "known").slowdown, 1.05);
}

/// The job of a shipped scenario, with a step that is not simulated.
CampaignJob job_of(const Scenario& scenario, Seconds step) {
  CampaignJob job{.gpus_per_node = scenario.cluster.topology.gpus_per_node,
                  .replicas = scenario.workload.parallelism.data,
                  .step = step};
  job.nodes = scenario.cluster.gpus / job.gpus_per_node;
  const FaultsPlan& plan = scenario.faults.value();
  job.horizon = plan.horizon.value_or(Seconds{40 * kDay});
  job.steps = std::ceil(job.horizon / step);
  return job;
}

TEST(Faults, EverySecondOfEveryShippedCampaignHasOneName) {
  // T50: the parts add up to the wall time, and those of GPU time to that of all nodes and spares.
  for (const auto& entry :
       std::filesystem::directory_iterator(source_dir() + "/scenarios/faults")) {
    SCOPED_TRACE(entry.path());
    const Scenario scenario = load_scenario(entry.path(), shipped_presets());
    FaultsPlan plan = scenario.faults.value();
    for (const SlowState& state : plan.states) {
      if (state.cause) {
        plan.spec.causes[*state.cause].slowdown = 1.1;
      }
    }
    const CampaignJob job = job_of(scenario, 10_s);
    ASSERT_TRUE(faults_problems(job, plan.spec).empty());
    const FaultsSpec spec = with_intervals(job, plan.spec);
    for (int number = 0; number < 3; ++number) {
      const CampaignTrial trial = run_trial(job, spec, number);
      EXPECT_TRUE(near(trial.time.total().value, trial.wall.value));
      const double gpus =
          (job.nodes + spec.spares.hot + spec.spares.cold) * static_cast<double>(job.gpus_per_node);
      EXPECT_TRUE(near(trial.gpu_time.total().value, trial.wall.value * gpus));
    }
  }
}

TEST(Faults, Llama3sFiftyFourDays) {
  // T14: 419 interruptions, and each cause its share, within 4 standard errors of 100 runs;
  // and effective for more than 90 % of the time with the preset's assumptions.
  const Scenario scenario = shipped("faults/llama3-405b-54-days.yaml");
  FaultsPlan plan = scenario.faults.value();
  plan.spec.trials = 100;
  const Campaign campaign = run_campaign(job_of(scenario, 10_s), plan.spec);
  double unexpected = 0;
  for (const CauseId i : plan.spec.causes.ids()) {
    const FaultCause& one = plan.spec.causes[i];
    const double expected = fault_rate(one) * 54 * kDay;
    const double found = campaign.faults_by_cause[i].mean;
    EXPECT_NEAR(found, expected, 4 * std::sqrt(expected / 100)) << one.name;
    unexpected += one.effect != FaultCause::Effect::Planned ? found : 0;
  }
  EXPECT_NEAR(unexpected, 419, 4 * std::sqrt(419.0 / 100));
  EXPECT_GT(campaign.ettr.mean, 0.90);
}

/// The whole run of a shipped scenario, with a step of that length.
Campaign whole_run(const std::string& name, Seconds step) {
  const Scenario scenario = shipped(name);
  FaultsPlan plan = scenario.faults.value();
  plan.spec.trials = 100;
  CampaignJob job = job_of(scenario, step);
  job.horizon = kNever;
  job.steps = std::ceil(*scenario.workload.training.tokens / scenario.workload.tokens_per_step());
  return run_campaign(job, plan.spec);
}

// BLOOM's 366 B tokens took from 11 March to 6 July 2022, 117 days. With the measured step of
// 105.22 s the campaign is 6 % short of them: the batch grew slowly at first, and the
// chronicle's changes of software and configuration are not in the preset.
TEST(Faults, BloomsSeventeenWeeks) {
  const FaultsPlan plan = shipped("faults/bloom-176b.yaml").faults.value();
  ASSERT_TRUE(plan.step.has_value());
  const Campaign campaign = whole_run("faults/bloom-176b.yaml", *plan.step);
  const double days = campaign.wall.mean / kDay;
  EXPECT_GT(days, 0.93 * 117);
  EXPECT_LT(days, 117);
}

// OPT-175B: about 178,000 GPU-hours wasted beside 33 ideal days, "40+ restarts" in two weeks and
// "~90 restarts" in the final lineage. Detection and replacement were chosen for the first figure;
// the others follow from the counted rates.
TEST(Faults, OptsRestarts) {
  const Scenario scenario = shipped("faults/opt-175b.yaml");
  const double steps =
      std::ceil(*scenario.workload.training.tokens / scenario.workload.tokens_per_step());
  const Campaign campaign = whole_run("faults/opt-175b.yaml", Seconds{33 * kDay / steps});
  const double wasted =
      (campaign.wall.mean - campaign.time[CampaignPart::Useful].value) * 1024 / kHour;
  EXPECT_NEAR(wasted, 178000, 0.1 * 178000);
  EXPECT_NEAR(campaign.failures.mean / campaign.wall.mean * 14 * kDay, 40, 4);
  EXPECT_GT(campaign.failures.mean, 90);
  EXPECT_LT(campaign.failures.mean, 1.3 * 90);
}

TEST(Faults, RemediesHelp) {
  const Scenario scenario = shipped("faults/llama3-405b-54-days.yaml");
  FaultsPlan plan = scenario.faults.value();
  plan.spec.trials = 10;
  const CampaignJob job = job_of(scenario, 10_s);
  const CampaignStudy result = study(job, plan, 2);
  ASSERT_GE(result.what_if.size(), 6U);
  EXPECT_EQ(result.what_if.front().name, "no failures");
  for (const WhatIf& remedy : result.what_if) {
    EXPECT_GT(remedy.saved.value, -0.05 * kDay) << remedy.name;
  }
  // The best interval by trying costs at most what the formula's does, and the curve is flat.
  ASSERT_TRUE(result.interval.has_value() && result.interval->formula.has_value());
  const double ratio = result.interval->best / *result.interval->formula;
  EXPECT_GE(ratio, 0.49);
  EXPECT_LE(ratio, 2.01);
  // The same whatever the number of threads.
  Report one;
  one.faults = measure_faults(study(job, plan, 1), 0.4, 2);
  Report two;
  two.faults = measure_faults(result, 0.4, 2);
  EXPECT_EQ(json_report(one), json_report(two));
}

TEST(Faults, WithoutASectionThereIsNoPlan) {
  EXPECT_FALSE(
      load_scenario_text(with_faults(""), "good.yaml", shipped_presets()).faults.has_value());
}

}  // namespace
}  // namespace danlu::testing
