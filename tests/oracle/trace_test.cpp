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

/// A small step of gpt3-175b-64-a100-selective.yaml, and more.
std::vector<std::string> small_and(const std::vector<std::string>& more) {
  std::vector<std::string> settings{"training.global_batch=16", "model.layers=16",
                                    "training.schedule.chunks=1"};
  settings.insert(settings.end(), more.begin(), more.end());
  return settings;
}

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
  const Step step(
      shipped("gpt3-175b-64-a100-selective.yaml", small_and({"parallelism.overlap.tensor=full"})));
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
  const Step step(shipped("gpt3-175b-64-a100-selective.yaml", {"training.global_batch=32"}));
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
  const Step step(shipped("gpt3-175b-64-a100-selective.yaml", small_and({})));
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

/// The slices of a trace that are of this microbatch or of none; as texts without the
/// lane, which depends on what else is shown.
std::vector<std::string> without_lanes(const std::vector<nlohmann::json>& slices, int microbatch) {
  std::vector<std::string> texts;
  for (nlohmann::json slice : slices) {
    if (slice["args"].value("microbatch", microbatch) == microbatch) {
      slice.erase("tid");
      texts.push_back(slice.dump());
    }
  }
  return texts;
}

/// How many slices each microbatch has; -1: of none.
std::map<int, double> by_microbatch(const std::vector<nlohmann::json>& slices) {
  std::map<int, double> counts;
  for (const nlohmann::json& slice : slices) {
    ++counts[slice["args"].value("microbatch", -1)];
  }
  return counts;
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
  std::map<int, double> counts = by_microbatch(whole);
  EXPECT_GT(counts[-1], 0);
  EXPECT_GT(counts[0], 0);
  EXPECT_GT(counts[1], 0);
  const std::vector<nlohmann::json> slices = slices_of(step.trace(selection));
  EXPECT_EQ(static_cast<double>(slices.size()), counts[-1] + counts[0]);
  EXPECT_EQ(without_lanes(slices, 0), without_lanes(whole, 0));
}

// How many slices there will be is known before anything is played, of each microbatch too.
TEST_P(TraceOf, SlicesThatWereCountedBefore) {
  const Scenario scenario = shipped(GetParam().file, GetParam().settings);
  const Step step(scenario);
  TraceSelection selection = whole_step(step.plan);
  const std::vector<nlohmann::json> whole = slices_of(step.trace(selection));
  EXPECT_EQ(static_cast<double>(whole.size()), trace_slices(step.plan, selection));
  std::map<int, double> counts = by_microbatch(whole);
  for (int shown = 0; shown < scenario.workload.microbatches(); ++shown) {
    selection.microbatches.assign(static_cast<std::size_t>(scenario.workload.microbatches()),
                                  false);
    selection.microbatches[static_cast<std::size_t>(shown)] = true;
    EXPECT_EQ(counts[-1] + counts[shown], trace_slices(step.plan, selection));
  }
  selection.microbatches.clear();
  selection.ranks.assign(selection.ranks.size(), false);
  selection.ranks[RankClassId{0}] = true;
  const auto of_first = std::count_if(whole.begin(), whole.end(),
                                      [](const auto& slice) { return slice["pid"] == 0; });
  EXPECT_EQ(static_cast<double>(of_first), trace_slices(step.plan, selection));
}

INSTANTIATE_TEST_SUITE_P(
    All, TraceOf,
    ::testing::Values(
        Way{"Runs", "gpt3-175b-64-a100-selective.yaml", small_and({})},
        Way{"Segments", "gpt3-175b-64-a100-selective.yaml",
            small_and({"parallelism.overlap.tensor=full"})},
        Way{"SlowGpu", "gpt3-175b-64-a100-selective.yaml", small_and({"degraded.gpus.3=1.2"})},
        Way{"Pairs", "gpt3-schedules/pairs.yaml", {"training.global_batch=128", "model.layers=16"}},
        Way{"WeightGradients",
            "gpt3-schedules/zb-h1.yaml",
            {"training.global_batch=128", "model.layers=16"}},
        Way{"Shards", "llama3-8b-fsdp-h100.yaml", {"training.micro_batch=1"}},
        Way{"Host", "host/small-layers.yaml", {}}),
    [](const auto& way) { return way.param.name; });

}  // namespace
}  // namespace danlu
