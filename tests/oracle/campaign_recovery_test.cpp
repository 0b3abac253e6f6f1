// Ways back that cross one another, against timelines worked out by hand, to 1e-9.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "sim/campaign/campaign.hpp"
#include "tests/support/campaigns.hpp"
#include "tests/support/support.hpp"

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
using Effect = FaultCause::Effect;

/// A hundred steps of 10 s on so many replicas of so many nodes.
CampaignJob job_of(int replicas, int nodes) {
  CampaignJob job = hundred_steps();
  job.replicas = replicas;
  job.nodes = nodes;
  return job;
}

/// A cause that takes out nodes, in repair for 1,000 s.
FaultCause broken(const std::string& name, int nodes, double count) {
  FaultCause cause = listed(name);
  cause.nodes = nodes;
  cause.count = count;
  cause.permanent = 1;
  return cause;
}

// Both replicas break at 154 s: none is left, so the job goes back to 100 s of work and restarts
// as a whole, once: 154 + 5 + 20 + 900. If both nodes must be repaired it waits until 454 s.
TEST(CampaignRecovery, NoReplicaLeftRestartsOnce) {
  const CampaignJob job = job_of(2, 2);
  FaultsSpec spec;
  spec.causes = {broken("power", 2, 1)};
  spec.causes[CauseId{0}].permanent = 0;
  spec.causes[CauseId{0}].detection.delay = constant(5);
  spec.events = {{.at = 154_s}};
  spec.tiers = {every(100, 0)};
  spec.restart = {restart_part(20)};
  spec.recovery.kind = RecoverySpec::Kind::Replica;
  const CampaignTrial trial = play(spec, job);
  EXPECT_TRUE(near(trial.wall.value, 1079));
  EXPECT_TRUE(near(trial.time[Part::Restart].value, 20));
  EXPECT_EQ(trial.time[Part::Waiting], 0_s);
  spec.causes[CauseId{0}].permanent = 1;
  spec.spares.repair = constant(300);
  const CampaignTrial repaired = play(spec, job);
  EXPECT_TRUE(near(repaired.wall.value, 454 + 20 + 900));
  EXPECT_TRUE(near(repaired.time[Part::Waiting].value, 295));
}

// Two replicas of two nodes. Node 0 breaks at 100 s, so node 1 leaves with it; the rack that breaks
// at 200 s takes out nodes 2 and 3 only. Node 0 is back at 1,100 s: the first replica starts from
// nothing, at half the pace until the other is back at 1,200 s, then 950 s more.
TEST(CampaignRecovery, WhatHasLeftCannotBreak) {
  FaultsSpec spec;
  spec.causes = {broken("node", 1, 4), broken("rack", 4, 1)};
  spec.events = {{.at = 100_s}, {.at = 200_s, .cause = CauseId{1}}};
  spec.spares.repair = constant(1000);
  spec.recovery.kind = RecoverySpec::Kind::Replica;
  const CampaignTrial trial = play(spec, job_of(2, 4));
  std::vector<int> repaired;
  for (const CampaignEvent& event : trial.events) {
    if (event.kind == CampaignEvent::Kind::Repair) {
      repaired.push_back(event.component);
    }
  }
  EXPECT_EQ(repaired, (std::vector{0, 2, 3}));
  EXPECT_TRUE(near(trial.gpu_time[Part::Repair].value, 3000));
  EXPECT_TRUE(near(trial.wall.value, 1200 + 950));
  // From 100 s on half of the pace is the node's, from 1,100 s too: it left first.
  EXPECT_TRUE(near(trial.lost[CauseId{0}][Part::Shrunk].value, 50));
  EXPECT_TRUE(near(trial.lost[CauseId{1}][Part::Shrunk].value, 50));
}

// A node is replaced at 150 s: swap 20 s, boot 100 s. A crash at 200 s starts both again, since the
// job has not run with the new node: up at 320 s. A cold spare (50 s) is up by the crash at 230 s
// and not started twice: swap and boot again until 350 s.
TEST(CampaignRecovery, ARestartBegunAgainHasItsNewNodes) {
  FaultsSpec spec;
  spec.causes = {broken("node", 1, 2), listed("crash")};
  spec.events = {{.at = 150_s}, {.at = 200_s, .cause = CauseId{1}}};
  spec.restart = {restart_part(20, "swap"), restart_part(100, "boot")};
  spec.restart[RestartPartId{0}].only_replacement = true;
  spec.spares = {.hot = 1, .repair = constant(1e6)};
  EXPECT_TRUE(near(play(spec, job_of(1, 2)).wall.value, 320 + 1000));
  spec.spares = {.cold = 1, .cold_start = constant(50), .repair = constant(1e6)};
  spec.events[1].at = 230_s;
  EXPECT_TRUE(near(play(spec, job_of(1, 2)).wall.value, 350 + 1000));
}

