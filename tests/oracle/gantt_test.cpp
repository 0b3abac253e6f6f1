// Drawings of a step: what they show is what the report counts, whoever plays it; and a drawing of
// few spans is as one draws it by hand.
#include "sim/report/gantt.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <sstream>

#include "sim/report/report.hpp"
#include "tests/support/play.hpp"
#include "tests/support/random_steps.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped;

struct Drawn {
  Scenario scenario;
  Cluster cluster;
  StepPlan plan;
  Timeline timeline;
  Gantt gantt;
};

Drawn draw(const std::string& file, const std::vector<std::string>& overrides = {}) {
  Scenario scenario = shipped(file, overrides);
  Cluster cluster = build_cluster(scenario.cluster);
  StepPlan plan = plan_step(scenario.workload, cluster);
  Timeline timeline = testing::play(plan.graph);
  Gantt gantt = gantt_of(scenario.name, scenario.workload, plan, timeline);
  return {std::move(scenario), std::move(cluster), std::move(plan), std::move(timeline),
          std::move(gantt)};
}

constexpr const char* kLesson = "learn/06-pipeline-and-bubbles.yaml";

// Where the ranks of each stage do the same, the mean over rows is the mean over ranks.
TEST(Gantt, ShowsWhatTheReportCounts) {
  for (const auto& [file, overrides] :
       {std::pair<const char*, std::vector<std::string>>{kLesson, {}},
        {kLesson, {"training.schedule.kind=gpipe"}},
        {kLesson, {"training.schedule.chunks=2"}},
        {"learn/04-data-parallel-and-overlap.yaml", {"parallelism.overlap.data=true"}},
        {"learn/05-tensor-parallel.yaml", {}},
        {"gpt3-175b-64-a100-selective.yaml", {}},
        {"llama3-8b-h100.yaml", {}}}) {
    SCOPED_TRACE(fmt::format("{} {}", file, fmt::join(overrides, " ")));
    const Drawn drawn = draw(file, overrides);
    const StepReport step =
        measure("", drawn.scenario.workload, drawn.cluster, drawn.plan, drawn.timeline).step;
    std::map<Axis, double> exposed;
    double waits = 0;
    double updates = 0;
    double computes = 0;
    for (const GanttRow& row : drawn.gantt.rows) {
      ASSERT_EQ(row.alike, row.ranks);
      const double share = 1.0 / static_cast<double>(drawn.gantt.rows.size());
      waits += share * row.waits(drawn.gantt.step).value;
      for (const GanttSpan& span : row.spans) {
        (span.kind == GanttSpan::Kind::Pass     ? computes
         : span.kind == GanttSpan::Kind::Update ? updates
                                                : exposed[span.axis]) +=
            share * span.length().value;
      }
    }
    constexpr double kRounding = 1e-9;
    const double time = step.time.value;
    EXPECT_NEAR(waits,
                (step.breakdown[TimePart::Bubble] + step.breakdown[TimePart::StragglerWait]).value,
                kRounding * time);
    for (const auto& [axis, part] : kExposedParts) {
      EXPECT_NEAR(exposed[axis], step.breakdown[part].value, kRounding * time) << name_of(axis);
    }
    double rest = time - waits;
    for (const auto& [axis, seconds] : exposed) {
      rest -= seconds;
    }
    EXPECT_NEAR(computes + updates, rest, kRounding * time);
    // What the optimizer takes, but for the launch of its kernel.
    EXPECT_NEAR(updates, step.breakdown[TimePart::Optimizer].value, 1e-4 * time);
  }
}

std::string positions(const Gantt& gantt, Seconds least) {
  std::string text;
  for (const GanttRow& row : gantt.rows) {
    for (const GanttSpan& span : visible_spans(row, least)) {
      text += fmt::format("{} {} {:.6f} {:.6f}\n", static_cast<int>(span.kind),
                          span.action ? span.action->text() : "", span.interval.start / gantt.step,
                          span.interval.finish / gantt.step);
    }
  }
  return text;
}

// A flap years after the step changes no time, but passes that hang on its link are then played
// exchange by exchange.
TEST(Gantt, FusedPassesAndOthersAreDrawnAlike) {
  const std::vector<std::string> small{"training.global_batch=12"};
  std::vector<std::string> flapping = small;
  flapping.emplace_back("degraded.flaps=[{scale_up: 0, at: 1 d, for: 1 s}]");
  const Drawn fused = draw("gpt3-175b-64-a100-selective.yaml", small);
  const Drawn whole = draw("gpt3-175b-64-a100-selective.yaml", flapping);
  ASSERT_GT(whole.plan.graph.tasks.size(), fused.plan.graph.tasks.size());
  const GanttStyle style;
  EXPECT_EQ(write_gantt(std::array{fused.gantt}, style),
            write_gantt(std::array{whole.gantt}, style));
  EXPECT_EQ(positions(fused.gantt, {}), positions(whole.gantt, {}));
}

