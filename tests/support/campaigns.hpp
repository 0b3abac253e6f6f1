// Small campaigns for tests: times in seconds, one cause, one tier.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "sim/campaign/campaign.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {

/// A hundred steps of 10 s on one GPU.
inline CampaignJob hundred_steps() {
  return {.step = 10_s, .steps = 100};
}

inline Duration constant(double seconds) {
  return {.mean = Seconds{seconds}};
}

inline Duration exponential(double mean) {
  return {.kind = Duration::Kind::Exponential, .mean = Seconds{mean}};
}

/// A cause whose faults are listed.
inline FaultCause listed(const std::string& name = "fault") {
  FaultCause cause;
  cause.name = name;
  return cause;
}

/// A cause with a constant rate.
inline FaultCause random_cause(double mean_between, const std::string& name = "fault") {
  FaultCause cause = listed(name);
  cause.arrivals.kind = Arrivals::Kind::Exponential;
  cause.arrivals.mean = Seconds{mean_between};
  return cause;
}

/// Saves after so many seconds of useful work.
inline CheckpointTier every(double seconds, double blocking) {
  CheckpointTier tier;
  tier.name = "storage";
  tier.interval = CheckpointTier::Interval::Time;
  tier.time = Seconds{seconds};
  tier.blocking = Seconds{blocking};
  return tier;
}

inline RestartPart restart_part(double seconds, const std::string& name = "restart") {
  RestartPart part;
  part.name = name;
  part.duration.mean = Seconds{seconds};
  return part;
}

/// The first run, which finishes. T50: its parts add up to the wall time, those of GPU time to that
/// of all nodes and spares, and what was useful is the work.
inline CampaignTrial play(const FaultsSpec& spec, const CampaignJob& job = hundred_steps()) {
  EXPECT_TRUE(faults_problems(job, spec).empty());
  CampaignTrial trial = run_trial(job, spec, 0, true);
  EXPECT_TRUE(trial.finished);
  EXPECT_TRUE(near(trial.time.total().value, trial.wall.value));
  EXPECT_TRUE(near(
      trial.gpu_time.total().value,
      trial.wall.value * (job.gpus() + (spec.spares.hot + spec.spares.cold) * job.gpus_per_node)));
  EXPECT_TRUE(near(trial.time[CampaignPart::Useful].value, (job.step * job.steps).value));
  return trial;
}

}  // namespace danlu::testing
