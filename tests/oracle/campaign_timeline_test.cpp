// Campaigns with listed faults, against timelines worked out by hand, to 1e-9.
#include <gtest/gtest.h>

#include "sim/campaign/campaign.hpp"
#include "tests/support/campaigns.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::constant;
using testing::every;
using testing::exponential;
using testing::hundred_steps;
using testing::listed;
using testing::near;
using testing::play;
using testing::restart_part;
using Part = CampaignPart;
using Effect = FaultCause::Effect;

/// 100 steps of 10 s, a save of 20 s every 50 steps, detection 30 s, restart 120 s.
FaultsSpec plain(std::vector<double> failures) {
  FaultsSpec spec;
  spec.causes = {listed()};
  spec.causes[CauseId{0}].detection.delay = constant(30);
  for (const double at : failures) {
    spec.events.push_back({.at = Seconds{at}});
  }
  spec.tiers = {every(0, 20)};
  spec.tiers[TierId{0}].interval = CheckpointTier::Interval::Steps;
  spec.tiers[TierId{0}].steps = 50;
  spec.restart = {restart_part(120)};
  return spec;
}

double wall(const FaultsSpec& spec) {
  return play(spec).wall.value;
}

// T01: 1000 s of steps and two saves of 20 s.
TEST(CampaignTimeline, WithoutFaults) {
  const CampaignTrial trial = play(plain({}));
  EXPECT_TRUE(near(trial.wall.value, 1040));
  EXPECT_TRUE(near(trial.time[Part::Checkpoint].value, 40));
  EXPECT_EQ(trial.checkpoints, (IdVector<TierId, int>{2}));
  FaultsSpec spec = plain({});
  spec.semantics.last_checkpoint = false;
  EXPECT_TRUE(near(wall(spec), 1020));
}

// T02: saved at 520 s, so that 734.5 s loses 214.5 s = 21 steps and 4.5 s; 150 s down; then the
// other 50 steps and the last save: 734.5 + 150 + 520.
TEST(CampaignTimeline, OneFailure) {
  const CampaignTrial trial = play(plain({734.5}));
  EXPECT_TRUE(near(trial.wall.value, 1404.5));
  EXPECT_TRUE(near(trial.time[Part::Redone].value, 214.5));
  EXPECT_TRUE(near(trial.time[Part::Detection].value, 30));
  EXPECT_TRUE(near(trial.time[Part::Restart].value, 120));
  EXPECT_TRUE(near(trial.lost[CauseId{0}].total().value, 214.5 + 150));
  EXPECT_EQ(trial.faults[CauseId{0}], 1);
  EXPECT_EQ(trial.failures, 1);
}

// T03: at 510 s the save is half written: back to the start, 510 + 150 + 1040. Where a half-written
// save can be used, 500 s of work stay: 510 + 150 + 500 + 20.
TEST(CampaignTimeline, FailureInASave) {
  FaultsSpec spec = plain({510});
  EXPECT_TRUE(near(wall(spec), 1700));
  spec.semantics.half_written_usable = true;
  EXPECT_TRUE(near(wall(spec), 1180));
  // Not if nothing fails in a save.
  spec.semantics.fail_in_checkpoint = false;
  EXPECT_TRUE(near(wall(spec), 1040));
}

// T04: 800 s is in the restart of the failure at 734.5 s. Model A begins again from there, 800 +
// 150 + 520; model B takes no notice.
TEST(CampaignTimeline, FailureInARestart) {
  FaultsSpec spec = plain({734.5, 800});
  EXPECT_TRUE(near(wall(spec), 1470));
  spec.semantics.fail_in_restart = false;
  EXPECT_TRUE(near(wall(spec), 1404.5));
  // In the detection, 740 s counts only if asked for: 740 + 150 + 520.
  spec = plain({734.5, 740});
  EXPECT_TRUE(near(wall(spec), 1404.5));
  spec.semantics.fail_in_detection = true;
  EXPECT_TRUE(near(wall(spec), 1410));
}