// Two stops are announced while the job restarts from 150 to 250 s. Each comes after it: save 10 s,
// 50 s of maintenance, restart 100 s; then the 900 s left with nine saves.
TEST(CampaignRecovery, StopsAnnouncedInARestartFollowIt) {
  FaultsSpec spec;
  spec.causes = {listed(), listed("maintenance")};
  spec.causes[CauseId{1}].effect = Effect::Planned;
  spec.causes[CauseId{1}].window = constant(50);
  spec.events = {
      {.at = 150_s}, {.at = 200_s, .cause = CauseId{1}}, {.at = 210_s, .cause = CauseId{1}}};
  spec.tiers = {every(100, 10)};
  spec.restart = {restart_part(100)};
  const CampaignTrial trial = play(spec, hundred_steps());
  EXPECT_TRUE(near(trial.wall.value, 250 + 2 * 160 + 900 + 90));
  EXPECT_EQ(trial.faults, (IdVector<CauseId, int>{1, 2}));
  // A crash at 255 s ends the first save: the stops wait for the next start, at 355 s.
  spec.events.push_back({.at = 255_s});
  EXPECT_TRUE(near(play(spec, hundred_steps()).wall.value, 355 + 2 * 160 + 900 + 90));
}

// Announced stops come by the calendar: one a day, however long the job is down.
TEST(CampaignRecovery, AnnouncedStopsComeByTheCalendar) {
  CampaignJob job{.step = 60_s, .horizon = Seconds{200 * 86400.0}};
  FaultsSpec spec;
  spec.causes = {random_cause(86400, "maintenance"), random_cause(6 * 3600)};
  spec.causes[CauseId{0}].effect = Effect::Planned;
  spec.causes[CauseId{1}].detection.delay = constant(3600);
  spec.restart = {restart_part(600)};
  spec.tiers = {every(3600, 30)};
  spec.trials = 100;
  const Campaign campaign = run_campaign(job, spec);
  const CampaignStatistic& stops = campaign.faults_by_cause[CauseId{0}];
  EXPECT_NEAR(stops.mean, 200, 4 * stops.stderr_of_mean + 0.1);  // one may wait for the end
  EXPECT_NEAR(stops.stddev, std::sqrt(200), 4 * std::sqrt(200 / 200.0));
}

// What corrupts numbers strikes only a job that computes, and its clock waits for that: the same
// faults meet the same steps however long a restart takes.
TEST(CampaignRecovery, CorruptionMeetsTheSameSteps) {
  CampaignJob job{.step = 10_s, .steps = 20000};
  FaultsSpec spec;
  spec.causes = {random_cause(3000, "corruption"), random_cause(9000)};
  spec.causes[CauseId{0}].effect = Effect::Corrupt;
  spec.causes[CauseId{0}].window = constant(1e9);  // never noticed
  spec.tiers = {every(500, 5)};
  spec.semantics.fail_in_restart = false;
  spec.restart = {restart_part(10)};
  const CampaignTrial quick = play(spec, job);
  spec.restart = {restart_part(5000)};
  const CampaignTrial slow = play(spec, job);
  EXPECT_GT(quick.faults[CauseId{0}], 50);
  EXPECT_EQ(quick.faults, slow.faults);
  EXPECT_TRUE(near(quick.time[Part::Redone].value, slow.time[Part::Redone].value));
}

// One checkpoint is kept. That of 100 s goes when that of 200 s can be used, at 250 s; numbers are
// wrong from 190 s on, which is noticed at 270 s: nothing is left but the start.
TEST(CampaignRecovery, KeptCheckpointsGoWhenTheNextCanBeUsed) {
  FaultsSpec spec;
  spec.causes = {listed()};
  spec.causes[CauseId{0}].effect = Effect::Corrupt;
  spec.causes[CauseId{0}].window = constant(80);
  spec.events = {{.at = 190_s}};
  spec.tiers = {every(100, 0)};
  spec.tiers[TierId{0}].persist = 50_s;
  spec.tiers[TierId{0}].keep = 1;
  EXPECT_TRUE(near(play(spec, hundred_steps()).wall.value, 270 + 1000 + 50));
  spec.tiers[TierId{0}].keep = 2;
  EXPECT_TRUE(near(play(spec, hundred_steps()).wall.value, 270 + 900 + 50));
}

