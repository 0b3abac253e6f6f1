// What a campaign refuses: each message once, at the field that it is about.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "sim/campaign/campaign.hpp"
#include "tests/support/campaigns.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {
namespace {

/// A change to a request that nothing is wrong with, and what is wrong then.
struct Case {
  std::string field;
  std::string message;
  std::function<void(CampaignJob&, FaultsSpec&)> change;
};

std::vector<FaultsProblem> problems_after(const Case& one) {
  CampaignJob job = hundred_steps();
  FaultsSpec faults;
  faults.causes = {random_cause(1000)};
  faults.tiers = {every(100, 1), every(500, 5)};
  faults.restart = {restart_part(60)};
  faults.events = {{.at = 5_s}};
  one.change(job, faults);
  return faults_problems(job, faults);
}

constexpr double kInfinity = std::numeric_limits<double>::infinity();

using Job = CampaignJob;
using Spec = FaultsSpec;
using Kind = Duration::Kind;
using Interval = CheckpointTier::Interval;

const std::vector<Case>& cases() {
  static const std::vector<Case> all{
      {"step", "must be above 0", [](Job& j, Spec&) { j.step = {}; }},
      {"nodes", "a job has at least one node, GPU and replica",
       [](Job& j, Spec& s) {
         j.nodes = 0;
         s.causes[CauseId{0}].nodes = 0;
       }},
      {"horizon", "a run ends after so many steps or so much time",
       [](Job& j, Spec&) { j.steps = 0; }},
      {"shrunk_step", "needs the step time of every smaller number of replicas",
       [](Job& j, Spec&) {
         j.replicas = 4;
         j.shrunk_step = {40_s, 20_s};
       }},
      {"trials", "must be above 0", [](Job&, Spec& s) { s.trials = 0; }},
      {"spares.repair", "has no samples",
       [](Job&, Spec& s) { s.spares.repair = {.kind = Kind::Empirical}; }},
      {"spares.repair", "has a sample that is no duration",
       [](Job&, Spec& s) {
         s.spares.repair = {.kind = Kind::Empirical, .samples = {1_s, Seconds{-1}}};
       }},
      {"restart[0].duration", "must be a finite duration, not negative",
       [](Job&, Spec& s) { s.restart[RestartPartId{0}].duration = constant(kInfinity); }},
      {"spares.cold_start", "the shape must be above 0",
       [](Job&, Spec& s) { s.spares.cold_start = {.kind = Kind::Weibull, .shape = 0}; }},
      {"tiers[1].load", "the spread must not be negative",
       [](Job&, Spec& s) { s.tiers[TierId{1}].load = {.kind = Kind::LogNormal, .shape = -1}; }},
      {"causes[1].name", "'fault' names two causes; their random numbers would be the same",
       [](Job&, Spec& s) { s.causes.push_back(s.causes[CauseId{0}]); }},
      {"causes[0].count", "must be at least 1",
       [](Job&, Spec& s) { s.causes[CauseId{0}].count = 0.5; }},
      {"causes[0].arrivals.mean", "must be above 0",
       [](Job&, Spec& s) { s.causes[CauseId{0}].arrivals.mean = {}; }},
      {"causes[0].arrivals.shape", "must be above 0",
       [](Job&, Spec& s) { s.causes[CauseId{0}].arrivals.shape = 0; }},
      {"causes[0].nodes", "must be from 0 to the nodes of the job (1)",
       [](Job&, Spec& s) { s.causes[CauseId{0}].nodes = 2; }},
      {"causes[0].permanent", "must be a share from 0 to 1",
       [](Job&, Spec& s) { s.causes[CauseId{0}].permanent = 1.5; }},
      {"causes[0].slowdown", "must be at least 1",
       [](Job&, Spec& s) { s.causes[CauseId{0}].slowdown = 0.5; }},
      {"causes[0].limit", "must be above 0",
       [](Job&, Spec& s) { s.causes[CauseId{0}].limit = {}; }},
      {"causes[0].detection.timeout", "must not be negative",
       [](Job&, Spec& s) { s.causes[CauseId{0}].detection.timeout = Seconds{-1}; }},
      {"causes[0].detection.period", "must be above 0",
       [](Job&, Spec& s) {
         s.causes[CauseId{0}].detection = {.kind = Detection::Kind::Heartbeat, .timeout = 5_s};
       }},
      {"causes[0].detection.timeout", "must not be shorter than the period",
       [](Job&, Spec& s) {
         s.causes[CauseId{0}].detection = {
             .kind = Detection::Kind::Heartbeat, .period = 9_s, .timeout = 5_s};
       }},
      {"events[0].at", "must not be negative", [](Job&, Spec& s) { s.events[0].at = Seconds{-1}; }},
      {"events[0].cause", "there is no such cause",
       [](Job&, Spec& s) { s.events[0].cause = CauseId{1}; }},
      {"events[0].component", "there is no such component",
       [](Job&, Spec& s) { s.events[0].component = 1; }},
      {"tiers[0].steps", "must be above 0",
       [](Job&, Spec& s) { s.tiers[TierId{0}].interval = Interval::Steps; }},
      {"tiers[0].time", "must be above 0", [](Job&, Spec& s) { s.tiers[TierId{0}].time = {}; }},
      {"tiers[0].blocking", "must be above 0: a save that costs nothing has no best interval",
       [](Job&, Spec& s) {
         s.semantics.whole_steps = false;
         s.tiers[TierId{0}].interval = Interval::Auto;
         s.tiers[TierId{0}].blocking = {};
       }},
      {"tiers[0].blocking", "must not be negative",
       [](Job&, Spec& s) { s.tiers[TierId{0}].blocking = Seconds{-1}; }},
      {"tiers[0].persist", "must not be negative",
       [](Job&, Spec& s) { s.tiers[TierId{0}].persist = Seconds{-1}; }},
      {"tiers[1].in_flight", "must be at least 1",
       [](Job&, Spec& s) { s.tiers[TierId{1}].in_flight = 0; }},
      {"tiers[1].keep", "must not be negative",
       [](Job&, Spec& s) { s.tiers[TierId{1}].keep = -1; }},
      {"tiers[1].slowdown", "must be at least 1",
       [](Job&, Spec& s) { s.tiers[TierId{1}].slowdown = 0.5; }},
      {"tiers[0].survives_nodes", "must not be negative",
       [](Job&, Spec& s) { s.tiers[TierId{0}].survives_nodes = -1; }},
      {"tiers[0].survives_more", "must be a share from 0 to 1",
       [](Job&, Spec& s) { s.tiers[TierId{0}].survives_more = -0.5; }},
      {"restart[0].per_rank", "must not be negative",
       [](Job&, Spec& s) { s.restart[RestartPartId{0}].per_rank = Seconds{-1}; }},
      {"spares", "must not be negative", [](Job&, Spec& s) { s.spares.hot = -1; }},
      {"recovery.min_replicas", "must be from 1 to the replicas of the job (1)",
       [](Job&, Spec& s) { s.recovery.min_replicas = 2; }},
  };
  return all;
}

TEST(FaultsProblems, NothingIsWrongBefore) {
  EXPECT_TRUE(problems_after({"", "", [](Job&, Spec&) {}}).empty());
}

TEST(FaultsProblems, EachIsFoundAloneAtItsField) {
  for (const Case& one : cases()) {
    SCOPED_TRACE(one.field + " " + one.message);
    const std::vector<FaultsProblem> found = problems_after(one);
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].field, one.field);
    EXPECT_EQ(found[0].message, one.message);
  }
}

}  // namespace
}  // namespace danlu::testing
