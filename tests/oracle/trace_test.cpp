// The trace of a step: what stands in it, in which order, and in what pieces it comes.
#include "sim/report/trace.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "sim/engine/engine.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::shipped;

const std::vector<std::string> kFewMicrobatches{"training.global_batch=16"};

struct Step {
  explicit Step(const Scenario& scenario)
      : plan(plan_step(scenario.workload, build_cluster(scenario.cluster))),
        timeline(simulate(plan.graph)) {}
  std::string trace(const TraceSelection& selection) const {
    std::string text;
    write_trace(plan, timeline, selection, [&](std::string_view piece) { text += piece; });
    return text;
  }

  StepPlan plan;
  Timeline timeline;
};

/// The slices of a trace, as they stand there.
std::vector<nlohmann::json> slices_of(const std::string& trace) {
  const auto whole = nlohmann::json::parse(trace);
  std::vector<nlohmann::json> slices;
  for (const auto& event : whole["traceEvents"]) {
    if (event["ph"] == "X") {
      slices.push_back(event);
    }
  }
  return slices;
}

// Slices of one thread must nest: here none may overlap at all, since each stream has lanes.
TEST(Trace, SlicesOfOneThreadDoNotOverlap) {
  const Step step(shipped("gpt3-175b-64-a100-selective.yaml",
                          {"training.global_batch=16", "parallelism.overlap.tensor=full"}));
  const std::vector<nlohmann::json> slices = slices_of(step.trace(whole_step(step.plan)));
  std::map<std::pair<int, int>, long long> ends;  // in nanoseconds
  const auto nanoseconds = [](double microseconds) { return std::llround(microseconds * 1000); };
  double last = 0;
  std::size_t overlapping = 0;
  for (const nlohmann::json& slice : slices) {
    long long& end = ends[{slice["pid"], slice["tid"]}];
    const long long start = nanoseconds(slice["ts"]);
    overlapping += start < end ? 1 : 0;
    end = start + nanoseconds(slice["dur"]);
    last = std::max(last, static_cast<double>(end) / 1000);
  }
  EXPECT_GT(slices.size(), 1000U);
  EXPECT_EQ(overlapping, 0U);
  EXPECT_NEAR(last, step.timeline.end.value * 1e6, 0.01);
}

// Passes are expanded while the trace is written; what a class of ranks does stands there in order
// of time all the same, also where tasks overlap, and the pieces are small.
TEST(Trace, IsWrittenInOrderOfTimeAndInPieces) {
  const Step step(shipped("gpt3-schedules/pairs.yaml", {"training.global_batch=128"}));
  std::string text;
  std::size_t pieces = 0;
  std::size_t longest = 0;
  write_trace(step.plan, step.timeline, whole_step(step.plan), [&](std::string_view piece) {
    text += piece;
    ++pieces;
    longest = std::max(longest, piece.size());
  });
  EXPECT_GT(pieces, 10U);
  EXPECT_LE(longest, 66000U);
  std::map<int, double> now;
  std::size_t early = 0;
  for (const nlohmann::json& slice : slices_of(text)) {
    double& at = now[slice["pid"]];
    early += slice["ts"] < at ? 1 : 0;
    at = slice["ts"];
  }
  EXPECT_GT(now.size(), 1U);
  EXPECT_EQ(early, 0U);
}

// Only the marked classes of ranks are written.
TEST(Trace, HoldsTheRanksThatAreAskedFor) {
  const Step step(shipped("gpt3-175b-64-a100-selective.yaml", kFewMicrobatches));
  TraceSelection selection = whole_step(step.plan);
  ASSERT_GT(selection.ranks.size(), 1U);
  selection.ranks.assign(selection.ranks.size(), false);
  selection.ranks[RankClassId{1}] = true;
  std::vector<nlohmann::json> whole = slices_of(step.trace(whole_step(step.plan)));
  whole.erase(std::remove_if(whole.begin(), whole.end(),
                             [](const nlohmann::json& slice) { return slice["pid"] != 1; }),
              whole.end());
  EXPECT_GT(whole.size(), 100U);
  EXPECT_EQ(slices_of(step.trace(selection)), whole);
}