// A flap that outlasts its time-out stops the job, one that does not does not; corruption that
// nobody notices stops nothing and is told.
TEST(CampaignRecovery, StopsAreCountedByCause) {
  FaultsSpec spec;
  spec.causes = {listed("flap"), listed("corruption")};
  spec.causes[CauseId{0}].effect = Effect::Degrade;
  spec.causes[CauseId{0}].limit = 10_s;
  spec.causes[CauseId{1}].effect = Effect::Corrupt;
  spec.causes[CauseId{1}].window = constant(1e6);
  spec.events = {{.at = 100_s, .window = 5_s},
                 {.at = 200_s, .window = 15_s},
                 {.at = 300_s, .cause = CauseId{1}}};
  const CampaignTrial trial = play(spec, hundred_steps());
  EXPECT_EQ(trial.faults, (IdVector<CauseId, int>{2, 1}));
  EXPECT_EQ(trial.stops, (IdVector<CauseId, int>{1, 0}));
  EXPECT_EQ(trial.failures, 1);
  EXPECT_EQ(trial.unnoticed, 1);
}

// Repairs that take no time end the wait at once.
TEST(CampaignRecovery, RepairsInNoTime) {
  FaultsSpec spec;
  spec.causes = {broken("node", 1, 2)};
  spec.events = {{.at = 105_s}};
  for (const auto kind : {RecoverySpec::Kind::Restart, RecoverySpec::Kind::Elastic}) {
    spec.recovery.kind = kind;
    EXPECT_TRUE(near(play(spec, job_of(2, 2)).wall.value, 105 + 1000));
  }
  spec.recovery.kind = RecoverySpec::Kind::Replica;  // only the step at hand is done again
  EXPECT_TRUE(near(play(spec, job_of(2, 2)).wall.value, 1005));
}

// A GPU of node 0 is three times as slow from 100 to 700 s; node 0 breaks at 200 s and is repaired
// for 1,000 s. The other replica goes on at half of the job's pace, not at a sixth: 100 + 33.3 s of
// work, of which 30 s are whole steps, then (1,200 - 200) / 2, and the rest with both.
TEST(CampaignRecovery, WhatHasLeftSlowsNobody) {
  FaultsSpec spec;
  spec.causes = {broken("node", 1, 2), listed("slow")};
  spec.causes[CauseId{1}].effect = Effect::Degrade;
  spec.causes[CauseId{1}].nodes = 1;
  spec.causes[CauseId{1}].count = 2;
  spec.causes[CauseId{1}].slowdown = 3;
  spec.causes[CauseId{1}].limit = 300_s;
  spec.causes[CauseId{1}].window = constant(600);
  spec.events = {{.at = 100_s, .cause = CauseId{1}}, {.at = 200_s}};
  spec.spares.repair = constant(1000);
  spec.recovery.kind = RecoverySpec::Kind::Replica;
  const CampaignTrial trial = play(spec, job_of(2, 2));
  EXPECT_EQ(trial.failures, 1);
  EXPECT_TRUE(near(trial.wall.value, 1200 + (1000 - 130 - 500)));
}

// A save from 500 to 610 s outlasts a flap from 505 to 605 s: nothing hung on it, though its
// time-out is 50 s.
TEST(CampaignRecovery, ASaveOutlastsAFlap) {
  FaultsSpec spec;
  spec.causes = {listed("flap")};
  spec.causes[CauseId{0}].effect = Effect::Degrade;
  spec.causes[CauseId{0}].limit = 50_s;
  spec.events = {{.at = 505_s, .window = 100_s}};
  spec.tiers = {every(500, 110)};
  const CampaignTrial trial = play(spec, hundred_steps());
  EXPECT_EQ(trial.failures, 0);
  EXPECT_TRUE(near(trial.wall.value, 1000 + 2 * 110));
}

// One long save at the end of a short run is no run without an end.
TEST(CampaignRecovery, ALongLastSaveIsNotGivenUp) {
  FaultsSpec spec;
  spec.causes = {listed()};
  spec.tiers = {every(0, 700)};
  spec.tiers[TierId{0}].interval = CheckpointTier::Interval::Never;
  const CampaignTrial trial = play(spec, {.step = 10_s, .steps = 3});
  EXPECT_FALSE(trial.gave_up);
  EXPECT_EQ(trial.checkpoints, (IdVector<TierId, int>{1}));
}

// A save is cut at 107 s and usable as it is (half_written_usable); the one before, which still
// persisted, is lost and holds up nobody: saves at 157, 207, ... s of 5 s each.
TEST(CampaignRecovery, ALostSaveBlocksNobody) {
  FaultsSpec spec;
  spec.causes = {listed()};
  spec.events = {{.at = 107_s}};
  spec.tiers = {every(50, 5)};
  spec.tiers[TierId{0}].persist = 104_s;
  spec.tiers[TierId{0}].in_flight = 2;
  spec.semantics.half_written_usable = true;
  // 107 s with 100 s of work; 900 s and 18 more saves; the last is usable 104 s later.
  EXPECT_TRUE(near(play(spec, hundred_steps()).wall.value, 107 + 900 + 18 * 5 + 104));
}

