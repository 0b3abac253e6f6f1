// The longest way through a step by hand: 1F1B of p stages and m microbatches, f forward and b
// backward, with sends that take s. The last stage waits for the first microbatch, makes its m
// passes each way without a pause, and the last gradient goes back:
//
//   (p - 1)(f + s)  +  m (f + b)  +  (p - 1)(s + b)
//
// where sends are short enough to be there in time, and then what the first stage does at the end.
#include "sim/program/longest_way.hpp"

#include <gtest/gtest.h>

#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;

StepProgram one_f_one_b(int stages, int microbatches) {
  Workload w;
  w.model.layers = stages;
  w.parallelism.pipeline = stages;
  w.training.global_batch = microbatches;
  w.training.micro_batch = 1;
  return make_step_program(w);
}

LeastTimes times_of(const StepProgram& step, Seconds forward, Seconds backward, Seconds send) {
  LeastTimes times;
  for (const StageProgram& stage : step.stages) {
    IdVector<PassId, Seconds>& passes = times.passes.emplace_back();
    for (const StagePass& pass : stage.passes) {
      passes.push_back(pass.action.is_forward() ? forward : backward);
    }
    times.sends_on.push_back(send);
    times.sends_back.push_back(send);
    times.ends.push_back(Seconds{});
  }
  return times;
}

TEST(LongestWay, Of1f1bIsItsClosedForm) {
  for (const int stages : {1, 2, 4}) {
    for (const int microbatches : {4, 9}) {
      const StepProgram step = one_f_one_b(stages, microbatches);
      LeastTimes times = times_of(step, 1_s, 2_s, Seconds{});
      EXPECT_TRUE(near(longest_way(step, times).value, 3.0 * (microbatches + stages - 1)));
      times.ends.front() = 5_s;
      EXPECT_TRUE(near(longest_way(step, times).value, 3.0 * (microbatches + stages - 1) + 5));
    }
  }
}

// Of one microbatch nothing else is on the way: p f + (p-1) s, and as much back.
TEST(LongestWay, GoesBySends) {
  const StepProgram step = one_f_one_b(3, 1);
  EXPECT_TRUE(near(longest_way(step, times_of(step, 1_s, 2_s, 10_s)).value, 3 + 6 + 4 * 10));
}

// What a slow pass in the middle of a stage delays.
TEST(LongestWay, GoesThroughTheSlowestPasses) {
  const StepProgram step = one_f_one_b(2, 4);
  LeastTimes times = times_of(step, 1_s, 2_s, Seconds{});
  times.passes[1][PassId{2}] += 7_s;
  EXPECT_TRUE(near(longest_way(step, times).value, 15 + 7));
  const auto all = rests(step, times);
  EXPECT_TRUE(near(all[1][PassId{7}].value, 2 + 2));  // the last gradient, here and on stage 0
}

}  // namespace
}  // namespace danlu