// T46: at half speed for 100 s, 50 s of work are left over.
TEST(CampaignTimeline, SlowWindow) {
  FaultsSpec spec = plain({});
  spec.tiers.clear();
  spec.causes[CauseId{0}].effect = Effect::Degrade;
  spec.causes[CauseId{0}].slowdown = 2;
  spec.events = {{.at = 300_s, .window = 100_s}};
  const CampaignTrial trial = play(spec);
  EXPECT_TRUE(near(trial.wall.value, 1050));
  EXPECT_TRUE(near(trial.time[Part::Slowed].value, 50));
  EXPECT_TRUE(near(trial.lost[CauseId{0}].total().value, 50));
  // Of two windows at a time the slower rules: [300,400] at 2, [350,450] at 4: 50 s at 1/2 and
  // 100 s at 1/4 lose 25 + 75.
  spec.causes.push_back(spec.causes[CauseId{0}]);
  spec.causes[CauseId{1}].name = "worse";
  spec.causes[CauseId{1}].slowdown = 4;
  spec.events.push_back({.at = 350_s, .cause = CauseId{1}, .window = 100_s});
  EXPECT_TRUE(near(wall(spec), 1100));
}

// T47: a link is down for 599 s, the collectives wait for 600 s: the job stands still and goes on.
// Down for 601 s, it is given up at 734.5 + 600; 214.5 s are redone: 1334.5 + 120 + 520.
TEST(CampaignTimeline, LinkFlapAgainstTimeOut) {
  FaultsSpec spec = plain({734.5});
  spec.causes[CauseId{0}].effect = Effect::Degrade;
  spec.causes[CauseId{0}].limit = 600_s;
  spec.causes[CauseId{0}].window = constant(599);
  const CampaignTrial stalled = play(spec);
  EXPECT_TRUE(near(stalled.wall.value, 1040 + 599));
  EXPECT_TRUE(near(stalled.time[Part::Stalled].value, 599));
  EXPECT_EQ(stalled.failures, 0);
  spec.causes[CauseId{0}].window = constant(601);
  const CampaignTrial failed = play(spec);
  EXPECT_TRUE(near(failed.wall.value, 1974.5));
  EXPECT_TRUE(near(failed.time[Part::Stalled].value, 600));
  EXPECT_TRUE(near(failed.time[Part::Redone].value, 214.5));
  EXPECT_EQ(failed.failures, 1);
  EXPECT_EQ(failed.faults[CauseId{0}], 1);
}

// T48: saves of 20 s every 20 steps end at 220, 440, 660 s ... Corrupted at 500 s and noticed at
// 750 s, with 600 + 90 s done: the save of 660 s is worthless, 400 s are good. 290 s are redone,
// 750 + 120 + 600 + three saves.
TEST(CampaignTimeline, SilentCorruption) {
  FaultsSpec spec = plain({500});
  spec.tiers[TierId{0}].steps = 20;
  spec.causes[CauseId{0}].effect = Effect::Corrupt;
  spec.causes[CauseId{0}].window = constant(250);
  const CampaignTrial trial = play(spec);
  EXPECT_TRUE(near(trial.wall.value, 1530));
  EXPECT_TRUE(near(trial.time[Part::Redone].value, 290));
  EXPECT_TRUE(near(trial.time[Part::Detection].value, 0));
  // A tier that keeps only the newest save has lost the good one: 750 + 120 + 1000 + 100.
  spec.tiers[TierId{0}].keep = 1;
  EXPECT_TRUE(near(wall(spec), 1970));
  // A crash at 700 s falls back to the bad save of 660 s, 600 s of work; 700 + 150 = 850 is past
  // the moment of notice, so that the job stops again at once: 850 + 120 + 600 + 60.
  spec.tiers[TierId{0}].keep = 0;
  spec.causes.push_back(listed("crash"));
  spec.causes[CauseId{1}].detection.delay = constant(30);
  spec.events.push_back({.at = 700_s, .cause = CauseId{1}});
  EXPECT_TRUE(near(wall(spec), 1630));
  // A crash at 600 s falls back to 400 s of work, from before the corruption, which is gone:
  // 600 + 150 + 600 + 60.
  spec.events[1].at = 600_s;
  EXPECT_TRUE(near(wall(spec), 1410));
}

