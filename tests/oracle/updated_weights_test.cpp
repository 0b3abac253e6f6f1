// Updated weights that travel as they are first used (parallelism.overlap.weights), by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/program/step_program.hpp"
#include "tests/support/blocks.hpp"

namespace danlu {
namespace {

/// Three microbatches on four ranks that split the optimizer's state.
Workload split(bool beside) {
  Workload w = testing::small_gpt(5);
  w.model.tied_embeddings = false;
  w.parallelism.data = 4;
  w.parallelism.zero = 1;
  w.parallelism.overlap_weights = beside;
  w.training.global_batch = 12;
  return w;
}

/// Bytes of each gather of a pass of stage 0.
std::vector<double> gathered(const StepProgram& step, PassId pass) {
  std::vector<double> bytes;
  for (const Segment& segment : step.programs[step.stages[0].passes[pass].program].segments) {
    if (segment.name == "gather weights") {
      bytes.push_back(segment.demand.bytes.value);
    }
  }
  return bytes;
}
int ends_named(const StepProgram& step, std::string_view name) {
  const auto& ends = step.stages[0].ends;
  return static_cast<int>(std::count_if(ends.begin(), ends.end(),
                                        [&](const EndStep& end) { return end.name == name; }));
}

// The first forward pass gathers what would be gathered at the end, 2 bytes of all parameters: the
// tables, then layers of 12.6 million each, as many as have 40 together, then the head. No other
// pass does.
TEST(UpdatedWeights, AreGatheredInTheFirstForwardPass) {
  const Workload w = split(true);
  const StepProgram step = make_step_program(w);
  const double hidden = 1024, layer = 12 * hidden * hidden + 13 * hidden;
  const double tables = (32000 + w.model.positions) * hidden;
  const double head = 32000 * hidden + 2 * hidden;
  EXPECT_EQ(gathered(step, PassId{0}),
            (std::vector{2 * tables, 2 * 4 * layer, 2 * layer, 2 * head}));
  for (const PassId pass : step.stages[0].passes.ids()) {
    EXPECT_EQ(gathered(step, pass).empty(), pass != PassId{0});
  }
  EXPECT_EQ(ends_named(step, "gather parameters"), 0);

  const StepProgram after = make_step_program(split(false));
  EXPECT_EQ(ends_named(after, "gather parameters"), 1);
  EXPECT_TRUE(gathered(after, PassId{0}).empty());
  EXPECT_EQ(after.stages[0].ends.back().bytes.value, 2 * (tables + 5 * layer + head));
}

// With stages all of these begin with the step: each chunk's weights travel by themselves, in the
// order of the first passes, and no pass but that one waits for them. The first holds the tables,
// the last the head.
TEST(UpdatedWeights, TravelAheadOfTheFirstPassOfTheirChunkWithStages) {
  Workload w = split(true);
  w.model.layers = 8;
  w.parallelism.pipeline = 2;
  w.training.chunks = 2;
  w.training.global_batch = 16;
  const StepProgram step = make_step_program(w);
  const double hidden = 1024, layer = 12 * hidden * hidden + 13 * hidden;
  const double tables = (32000 + w.model.positions) * hidden;
  const double head = 32000 * hidden + 2 * hidden;
  for (const auto& [stage, first, second] :
       {std::tuple(0, tables, 0.0), std::tuple(1, 0.0, head)}) {
    const StageProgram& own = step.stage(stage);
    std::vector<EndStep> ahead;
    for (const EndStep& end : own.ends) {
      if (end.name == "gather parameters") {
        ahead.push_back(end);
      }
    }
    ASSERT_EQ(ahead.size(), 2U);
    EXPECT_EQ(ahead[0].bytes.value, 2 * (2 * layer + first));
    EXPECT_EQ(ahead[1].bytes.value, 2 * (2 * layer + second));
    EXPECT_TRUE(ahead[0].after.empty());
    EXPECT_EQ(ahead[1].after.size(), 1U);
    for (int chunk = 0; chunk < 2; ++chunk) {
      const PassId held = *ahead[static_cast<std::size_t>(chunk)].ahead_of;
      EXPECT_EQ(own.passes[held].action.chunk, chunk);
      EXPECT_TRUE(own.passes[held].action.is_forward());
      for (const PassId pass : own.passes.ids()) {
        EXPECT_FALSE(pass < held && own.passes[pass].action.chunk == chunk);
      }
    }
  }
  w.parallelism.overlap_weights = false;
  EXPECT_EQ(ends_named(make_step_program(w), "gather parameters"), 1);
}

// Nothing is there to gather where every rank updates all, and with ZeRO-3 passes gather anyway.
TEST(UpdatedWeights, TravelWithZeroOneAndTwoAlone) {
  for (const auto& [zero, gathers] : {std::pair(0, 0U), {1, 4U}, {2, 6U}, {3, 6U}}) {
    Workload w = split(true);
    w.parallelism.zero = zero;
    EXPECT_EQ(gathered(make_step_program(w), PassId{0}).size(), gathers) << zero;
    w.parallelism.overlap_weights = false;
    EXPECT_EQ(gathered(make_step_program(w), PassId{0}).size(), zero == 3 ? gathers : 0U) << zero;
  }
}

}  // namespace
}  // namespace danlu