// Every row has each action of its stage once, in the order of its schedule, for whatever can be
// played; spans are in order and apart.
TEST(Gantt, RowsAreWhatTheScheduleSays) {
  const std::uint64_t seed = testing::from_environment("DANLU_SEED", 1);
  const std::uint64_t cases = testing::from_environment("DANLU_CASES", 60);
  for (std::uint64_t i = 0; i < cases; ++i) {
    const testing::Case drawn = testing::random_case(seed + i);
    SCOPED_TRACE(fmt::format("DANLU_SEED={} DANLU_CASES=1: {}", seed + i, describe(drawn)));
    const StepPlan plan = plan_step(drawn.workload, build_cluster(drawn.cluster));
    const Timeline timeline = testing::play(plan.graph);
    const Gantt gantt = gantt_of("", drawn.workload, plan, timeline);
    ASSERT_EQ(static_cast<int>(gantt.rows.size()), drawn.workload.parallelism.pipeline);
    for (const GanttRow& row : gantt.rows) {
      std::vector<Action> shown;
      Seconds last;
      for (const GanttSpan& span : visible_spans(row, gantt.step)) {
        EXPECT_GE(span.interval.start, last - 1e-10 * gantt.step);  // but for rounding
        EXPECT_GE(span.interval.finish, span.interval.start);
        last = span.interval.finish;
        if (span.kind == GanttSpan::Kind::Pass) {
          shown.push_back(*span.action);
        }
      }
      EXPECT_LE(last, gantt.step);
      // What of a pass's last exchange goes on beside a send is drawn behind that.
      shown.erase(std::unique(shown.begin(), shown.end()), shown.end());
      EXPECT_EQ(shown, drawn.workload.actions(row.stage));
    }
  }
}

GanttSpan pass(double start, double finish, ActionKind kind, int microbatch, int chunk = 0) {
  return {.interval = {{start}, {finish}},
          .kind = GanttSpan::Kind::Pass,
          .action = Action{kind, chunk, microbatch}};
}
GanttSpan exchange(double start, double finish, Axis axis) {
  return {.interval = {{start}, {finish}}, .kind = GanttSpan::Kind::Exchange, .axis = axis};
}

Gantt by_hand() {
  GanttRow first{.stage = 0,
                 .spans = {pass(0, 3, ActionKind::Forward, 0),
                           pass(3, 6, ActionKind::Forward, 12),
                           pass(9, 15, ActionKind::Backward, 0),
                           pass(15, 16, ActionKind::Backward, 12),
                           exchange(16, 18, Axis::Replicate),
                           {.interval = {{18}, {20}}, .kind = GanttSpan::Kind::Update}}};
  GanttRow second{.stage = 1,
                  .spans = {exchange(2.5, 3.4, Axis::Pipeline), pass(4, 7, ActionKind::Input, 0, 1),
                            pass(7, 12, ActionKind::Weight, 0, 1)}};
  return {.title = "by hand",
          .schedule = "none",
          .stages = 2,
          .chunks = 2,
          .microbatches = 13,
          .step = 20_s,
          .rows = {first, second}};
}

TEST(Gantt, IsDrawnAsByHand) {
  const auto lines = [](const std::string& text) {
    std::istringstream stream(text);
    std::vector<std::string> all;
    for (std::string line; std::getline(stream, line);) {
      all.push_back(line);
    }
    return all;
  };
  const std::vector<Gantt> gantts{by_hand()};
  EXPECT_EQ(lines(write_gantt(gantts, {.columns = 20})),
            (std::vector<std::string>{
                "by hand: none, 2 stages of 2 chunks, 13 microbatches, step 20.00 s",
                "                                 waits",
                "stage 0  F0-F12...B0====Bddoo   15.0 %",
                "stage 1  ...pi0~w0+++........   55.5 %",
                "         |---------|---------",
                "         0 s       10 s",
                "         F forward",
                "         B backward",
                "         I input gradient",
                "         W weight gradient",
                "         numbers: microbatches",
                "         f b i w of chunks 1, 3, ...",
                "         p exposed pipeline exchange",
                "         d exposed data exchange",
                "         o optimizer",
                "         . waits",
                "         a column is 1.000 s",
                "         what shares a column is shown in turn",
            }));
  const std::vector<std::string> blocks =
      lines(write_gantt(gantts, {.columns = 20, .unicode = true}));
  EXPECT_EQ(blocks[2], "stage 0  F0░F12···B0▓▓▓▓Bddoo   15.0 %");
  EXPECT_EQ(blocks[3], "stage 1  ···pi0▒w0███········   55.5 %");
  EXPECT_EQ(lines(write_gantt(gantts, {.columns = 20, .unicode = true, .colour = true}))[3],
            "stage 1  ···\x1b[0;30;48;5;203mp\x1b[0;30;48;5;80mi0 \x1b[0;30;48;5;179mw0   "
            "\x1b[0m········   55.5 %");
}