// Beats every 10 s, given up after 30 s without: the last before 734.5 s came at 730 s, so that it
// takes 25.5 s. A watchdog that looks every 5 s sees 764.5 s at 765 s: 30.5 s.
TEST(CampaignTimeline, Detection) {
  FaultsSpec spec = plain({734.5});
  Detection& detection = spec.causes[CauseId{0}].detection;
  detection = {.kind = Detection::Kind::Heartbeat, .period = 10_s, .timeout = 30_s};
  EXPECT_TRUE(near(wall(spec), 734.5 + 25.5 + 120 + 520));
  detection = {.kind = Detection::Kind::Watchdog, .period = 5_s, .timeout = 30_s};
  EXPECT_TRUE(near(wall(spec), 734.5 + 30.5 + 120 + 520));
  detection.period = 0_s;
  EXPECT_TRUE(near(wall(spec), 734.5 + 30 + 120 + 520));
}

// Blocks 5 s, persists 40 s: with 50 steps done at 500 s the save can be used at 545 s. A failure
// at 540 s goes back to the start, 540 + 150 + 1000 + 5 + 5 + 40 (the last must be through); one at
// 600 s goes back to 500 s of work: 600 + 150 + 500 + 45.
TEST(CampaignTimeline, AsynchronousSave) {
  FaultsSpec spec = plain({540});
  spec.tiers[TierId{0}].blocking = 5_s;
  spec.tiers[TierId{0}].persist = 40_s;
  EXPECT_TRUE(near(wall(spec), 1740));
  spec.events[0].at = 600_s;
  EXPECT_TRUE(near(wall(spec), 1295));
  // While it persists steps take twice as long: the 40 s lose 20 s, but not the last.
  spec.events.clear();
  spec.tiers[TierId{0}].slowdown = 2;
  const CampaignTrial trial = play(spec);
  EXPECT_TRUE(near(trial.wall.value, 1000 + 5 + 20 + 45));
  EXPECT_TRUE(near(trial.time[Part::Slowed].value, 20));
  // A save every 10 s that persists for 40 s, one at a time: training waits for it. 10 + 5 first;
  // each of the other 99 comes 45 s after the one before; the last is through after 40 s.
  spec.tiers[TierId{0}].slowdown = 1;
  spec.tiers[TierId{0}].steps = 1;
  EXPECT_TRUE(near(wall(spec), 10 + 5 + 99 * 45 + 40));
  // Four at a time never wait: (40 - 5) / 15 < 4.
  spec.tiers[TierId{0}].in_flight = 4;
  EXPECT_TRUE(near(wall(spec), 1000 + 100 * 5 + 40));
}

// Saves to peers' memory every 5 steps for 1 s, to storage every 50 steps for 20 s; memory survives
// the loss of one node. At 734.5 s: 500 s of work took 10 + 20 s of saves, 530 s; 204.5 s more
// hold four saves and 200.5 s: 700.5 s of work, of which 700 s are in memory.
TEST(CampaignTimeline, Tiers) {
  CampaignJob job = hundred_steps();
  job.nodes = 4;
  FaultsSpec spec = plain({734.5});
  spec.tiers = {every(50, 1), spec.tiers.front()};
  spec.tiers[TierId{0}].name = "memory";
  spec.tiers[TierId{0}].survives_nodes = 1;
  spec.tiers[TierId{0}].load = constant(7);
  spec.tiers[TierId{1}].load = constant(60);
  spec.causes[CauseId{0}].nodes = 1;
  const CampaignTrial memory = play(spec, job);
  EXPECT_TRUE(near(memory.time[Part::Redone].value, 0.5));
  // 300 s of work are left, with 6 saves to memory and the one to storage.
  EXPECT_TRUE(near(memory.wall.value, 734.5 + 150 + 7 + 300 + 6 + 20));
  spec.causes[CauseId{0}].nodes = 2;
  const CampaignTrial storage = play(spec, job);
  EXPECT_TRUE(near(storage.time[Part::Redone].value, 200.5));
  EXPECT_TRUE(near(storage.wall.value, 734.5 + 150 + 60 + 500 + 10 + 20));
}