// A save that is due at the end is the last one, whatever a step's length does to the last bits.
TEST(CampaignRecovery, TheLastSaveIsOne) {
  FaultsSpec spec;
  spec.causes = {listed()};
  spec.tiers = {every(0, 1)};
  spec.tiers[TierId{0}].interval = CheckpointTier::Interval::Steps;
  for (int every_steps = 1; every_steps <= 30; ++every_steps) {
    for (const double step : {0.1, 1.0 / 3, 8.633421, 105.22, 1e-3 / 7}) {
      const CampaignJob job{.step = Seconds{step}, .steps = 49.0 * every_steps};
      spec.tiers[TierId{0}].steps = every_steps;
      EXPECT_EQ(play(spec, job).checkpoints, (IdVector<TierId, int>{49}))
          << every_steps << " x " << step;
    }
  }
}

// Two replicas on three nodes: both need node 1. Node 0 breaks at 100 s and the other replica goes
// on; node 1 breaks at 200 s and none is left. Node 0 is mended at 1,100 s, but a replica without
// node 1 cannot start: both do at 1,200 s, from nothing.
TEST(CampaignRecovery, AReplicaWaitsForTheNodeThatItShares) {
  FaultsSpec spec;
  spec.causes = {broken("node", 1, 3)};
  spec.events = {{.at = 100_s}, {.at = 200_s, .component = 1}};
  spec.spares.repair = constant(1000);
  spec.recovery.kind = RecoverySpec::Kind::Replica;
  const CampaignTrial trial = play(spec, job_of(2, 3));
  EXPECT_TRUE(near(trial.time[Part::Waiting].value, 1000));
  EXPECT_TRUE(near(trial.wall.value, 1200 + 1000));
}

// 12 GPUs on two nodes of 8, and a spare. At 154 s the job falls back to 100 s of work: 54 s of 12
// GPUs are redone, 20 s go into the restart, and all the while the spare's 8 stand by. The other 4
// of the last node are nobody's.
TEST(CampaignRecovery, GpusAreChargedAsUsed) {
  CampaignJob job = job_of(1, 2);
  job.gpus_per_node = 8;
  job.unused_gpus = 4;
  FaultsSpec spec;
  spec.causes = {listed()};
  spec.events = {{.at = 154_s}};
  spec.tiers = {every(100, 0)};
  spec.restart = {restart_part(20)};
  spec.spares.hot = 1;
  const CampaignTrial trial = play(spec, job);
  EXPECT_TRUE(near(trial.wall.value, 1074));
  EXPECT_TRUE(near(trial.gpu_time[Part::Redone].value, 54 * 12));
  EXPECT_TRUE(near(trial.gpu_time[Part::Restart].value, 20 * 12));
  EXPECT_TRUE(near(trial.gpu_time[Part::Useful].value, 1000 * 12));
  EXPECT_TRUE(near(trial.gpu_time[Part::Idle].value, 1074 * 8));
  // Of the job as a whole, whatever number of replicas made the work that is lost: two replicas on
  // two nodes, one of them gone since 100 s, so that 54 s at half the pace are 27 s of work.
  CampaignJob two = job_of(2, 2);
  two.gpus_per_node = 4;
  spec.causes = {broken("node", 1, 2), listed("software")};
  spec.events = {{.at = 100_s}, {.at = 154_s, .cause = CauseId{1}}};
  spec.spares = {.repair = constant(1000)};
  spec.recovery.kind = RecoverySpec::Kind::Replica;
  EXPECT_TRUE(near(play(spec, two).gpu_time[Part::Redone].value, 27 * 8));
}

// Numbers go wrong at 150 s, which is noticed at 250 s. The save of 200 s is worthless; that of
// 100 s is there if two are kept, else training begins anew. Before any save nothing is lost.
TEST(CampaignRecovery, NothingLeftToFallBackTo) {
  FaultsSpec spec;
  spec.causes = {listed()};
  spec.causes[CauseId{0}].effect = Effect::Corrupt;
  spec.causes[CauseId{0}].window = constant(100);
  spec.events = {{.at = 150_s}};
  spec.tiers = {every(100, 0)};
  spec.tiers[TierId{0}].keep = 2;
  const CampaignTrial kept = play(spec);
  EXPECT_EQ(kept.begun_anew, 0);
  EXPECT_TRUE(near(kept.wall.value, 250 + 900));
  spec.tiers[TierId{0}].keep = 1;
  const CampaignTrial anew = play(spec);
  EXPECT_EQ(anew.begun_anew, 1);
  EXPECT_TRUE(near(anew.wall.value, 250 + 1000));
  spec.causes[CauseId{0}].effect = Effect::Stop;
  spec.events = {{.at = 50_s}};
  EXPECT_EQ(play(spec).begun_anew, 0);
}

}  // namespace
}  // namespace danlu
