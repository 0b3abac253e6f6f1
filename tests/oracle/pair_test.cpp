// Passes side by side: the order that is written, what it hides, and that nothing is lost.
#include <gtest/gtest.h>

#include <algorithm>

#include "sim/program/step_program.hpp"
#include "sim/report/gantt.hpp"
#include "sim/report/report.hpp"
#include "sim/workload/memory.hpp"
#include "tests/support/blocks.hpp"
#include "tests/support/play.hpp"
#include "tests/support/random_steps.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped;

Segment compute(std::string name, std::vector<std::size_t> after) {
  return {.name = std::move(name), .after = std::move(after)};
}
Segment exchange(std::string name, std::vector<std::size_t> after) {
  return {.name = std::move(name), .is_compute = false, .axes = {Axis::Tensor}, .after = after};
}

std::string order_of(const Program& program) {
  std::string text;
  for (const Segment& segment : program.segments) {
    text += segment.name + (segment.beside ? "' " : " ");
  }
  return text;
}

// a1 x | b1 y | a2 a3 z | b2: each waits for its own exchange while the other computes.
TEST(Pair, OneGoesOnWhileTheOtherWaits) {
  const Program first{.segments = {compute("a1", {}), exchange("x", {0}), compute("a2", {1}),
                                   compute("a3", {2}), exchange("z", {3})}};
  const Program second{.segments = {compute("b1", {}), exchange("y", {0}), compute("b2", {1})}};
  const Program pair = paired(first, second);
  EXPECT_EQ(order_of(pair), "a1 x b1' y' a2 a3 z b2' ");
  EXPECT_EQ(pair.segments[4].after, std::vector<std::size_t>{1});
  EXPECT_EQ(pair.segments[7].after, std::vector<std::size_t>{3});
  // Compute 2 each, exchanges 1: only z, behind a3, and nothing else is hidden by what follows.
  std::vector<Seconds> durations;
  for (const Segment& segment : pair.segments) {
    durations.push_back(segment.is_compute ? 2_s : 1_s);
  }
  EXPECT_EQ(play_alone(pair, 0, pair.segments.size(), {.durations = durations}).total, 10_s);
  // Alone they take 2 + 1 + 2 + 2 + 1 and 2 + 1 + 2.
}

// An exchange that was begun a turn ago does not end a turn: the other has run since.
TEST(Pair, WhatWasBegunEarlierIsWaitedFor) {
  const Program first{.segments = {exchange("g", {}), compute("a1", {}), exchange("x", {1}),
                                   compute("a2", {2}), compute("a3", {0, 3})}};
  const Program second{.segments = {compute("b1", {}), compute("b2", {0})}};
  EXPECT_EQ(order_of(paired(first, second)), "g a1 x b1' b2' a2 a3 ");
  EXPECT_EQ(order_of(paired(second, first)), "b1 b2 g' a1' x' a2' a3' ");
}

// Of every plan: each segment of both once, in its own order, waiting for the same ones.
TEST(Pair, LosesNothing) {
  const std::uint64_t first = testing::from_environment("DANLU_SEED", 1);
  for (std::uint64_t seed = first; seed < first + 40; ++seed) {
    SCOPED_TRACE("DANLU_SEED=" + std::to_string(seed));
    const StepProgram step = make_step_program(testing::mixed_case(seed).workload);
    const Program& one = step.programs[ProgramId{0}];
    const Program& other = step.programs[step.programs.last_id()];
    const Program pair = paired(one, other);
    for (const bool beside : {false, true}) {
      Program half;
      std::vector<std::size_t> number(pair.segments.size());
      for (std::size_t i = 0; i < pair.segments.size(); ++i) {
        if (pair.segments[i].beside == beside) {
          number[i] = half.segments.size();
          half.segments.push_back(pair.segments[i]);
          half.segments.back().beside = false;
          half.segments.back().layer = 0;
          for (std::size_t& before : half.segments.back().after) {
            ASSERT_EQ(pair.segments[before].beside, beside);
            before = number[before];
          }
        }
      }
      std::vector<Segment> whole = (beside ? other : one).segments;
      for (Segment& segment : whole) {
        segment.beside = false;  // one that is a pair itself
        segment.layer = 0;
      }
      EXPECT_TRUE(half.segments == whole);
    }
  }
}

constexpr const char* kInterleaved = "llama3-405b-interleaved-h100.yaml";
const std::vector<std::string> kSmall{"cluster.gpus=128", "parallelism.data=1",
                                      "training.global_batch=128",
                                      "parallelism.overlap.tensor=none"};

std::vector<std::string> with(std::vector<std::string> overrides, const std::string& more) {
  overrides.push_back(more);
  return overrides;
}

StepReport step_of(const Workload& workload, const Cluster& cluster) {
  const StepPlan plan = plan_step(workload, cluster);
  return measure("", workload, cluster, plan, testing::play(plan.graph)).step;
}