// One spare, repair 1000 s. The first failure, at 100 s, takes the spare and 20 s for a new node;
// the second, at 400 s, has to wait until 1100 s.
TEST(CampaignTimeline, SparesAndRepair) {
  CampaignJob job = hundred_steps();
  job.nodes = 2;
  FaultsSpec spec = plain({100, 400});
  spec.causes[CauseId{0}].nodes = 1;
  spec.causes[CauseId{0}].permanent = 1;
  spec.causes[CauseId{0}].detection.delay = constant(0);
  spec.tiers = {every(100, 0)};
  spec.restart.push_back(restart_part(20, "reschedule"));
  spec.restart.back().only_replacement = true;
  spec.spares.hot = 1;
  spec.spares.repair = constant(1000);
  // Up at 240 s with 100 s of work; at 400 s, 260 s, of which 200 s are saved; up again at 1240 s.
  const CampaignTrial trial = play(spec, job);
  EXPECT_TRUE(near(trial.wall.value, 1240 + 800));
  EXPECT_TRUE(near(trial.time[Part::Waiting].value, 700));
  EXPECT_TRUE(near(trial.gpu_time[Part::Repair].value, 2000));
  // With a second, cold spare that takes 50 s to start: 400 + 50 + 140 + 800.
  spec.spares.cold = 1;
  spec.spares.cold_start = constant(50);
  EXPECT_TRUE(near(play(spec, job).wall.value, 1390));
  // Failures that a reboot mends wait for nobody: up at 220 s with 100 s, at 520 s with 200 s.
  spec.causes[CauseId{0}].permanent = 0;
  EXPECT_TRUE(near(play(spec, job).wall.value, 520 + 800));
}

// Four replicas of a node each, no spares, repair 500 s, restart 20 s. A failure at 150 s goes back
// to 100 s of work and starts with three at 170 s. The node is back at 650 s, with 100 + 480 x 3/4
// = 460 s done; after the save at 500 s of work, at 703 1/3 s, the job restarts with four.
TEST(CampaignTimeline, ElasticShrinksAndGrows) {
  CampaignJob job = hundred_steps();
  job.nodes = 4;
  job.replicas = 4;
  FaultsSpec spec = plain({150});
  spec.causes[CauseId{0}].nodes = 1;
  spec.causes[CauseId{0}].permanent = 1;
  spec.causes[CauseId{0}].detection.delay = constant(0);
  spec.tiers = {every(100, 0)};
  spec.restart = {restart_part(20)};
  spec.spares.repair = constant(500);
  spec.recovery.kind = RecoverySpec::Kind::Elastic;
  const CampaignTrial trial = play(spec, job);
  EXPECT_TRUE(near(trial.wall.value, 150 + 20 + 400 / 0.75 + 20 + 500));
  EXPECT_TRUE(near(trial.time[Part::Shrunk].value, 400 / 0.75 - 400));
  EXPECT_EQ(trial.lost[CauseId{0}][Part::Shrunk], trial.time[Part::Shrunk]);
  EXPECT_TRUE(near(trial.lost[CauseId{0}][Part::Restart].value, 40));  // the one to grow, too
  EXPECT_TRUE(near(trial.gpu_time[Part::Repair].value, 500));
  // Simulated step times of smaller jobs take the place of 4/3.
  job.shrunk_step = {50_s, 24_s, 15_s};
  EXPECT_TRUE(near(play(spec, job).wall.value, 150 + 20 + 400 * 1.5 + 20 + 500));
}