// Passes of 1/3 and 2/3 of a column: every third column is an F.
TEST(Gantt, WhatSharesAColumnIsShownInProportion) {
  Gantt gantt{.title = "small", .microbatches = 30, .step = 30_s, .rows = {{}}};
  for (int i = 0; i < 30; ++i) {
    gantt.rows[0].spans.push_back(pass(i, i + 1.0 / 3, ActionKind::Forward, i));
    gantt.rows[0].spans.push_back(pass(i + 1.0 / 3, i + 1, ActionKind::Backward, i));
  }
  const std::string text = write_gantt(std::array{gantt}, {.columns = 30});
  const std::string row = text.substr(text.find("stage 0  ") + 9, 30);
  EXPECT_EQ(std::count(row.begin(), row.end(), 'F'), 10) << row;
  EXPECT_EQ(std::count(row.begin(), row.end(), 'B'), 20) << row;
  EXPECT_EQ(row.find("FF"), std::string::npos) << row;
}

// A pass with an exchange inside that is as long as a column has its letter and number once.
TEST(Gantt, APassIsNamedOnce) {
  GanttSpan inside = exchange(5, 7, Axis::Tensor);
  inside.action = Action{ActionKind::Forward, 0, 3};
  const Gantt gantt{.title = "one",
                    .step = 12_s,
                    .rows = {{.spans = {pass(0, 5, ActionKind::Forward, 3), inside,
                                        pass(7, 10, ActionKind::Forward, 3),
                                        pass(10, 12, ActionKind::Forward, 4)}}}};
  EXPECT_NE(write_gantt(std::array{gantt}, {.columns = 12}).find("stage 0  F3---tt---F4 "),
            std::string::npos);
  const std::string svg = write_gantt_svg(std::array{gantt});
  EXPECT_EQ(svg.find(">3</text>"), svg.rfind(">3</text>"));
  EXPECT_NE(svg.find(">3</text>"), std::string::npos);
  EXPECT_NE(svg.find(">4</text>"), std::string::npos);
}

// Of 100 stages as many are drawn as fit, the first and the last among them, and it is said.
TEST(Gantt, DrawsAFewOfManyStages) {
  const Drawn drawn = draw(kLesson, {"cluster.gpus=100", "parallelism.pipeline=100",
                                     "model.layers=100", "training.global_batch=4"});
  ASSERT_EQ(drawn.gantt.rows.size(), static_cast<std::size_t>(kMostGanttRows));
  EXPECT_EQ(drawn.gantt.rows.front().stage, 0);
  EXPECT_EQ(drawn.gantt.rows.back().stage, 99);
  for (std::size_t i = 1; i < drawn.gantt.rows.size(); ++i) {
    const int apart = drawn.gantt.rows[i].stage - drawn.gantt.rows[i - 1].stage;
    EXPECT_TRUE(apart == 4 || apart == 5) << apart;
  }
  EXPECT_EQ(
      gantt_notes(drawn.gantt),
      std::vector<std::string>{"24 of 100 stages are drawn, evenly from the first to the last"});
}

// A GPU twice as slow: its tensor group waits for it, and of a stage of two groups one is drawn.
TEST(Gantt, SaysWhereRanksOfAStageDiffer) {
  const Drawn drawn = draw("gpt3-175b-64-a100-selective.yaml",
                           {"training.global_batch=8", "cluster.gpus=128", "parallelism.data=2",
                            "degraded.gpus={3: 2}", "training.schedule.chunks=1"});
  const std::vector<std::string> notes = gantt_notes(drawn.gantt);
  ASSERT_FALSE(notes.empty());
  EXPECT_TRUE(notes[0].starts_with("the ranks of stages 0, 1, ")) << notes[0];
}

// Marks are round, and not more than asked for.
TEST(Gantt, AScaleHasRoundMarks) {
  const auto texts = [](double end, int most) {
    std::string text;
    for (const GanttMark& mark : gantt_marks(Seconds{end}, most)) {
      text += (text.empty() ? "" : ", ") + mark.text;
    }
    return text;
  };
  EXPECT_EQ(texts(13.08, 10), "0 s, 2 s, 4 s, 6 s, 8 s, 10 s, 12 s");
  EXPECT_EQ(texts(0.6016, 10), "0 ms, 100 ms, 200 ms, 300 ms, 400 ms, 500 ms, 600 ms");
  EXPECT_EQ(texts(1.2, 10), "0 s, 0.2 s, 0.4 s, 0.6 s, 0.8 s, 1 s");
  EXPECT_EQ(texts(4.2e-5, 5), "0 us, 10 us, 20 us, 30 us, 40 us");
}

}  // namespace
}  // namespace danlu