// Tensor exchanges that nothing hides otherwise: with pairs most of the steady phase's are hidden.
TEST(Pair, HidesExchangesOfTheSteadyPhase) {
  const Scenario alone = shipped(kInterleaved, kSmall);
  const Scenario pairs = shipped(kInterleaved, with(kSmall, "parallelism.overlap.pair=true"));
  const Cluster cluster = build_cluster(alone.cluster);
  const StepReport before = step_of(alone.workload, cluster);
  const StepReport after = step_of(pairs.workload, cluster);
  EXPECT_TRUE(
      near(after.by_kind[Axis::Tensor].time.value, before.by_kind[Axis::Tensor].time.value));
  EXPECT_EQ(before.by_kind[Axis::Tensor].overlapped, Seconds{});
  EXPECT_GT(after.by_kind[Axis::Tensor].overlapped, 0.4 * after.by_kind[Axis::Tensor].time);
  EXPECT_LT(after.time, before.time);
}

// Without exchanges a pair takes the sum of both, and a stage alone loses nothing by pairs.
TEST(Pair, TakesTheSumWhereThereIsNothingToHide) {
  const Cluster cluster = build_cluster(shipped("learn/01-one-gpu.yaml").cluster);
  Workload w = shipped("learn/01-one-gpu.yaml").workload;
  w.training.global_batch = 4 * w.training.micro_batch;
  const StepReport alone = step_of(w, cluster);
  w.parallelism.overlap_pairs = true;
  const StepReport pairs = step_of(w, cluster);
  EXPECT_TRUE(near(pairs.time.value, alone.time.value));
  EXPECT_TRUE(near(pairs.mfu, alone.mfu));
}

// Stage 0 of DualPipe-V on two stages with 4 microbatches begins F F F F I W F (F;B) (F;B).
TEST(Pair, GoesOnWhenBothAreDone) {
  Workload w = testing::small_gpt(4);
  w.parallelism.pipeline = 2;
  w.training.global_batch = 6;
  w.training.schedule = "dualpipe-v";
  w.training.chunks = 2;
  const StepProgram step = make_step_program(w);
  const StageProgram& stage = step.stages[1];
  const auto pair = std::find_if(stage.passes.begin(), stage.passes.end(),
                                 [](const StagePass& pass) { return pass.beside.has_value(); });
  ASSERT_NE(pair, stage.passes.end());
  EXPECT_EQ(pair->action.with_next, true);
  const PassId id = stage.passes.id_at(pair);
  std::vector<bool> sent;
  for (const Send& send : stage.sends) {
    if (send.pass == id) {
      sent.push_back(send.beside);
    }
  }
  EXPECT_FALSE(sent.empty());
  const Program& program = step.programs[pair->program];
  EXPECT_TRUE(std::any_of(program.segments.begin(), program.segments.end(),
                          [](const Segment& segment) { return segment.beside; }));
  EXPECT_TRUE(program.layer_ends.empty());
}

// During a pair a rank holds what the forward pass keeps, what the backward pass still has, and
// what that makes again.
TEST(Pair, HoldsWhatBothHold) {
  Workload w = testing::small_gpt(4);
  w.training.global_batch = 3;
  w.model.vocab = 1024;  // logits are less than a layer that is made again
  w.training.recompute = Recompute::Full;
  w.parallelism.overlap_pairs = true;
  const ModelBlocks model = build_model(w);
  const std::vector<HeldDuring> held = memory_over_time(w, model, 0);
  ASSERT_EQ(held.size(), 4U);  // F0 (F1;B0) (F2;B1) B2
  EXPECT_EQ(held[1].during(), "0F1;0B0");
  EXPECT_EQ(held[1].activations, 2 * held[0].activations);
  EXPECT_EQ(held[1].again, made_again_by(model.layer(0)));
  EXPECT_EQ(held[2].activations, 2 * held[0].activations);
  EXPECT_EQ(held[3].activations, held[0].activations);
}

// A drawing has both of a pair, in turns that are wide enough to be seen.
TEST(Pair, IsDrawnInTurns) {
  GanttRow row;
  for (int i = 0; i < 100; ++i) {
    row.spans.push_back({.interval = {{i * 1e-3}, {(i + 0.75) * 1e-3}},
                         .action = Action{ActionKind::Forward, 0, 1, true}});
    row.spans.push_back({.interval = {{(i + 0.75) * 1e-3}, {(i + 1) * 1e-3}},
                         .action = Action{ActionKind::Backward, 1, 0}});
  }
  const std::vector<GanttSpan> seen = visible_spans(row, {10e-3});
  ASSERT_EQ(seen.size(), 10U);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_TRUE(near(seen[i].length().value, i % 2 == 0 ? 15e-3 : 5e-3));
    EXPECT_EQ(seen[i].action, row.spans[i % 2].action);
  }
  EXPECT_TRUE(near(seen.back().interval.finish.value, 0.1));
}

}  // namespace
}  // namespace danlu