// The same replica by replica: at 154 s the others give up 4 s of a step and stand still for 5 s
// until the failure is noticed, then train at 3/4 until the fourth is back after 20 s, at 179 s,
// with 165 s done.
TEST(CampaignTimeline, OneReplicaRestarts) {
  CampaignJob job = hundred_steps();
  job.nodes = 4;
  job.replicas = 4;
  FaultsSpec spec = plain({154});
  spec.causes[CauseId{0}].nodes = 1;
  spec.causes[CauseId{0}].detection.delay = constant(5);
  spec.tiers.clear();
  spec.restart = {restart_part(20)};
  spec.recovery.kind = RecoverySpec::Kind::Replica;
  const CampaignTrial trial = play(spec, job);
  EXPECT_TRUE(near(trial.wall.value, 179 + 835));
  EXPECT_TRUE(near(trial.time[Part::Redone].value, 4));
  EXPECT_TRUE(near(trial.time[Part::Shrunk].value, 5));
  // With three of four as the least that may train, it waits for a second one that breaks at 164 s:
  // 155 s after another 5 s of detection, at 169 s; back to three at 179 s, to four at 189 s.
  spec.recovery.min_replicas = 3;
  spec.events.push_back({.at = 164_s, .component = 0});
  spec.causes[CauseId{0}].count = 4;
  spec.events[0].component = 3;
  // 159 to 164 s at 3/4 is 3.75 s, given up; 150 s at 179 s, 157.5 s at 189 s.
  EXPECT_TRUE(near(play(spec, job).wall.value, 189 + 842.5));
}

// Announced at 305 s: saves of 10 s at 100 and 200 s of work leave 285 s, of which the step at hand
// is given up; save, 100 s of maintenance, restart, then 720 s with saves at 300, 400, ... 1000.
TEST(CampaignTimeline, PlannedMaintenance) {
  FaultsSpec spec = plain({305});
  spec.tiers = {every(100, 10)};
  spec.restart = {restart_part(20)};
  spec.causes[CauseId{0}].effect = Effect::Planned;
  spec.causes[CauseId{0}].window = constant(100);
  const CampaignTrial trial = play(spec);
  EXPECT_TRUE(near(trial.wall.value, 305 + 10 + 100 + 20 + 720 + 80));
  EXPECT_TRUE(near(trial.time[Part::Maintenance].value, 100));
  EXPECT_TRUE(near(trial.time[Part::Redone].value, 5));
  EXPECT_EQ(trial.failures, 0);
  EXPECT_EQ(trial.faults[CauseId{0}], 1);
}

// Set-up of communicators that grows by 0.01 s with each of 1,024 ranks.
TEST(CampaignTimeline, RestartGrowsWithRanks) {
  CampaignJob job = hundred_steps();
  job.nodes = 128;
  job.gpus_per_node = 8;
  FaultsSpec spec = plain({734.5});
  spec.restart[RestartPartId{0}].per_rank = Seconds{0.01};
  EXPECT_TRUE(near(play(spec, job).wall.value, 1404.5 + 10.24));
}

// What the job itself did follows without gaps and ends with the run.
TEST(CampaignTimeline, EventsFollowOneAnother) {
  const CampaignTrial trial = play(plain({734.5, 800}));
  Seconds end;
  for (const CampaignEvent& event : trial.events) {
    if (event.kind < CampaignEvent::Kind::Persist) {
      EXPECT_EQ(event.begin, end);
      end = event.end;
    }
  }
  EXPECT_EQ(end, trial.wall);
}

}  // namespace
}  // namespace danlu