/// The slices of a whole trace that are of these microbatches or of none; as texts without the
/// lane, which depends on what else is shown.
std::vector<std::string> without_lanes(std::vector<nlohmann::json> slices,
                                       const std::vector<int>& microbatches) {
  std::vector<std::string> texts;
  for (nlohmann::json& slice : slices) {
    const auto& arguments = slice["args"];
    if (!arguments.contains("microbatch") ||
        std::count(microbatches.begin(), microbatches.end(), arguments["microbatch"]) > 0) {
      slice.erase("tid");
      texts.push_back(slice.dump());
    }
  }
  return texts;
}

/// Scenarios that are played in different ways: hosts that launch, pairs, passes that are one task
/// and those that are not, slow GPUs.
struct Way {
  const char* name;
  const char* file;
  std::vector<std::string> settings;
};
void PrintTo(const Way& way, std::ostream* out) {
  *out << way.name;
}
class TraceOf : public ::testing::TestWithParam<Way> {};

// Of a pair the slices of either action are told apart; the step's end is of no microbatch.
TEST_P(TraceOf, MicrobatchesThatAreAskedFor) {
  const Scenario scenario = shipped(GetParam().file, GetParam().settings);
  const Step step(scenario);
  TraceSelection selection = whole_step(step.plan);
  selection.microbatches.assign(static_cast<std::size_t>(scenario.workload.microbatches()), false);
  selection.microbatches[0] = true;
  const std::vector<nlohmann::json> whole = slices_of(step.trace(whole_step(step.plan)));
  const std::vector<std::string> wanted = without_lanes(whole, {0});
  const std::size_t of_none = without_lanes(whole, {}).size();
  EXPECT_GT(wanted.size(), of_none);
  EXPECT_GT(of_none, 0U);
  EXPECT_LT(wanted.size(), whole.size());
  EXPECT_EQ(without_lanes(slices_of(step.trace(selection)), {0}), wanted);
}

// How many slices there will be is known before anything is played.
TEST_P(TraceOf, SlicesThatWereCountedBefore) {
  const Scenario scenario = shipped(GetParam().file, GetParam().settings);
  const Step step(scenario);
  TraceSelection selection = whole_step(step.plan);
  EXPECT_EQ(static_cast<double>(slices_of(step.trace(selection)).size()),
            trace_slices(step.plan, selection));
  selection.ranks.assign(selection.ranks.size(), false);
  selection.ranks[RankClassId{0}] = true;
  selection.microbatches.assign(static_cast<std::size_t>(scenario.workload.microbatches()), false);
  selection.microbatches[1] = true;
  EXPECT_EQ(static_cast<double>(slices_of(step.trace(selection)).size()),
            trace_slices(step.plan, selection));
}

INSTANTIATE_TEST_SUITE_P(
    All, TraceOf,
    ::testing::Values(
        Way{"Runs", "gpt3-175b-64-a100-selective.yaml", kFewMicrobatches},
        Way{"Segments",
            "gpt3-175b-64-a100-selective.yaml",
            {"training.global_batch=16", "parallelism.overlap.tensor=full"}},
        Way{"SlowGpu",
            "gpt3-175b-64-a100-selective.yaml",
            {"training.global_batch=16", "degraded.gpus.3=1.2"}},
        Way{"Pairs", "gpt3-schedules/pairs.yaml", {"training.global_batch=128"}},
        Way{"WeightGradients", "gpt3-schedules/zb-h1.yaml", {"training.global_batch=128"}},
        Way{"Shards", "llama3-8b-fsdp-h100.yaml", {"training.micro_batch=1"}},
        Way{"Host", "host/small-layers.yaml", {}}),
    [](const auto& way) { return way.param.name; });

}  // namespace
}  // namespace danlu
