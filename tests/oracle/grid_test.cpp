// A schedule that the user writes as a grid: what is read, and what is wrong with it where.
#include "sim/schedule/grid.hpp"

#include <gtest/gtest.h>

#include "sim/schedule/schedule.hpp"
#include "tests/support/pipelines.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;

std::string text_of(const std::vector<Action>& actions, const Placement& placement, int stage) {
  std::string text;
  for (Action action : actions) {
    action.chunk = placement.part({stage, action.chunk});
    text += (text.empty() ? "" : " ") + action.text();
  }
  return text;
}

// Every schedule of the table, written as a grid and read again, is itself.
TEST(Grid, ReadsWhatTheSchedulesWrite) {
  for (const ScheduleRow& row : schedule_table()) {
    const ScheduleShape shape{Placement(4, row.chunks.value_or(3), row.deal), 8};
    if (shape.placement.has_copies()) {
      continue;
    }
    std::vector<std::vector<Action>> actions = testing::actions_of(row, shape);
    std::vector<std::string> lines;
    for (std::size_t stage = 0; stage < actions.size(); ++stage) {
      lines.push_back(text_of(actions[stage], shape.placement, static_cast<int>(stage)));
      for (Action& action : actions[stage]) {
        action.with_next = false;  // of pairs, which these lines do not have
      }
    }
    const ScheduleGrid grid = read_grid(lines, shape.placement, 8);
    EXPECT_TRUE(grid.problems.empty()) << row.name << ": " << grid.problems.front().message;
    EXPECT_EQ(grid.actions, actions) << row.name;
    EXPECT_EQ(chunks_of_grid(lines, 4), shape.placement.chunks());
  }
}

// PyTorch's zero-bubble interleaving, which no row has: 25 units of time on two stages.
TEST(Grid, PlaysAnyOrder) {
  const std::vector<std::string> lines{
      "0F0 0F1 2F0 2F1 2I0 2W0 0F2 2I1 2W1 0F3 0I0 0W0 2F2 0I1 0W1 2F3 2I2 2W2 2I3 2W3 0I2 0W2 0I3 "
      "0W3",
      "1F0 1F1 3F0 3I0 3F1 3I1 3W0 1F2 1I0 3W1 1F3 1I1 1W0 3F2 3I2 1W1 3F3 3I3 3W2 1I2 3W3 1I3 1W2 "
      "1W3"};
  const Placement placement(2, 2);
  const ScheduleGrid grid = read_grid(lines, placement, 4);
  ASSERT_TRUE(grid.problems.empty());
  EXPECT_TRUE(near(testing::play_pipeline({placement, grid.actions, {{}}}).total, 25));
}

// A pair is two actions, of which the first remembers that the second is meant to run beside it.
TEST(Grid, KnowsPairs) {
  const std::vector<std::string> lines{"0F0 (0F1;0B0) 0B1"};
  const ScheduleGrid grid = read_grid(lines, Placement(1, 1), 2);
  ASSERT_TRUE(grid.problems.empty());
  ASSERT_EQ(grid.actions[0].size(), 4U);
  EXPECT_TRUE(grid.actions[0][1].with_next);
  EXPECT_FALSE(grid.actions[0][2].with_next);
}

// Side by side is one pass: neither of a pair may need the other, nor through another stage.
TEST(Grid, PairsMustNotNeedOneAnother) {
  const GridProblem own =
      read_grid(std::vector<std::string>{"0F0 (0F1;0B1) 0B0"}, Placement(1, 1), 2).problems.at(0);
  EXPECT_EQ(own.column, 9U);
  EXPECT_EQ(own.message, "0B1 cannot run beside 0F1, whose result it needs");
  const ScheduleGrid apart =
      read_grid(std::vector<std::string>{"0F0 0F1 0B0 0B1", "1F0 1F1 1B0 1B1"}, Placement(2, 1), 2);
  EXPECT_TRUE(apart.problems.empty());
  const ScheduleGrid stuck = read_grid(
      std::vector<std::string>{"0F0 (0F1;0B0) 0B1", "1F0 1F1 1B0 1B1"}, Placement(2, 1), 2);
  ASSERT_EQ(stuck.problems.size(), 1U);
  EXPECT_EQ(stuck.problems[0].message,
            "deadlock: stage 0 waits at (0F1;0B0) for 1B0, stage 1 waits at 1F1 for 0F1");
}

// Which line and column a problem is shown at.
TEST(Grid, ProblemsHaveTheirPlace) {
  const auto problem = [](std::vector<std::string> lines) {
    const ScheduleGrid grid = read_grid(lines, Placement(2, 1), 2);
    EXPECT_EQ(grid.problems.size(), 1U);
    return grid.problems.empty() ? GridProblem{} : grid.problems.front();
  };
  const std::string good = "1F0 1B0 1F1 1B1";
  EXPECT_EQ(problem({"0F0 0F1 0B0 0B1 0B1", good}).column, 16U);
  const GridProblem early = problem({"0F0 0F1 0B0 0B1", "1B0 1F0 1F1 1B1"});
  EXPECT_EQ(early.line, 1U);
  EXPECT_EQ(early.column, 0U);
  EXPECT_NE(problem({"0F0 0F1 0B0", good}).message.find("lacks 0B1"), std::string::npos);
  // Stage 0 wants the first gradient before it makes the second input, stage 1 the other way round.
  const GridProblem stuck = problem({"0F0 0B0 0F1 0B1", "1F0 1F1 1B0 1B1"});
  EXPECT_EQ(stuck.line, 0U);
  EXPECT_EQ(stuck.column, 4U);
  EXPECT_EQ(stuck.message, "deadlock: stage 0 waits at 0B0 for 1B0, stage 1 waits at 1F1 for 0F1");
}

// A grid is checked for the plan that it was written for; another one, as a search tries them, is
// refused.
TEST(Grid, IsOfOnePlan) {
  Scenario s = testing::shipped(
      "llama3-8b-h100.yaml", {"cluster.gpus=8", "parallelism={tensor: 4, pipeline: 2}",
                              "training={global_batch: 2, sequence_length: 4096, schedule: 1f1b}"});
  s.workload.training.schedule = kGridSchedule;
  const std::vector<std::string> lines{"0F0 0F1 0B0 0B1", "1F0 1B0 1F1 1B1"};
  s.workload.training.grid = read_grid(lines, Placement(2, 1), 2).actions;
  const auto found = [&] {
    std::string text;
    for (const WorkloadProblem& problem : problems(s.workload, s.cluster.gpus, s.cluster.gpu)) {
      text += problem.message;
    }
    return text;
  };
  EXPECT_EQ(found(), "");
  s.workload.training.global_batch = 3;
  EXPECT_EQ(found(), "the grid is of 2 stages and 2 forward passes each, the plan of 2 and 3");
}
}  // namespace
}  // namespace danlu
