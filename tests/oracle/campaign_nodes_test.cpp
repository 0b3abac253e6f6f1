// Rates, causes, spares and replicas against queueing theory.
#include <gtest/gtest.h>

#include <cmath>

#include "sim/campaign/campaign.hpp"
#include "sim/campaign/closed_forms.hpp"
#include "tests/support/campaigns.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::constant;
using testing::every;
using testing::exponential;
using testing::near;
using testing::random_cause;

constexpr Seconds kNodeMtbf{kDay / 6.5e-3};

FaultsSpec node_failures(int nodes) {
  FaultsSpec spec;
  spec.causes = {random_cause(kNodeMtbf.value, "node")};
  spec.causes[CauseId{0}].count = nodes;
  spec.causes[CauseId{0}].nodes = 1;
  spec.tiers = {every(60, 0)};
  spec.semantics.whole_steps = false;
  spec.seed = 4;
  return spec;
}

// T13: 6.5 failures in 1,000 node-days: one in 1.803 h on 2,048 nodes and in 0.2254 h on 16,384.
TEST(CampaignNodes, MeanTimeToFailure) {
  struct Row {
    int nodes;
    double hours;
  };
  for (const Row row : {Row{2048, 1.803}, Row{16384, 0.2254}}) {
    FaultsSpec spec = node_failures(row.nodes);
    spec.trials = 200;
    const CampaignJob job{.nodes = row.nodes, .step = 10_s, .horizon = Seconds{20 * kDay}};
    const CampaignStatistic found = run_campaign(job, spec).failures;
    const double expected = 20 * 24 / row.hours;
    EXPECT_NEAR(found.mean, expected, 4 * std::sqrt(expected / 200) + 3e-4 * expected);
    EXPECT_NEAR(found.stddev, std::sqrt(expected), 0.2 * std::sqrt(expected));
  }
}

// T14: 419 interruptions in 54 days, each cause with its count of Llama 3's table 5 (the printed
// percentages do not add up). The counts are Poisson: their spread is the root of the mean.
TEST(CampaignNodes, CausesOfLlama3) {
  const std::vector<int> counts{148, 72, 54, 35, 32, 19, 17, 7, 7, 6, 6, 3, 3, 2, 2, 2, 2, 2};
  FaultsSpec spec;
  for (const int count : counts) {
    spec.causes.push_back(
        random_cause(54 * kDay * 2048 / count, "cause " + std::to_string(spec.causes.size())));
    spec.causes.back().count = 2048;
    spec.causes.back().nodes = 1;
  }
  spec.tiers = {every(600, 0)};
  spec.trials = 400;
  const CampaignJob job{
      .nodes = 2048, .gpus_per_node = 8, .step = 10_s, .horizon = Seconds{54 * kDay}};
  const Campaign found = run_campaign(job, spec);
  EXPECT_NEAR(found.failures.mean, 419, 4 * std::sqrt(419.0 / 400));
  EXPECT_NEAR(found.failures.stddev, std::sqrt(419.0), 0.1 * std::sqrt(419.0));
  for (std::size_t i = 0; i < counts.size(); ++i) {
    EXPECT_NEAR(found.faults_by_cause[make_id<CauseId>(i)].mean, counts[i],
                4 * std::sqrt(counts[i] / 400.0))
        << i;
  }
  EXPECT_NEAR(found.faults_by_cause[CauseId{0}].mean / found.failures.mean, 148.0 / 419, 0.01);
}

// T15: the job stands still while all of S + 1 repairs are at work: Erlang's B(S+1, 0.832), for
// constant and exponential repair of one day alike.
TEST(CampaignNodes, SparesAreErlangs) {
  const std::vector<std::pair<int, double>> rows{
      {0, 0.45415}, {1, 0.15891}, {2, 0.04221}, {4, 0.00145}};
  for (const auto& [spares, share] : rows) {
    EXPECT_NEAR(stalled_share(128, spares, kNodeMtbf, Seconds{kDay}), share, 6e-6);
    for (const Duration& repair : {constant(kDay), exponential(kDay)}) {
      FaultsSpec spec = node_failures(128);
      spec.causes[CauseId{0}].permanent = 1;
      spec.spares.hot = spares;
      spec.spares.repair = repair;
      spec.tiers[TierId{0}].time = Seconds{kDay};
      const double days = spares < 4 ? 5000 : 75000;
      const CampaignJob job{.nodes = 128, .step = Seconds{kDay}, .horizon = Seconds{days * kDay}};
      constexpr int kTrials = 20;
      double sum = 0;
      double squares = 0;
      for (int number = 0; number < kTrials; ++number) {
        const CampaignTrial trial = run_trial(job, spec, number);
        const double waits = trial.time[CampaignPart::Waiting] / trial.wall;
        sum += waits;
        squares += waits * waits;
      }
      const double mean = sum / kTrials;
      const double error = std::sqrt((squares / kTrials - mean * mean) / (kTrials - 1));
      EXPECT_NEAR(mean, share, 4 * error) << spares << " spares";
      EXPECT_LT(error, 0.02 * share);
    }
  }
}

// T16: each of 32 replicas of 4 nodes is up for 1 / (4 x 0.0065) days and down for 6 h. A job that
// needs all nodes and has no spares runs for 1 / (1 + 128 x 0.0065 / 4) of the time.
TEST(CampaignNodes, ReplicasComeAndGo) {
  EXPECT_NEAR(elastic_throughput(4, kNodeMtbf, Seconds{kDay / 4}), 0.99354, 5e-6);
  FaultsSpec spec = node_failures(128);
  spec.causes[CauseId{0}].permanent = 1;
  spec.spares.repair = exponential(kDay / 4);
  spec.recovery.kind = RecoverySpec::Kind::Replica;
  spec.tiers[TierId{0}].time = Seconds{kDay};
  spec.trials = 40;
  const CampaignJob job{
      .nodes = 128, .replicas = 32, .step = 10_s, .horizon = Seconds{5000 * kDay}};
  const CampaignStatistic found = run_campaign(job, spec).ettr;
  EXPECT_NEAR(found.mean, 0.99354, 4 * found.stderr_of_mean);
  EXPECT_LT(found.stderr_of_mean, 1e-4);
  // Rigid: what a failure makes it redo is running time all the same.
  spec.recovery.kind = RecoverySpec::Kind::Restart;
  const Campaign rigid = run_campaign(job, spec);
  EXPECT_NEAR(1 - rigid.time[CampaignPart::Waiting] / Seconds{rigid.wall.mean}, 0.82781, 0.002);
}

// Groups of m that keep one another's state: 1 - (N/m) / (N over m); of 16 in pairs 1 - 8/120.
TEST(CampaignNodes, PeerCopies) {
  EXPECT_TRUE(near(peer_copies_survive(16, 2), 1 - 8.0 / 120));
  EXPECT_TRUE(near(peer_copies_survive(16, 4), 1 - 4.0 / 1820));
}

}  // namespace
}  // namespace danlu
