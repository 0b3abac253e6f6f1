// Compute beside collectives, by hand: the closed form, a program alone, the engine, whole steps.
#include "sim/workload/contention.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "sim/cluster/throttle.hpp"
#include "sim/program/least_pass.hpp"
#include "sim/program/play.hpp"
#include "sim/report/report.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped;

constexpr GpuShare kHalf{.multiprocessors = 0.4};     // halves what computes
constexpr GpuShare kQuarter{.multiprocessors = 0.2};  // takes a quarter of that

TEST(Contention, SlowsWhatIsBoundByWhatIsTaken) {
  const Bounds compute{8_s, 2_s};
  EXPECT_EQ(pace(compute, {}), 1);
  EXPECT_DOUBLE_EQ(pace(compute, {0.16, 0}), 10.0 / (10 + 2));
  EXPECT_DOUBLE_EQ(pace(compute, {0, 0.5}), 10.0 / (8 + 4));
  EXPECT_DOUBLE_EQ(pace(compute, {0.16, 0.5}), 10.0 / (10 + 4));
  EXPECT_DOUBLE_EQ(pace(compute, GpuShare{0.06, 0.2} + GpuShare{0.1, 0.3}), 10.0 / (10 + 4));
  EXPECT_DOUBLE_EQ(pace({10_s, 0_s}, {3, 0}), 0.1);  // a tenth is always left
  EXPECT_EQ(pace({}, kHalf), 1);
}

// ---- a program alone

Segment compute(std::vector<std::size_t> after = {}) {
  return {.name = "work", .after = std::move(after)};
}
Segment exchange(Axis axis, std::vector<std::size_t> after = {}) {
  return {.name = "exchange", .is_compute = false, .axes = axis, .after = std::move(after)};
}

// Half of the multiprocessors are gone for 4 s, which makes 2 s of the work; 8 s are left.
//
//   exchange   |----|
//   compute    |==== half ===|======== whole =======|      4 + 8
TEST(Contention, ExchangesSlowTheComputeOfTheirProgram) {
  const Program program{.segments = {exchange(Axis::Shard), compute(), compute({1})}};
  SegmentCosts costs{.durations = {4_s, 10_s, 1_s},
                     .launches = {},
                     .bounds = {{}, {10_s, 0_s}, {1_s, 0_s}},
                     .taken = {kHalf, {}, {}}};
  const SegmentTimes times = play_alone(program, 0, 3, costs);
  EXPECT_EQ(times.finish[1], 12_s);
  EXPECT_EQ(times.longer[1], 2_s);
  EXPECT_EQ(times.longer[2], 0_s);
  EXPECT_EQ(times.total, 13_s);
  costs.taken[0] = {};
  EXPECT_EQ(play_alone(program, 0, 3, costs).total, 11_s);
}

// Two at once take twice as much, and the host's launch of the second decides since when.
TEST(Contention, AddsUpOverStreams) {
  const Program program{.segments = {exchange(Axis::Shard), compute(), exchange(Axis::Expert)}};
  SegmentCosts costs{.durations = {8_s, 12_s, 20_s},
                     .launches = {{0_s, 0_s, 4_s}, {false, false, false}},
                     .bounds = {{}, {12_s, 0_s}, {}},
                     .taken = {kQuarter, {}, kQuarter}};
  // [0, 4] at 3/4, [4, 8] at 1/2: 5 s are done, and the other 7 at 3/4.
  EXPECT_TRUE(near(play_alone(program, 0, 3, costs, Seconds{}).finish[1].value, 8 + 7 / 0.75));
  // Not launched one after the other, both run from 0: 4 s are done at 8.
  EXPECT_TRUE(near(play_alone(program, 0, 3, costs).finish[1].value, 8 + 8 / 0.75));
  // The host was 2 s ahead: [0, 2] at 3/4, [2, 8] at 1/2: 4.5 s are done.
  EXPECT_TRUE(near(play_alone(program, 0, 3, costs, 2_s).finish[1].value, 8 + 7.5 / 0.75));
}

// A bound counts what one exchange takes, however many run: from 0 to 20 one or two of them do, and
// a half is left all the while, so that 10 of the 12 s are done; with 30 s it is a half to the end.
TEST(Contention, IsTakenOnceByTheLeastPass) {
  const Program program{.segments = {exchange(Axis::Shard), compute(), exchange(Axis::Expert)}};
  const std::vector<Bounds> bounds{{}, {12_s, 0_s}, {}};
  EXPECT_TRUE(near(least_pass(program, {8_s, 12_s, 20_s}, bounds, kHalf).value, 20 + 2));
  EXPECT_TRUE(near(least_pass(program, {8_s, 12_s, 30_s}, bounds, kHalf).value, 30));
  EXPECT_TRUE(near(least_pass(program, {22_s, 12_s, 20_s}, bounds, kHalf).value, 22 + 1));
  EXPECT_TRUE(near(least_pass(program, {8_s, 12_s, 10_s}, bounds, {}).value, 12));
}

TEST(Contention, OthersTakeTheirShareWhileTheyRun) {
  const Program program{.segments = {compute(), compute({0})}};
  const SegmentCosts costs{.durations = {3_s, 7_s},
                           .launches = {},
                           .bounds = {{3_s, 0_s}, {0_s, 7_s}},
                           .taken = {{}, {}}};
  // Multiprocessors only: the second is not bound by them.
  const std::vector<TakenFrom> beside{{1_s, kHalf}, {6_s, {}}};
  EXPECT_EQ(play_alone(program, 0, 2, costs, {}, beside).finish, (std::vector{5_s, 12_s}));
}

// ---- the engine

/// Communications of one sort that takes half of the multiprocessors and carries nothing.
TaskGraph with_taker() {
  TaskGraph graph;
  graph.communications.push_back({.taken = kHalf});
  return graph;
}

Task takes(Seconds time) {
  return {.kind = TaskKind::Communication, .duration = time, .communication = CommunicationId{}};
}

Task computes(TaskGraph& graph, Seconds time, Seconds passing = {}) {
  ComputeTime compute{.passing = passing};
  compute[ComputePart::Useful] = time;
  return {.kind = TaskKind::Compute,
          .duration = time,
          .compute = graph.compute_times.push_back(compute)};
}

TEST(Contention, EngineSlowsComputeOfTheSameRanks) {
  TaskGraph graph = with_taker();
  const RankClassId one{0}, other{1};
  const TaskId first = graph.add(computes(graph, 3_s), {one});
  const TaskId slowed = graph.add(computes(graph, 10_s), {one});
  const TaskId free = graph.add(computes(graph, 10_s), {other});
  const TaskId taker = graph.add(takes(4_s), {one});
  graph.add_edge(first, slowed);
  graph.add_edge(first, taker);
  const Timeline timeline = testing::play(graph);
  EXPECT_EQ(timeline.finish[slowed], 15_s);  // 3, then 4 s at half speed, then 8
  EXPECT_EQ(timeline.finish[free], 10_s);
  EXPECT_EQ(timeline.finish[taker], 7_s);
}

// Hot for 5 of 10 s, at half speed: with half of that taken until 4, 1 s is done, 1.5 s at 5, 6.5
// at 10, 9 at 15.
TEST(Contention, EngineSlowsThrottledComputeOnceMore) {
  TaskGraph graph = with_taker();
  graph.throttles.push_back(Throttle{.slowdown = 2, .period = 10_s, .share = 0.5});
  const TaskId slowed = graph.add(computes(graph, 10_s), {RankClassId{}});
  (void)graph.add(takes(4_s), {RankClassId{}});
  EXPECT_TRUE(near(testing::play(graph).finish[slowed].value, 16));
}

TEST(Contention, WorkDoneIsTheInverseOfItsTime) {
  const Throttle throttle{.slowdown = 1.7, .period = 3_s, .share = 0.4, .phase = 0.3};
  for (const double start : {0.0, 0.4, 2.9, 7.7}) {
    for (const double work : {0.1, 1.0, 2.4, 30.0}) {
      const Seconds time = throttle.time({start}, {work});
      EXPECT_TRUE(near(throttle.done({start}, time).value, work)) << start << " " << work;
    }
  }
}

// A run is what its segments are, whatever begins and ends beside it.
TEST(Contention, RunsGoOnLikeTheirSegments) {
  const std::vector<Seconds> lengths{4_s, 5_s, 6_s};
  const Program program{.segments = {compute(), compute({0}), compute({1})}};
  const auto play = [&](bool as_run) {
    TaskGraph graph = with_taker();
    graph.communications.push_back({.taken = {0.2, 0.25}});
    std::vector<Task> segments;
    SegmentCosts costs;
    for (const Seconds length : lengths) {
      segments.push_back(computes(graph, length, length == 5_s ? 4_s : 0_s));
      costs.durations.push_back(length);
      costs.bounds.push_back(graph.compute_times[segments.back().compute].bounds());
    }
    costs.taken.resize(3);
    TaskId last{};
    if (as_run) {
      graph.programs.push_back(
          {.program = std::make_shared<const Program>(program), .costs = costs});
      last = graph.add({.kind = TaskKind::Run, .duration = 15_s, .slice = {{}, 0, 3}},
                       {RankClassId{}});
    }
    for (std::size_t i = 0; i < 3 && !as_run; ++i) {
      const TaskId task = graph.add(segments[i], {RankClassId{}});
      if (i > 0) {
        graph.add_edge(last, task);
      }
      last = task;
    }
    Task other = takes(6_s);
    other.communication = CommunicationId{1};
    const TaskId delay = graph.add({.kind = TaskKind::Communication, .duration = 3_s}, {});
    const TaskId first = graph.add(takes(4_s), {RankClassId{}});
    const TaskId second = graph.add(other, {RankClassId{}});
    graph.add_edge(delay, first);
    graph.add_edge(first, second);
    return testing::play(graph).finish[last].value;
  };
  EXPECT_GT(play(true), 15);
  EXPECT_TRUE(near(play(true), play(false), 1e-12));
}

// ---- whole steps

StepReport step_of(const std::vector<std::string>& more) {
  const Scenario s = shipped("llama3-8b-fsdp-h100.yaml", more);
  const Cluster cluster = build_cluster(s.cluster);
  const StepPlan plan = plan_step(s.workload, cluster);
  return measure("", s.workload, cluster, plan, testing::play(plan.graph)).step;
}

// Rings of NCCL over nodes of H100 take 16 of 132 multiprocessors while they run.
TEST(Contention, OfAStepIsAPartOfItsOwn) {
  const StepReport with = step_of({});
  const StepReport without = step_of({"cluster.collective.blocks=0"});
  EXPECT_EQ(without.breakdown[TimePart::Contention], 0_s);
  const double slower = with.breakdown[TimePart::Contention] / with.all_communication.overlapped;
  EXPECT_GT(slower, 0.05);
  EXPECT_LT(slower, 0.25);
  EXPECT_TRUE(near(with.breakdown.total().value, with.time.value, 1e-9));
  EXPECT_GT(with.time, without.time);
  EXPECT_LE(with.time - without.time, with.breakdown[TimePart::Contention] * 1.001);
  EXPECT_GT(step_of({"cluster.collective.blocks=32"}).time, with.time);
}

/// What exchanges over each axis take of the multiprocessors of a GPU.
std::map<Axis, double> multiprocessors_taken(const std::vector<std::string>& more) {
  std::vector<std::string> settings{"parallelism.tensor=4", "parallelism.sequence=true",
                                    "parallelism.zero=3"};
  settings.insert(settings.end(), more.begin(), more.end());
  const Scenario s = shipped("llama3-8b-fsdp-h100.yaml", settings);
  std::map<Axis, double> taken;
  const StepPlan plan = plan_step(s.workload, build_cluster(s.cluster));
  for (const Communication& one : plan.graph.communications) {
    taken[one.axis] = std::max(taken[one.axis], one.taken.multiprocessors);
  }
  return taken;
}

// NCCL gives a group in a node of eight H100 24 channels, and userbuffers 6 blocks of 132: but only
// beside the pieces of products, and only to tensor ranks.
TEST(Contention, UserbuffersTakeFewMultiprocessors) {
  const std::string full = "parallelism.overlap.tensor=full";
  const auto nccl = multiprocessors_taken({full});
  EXPECT_DOUBLE_EQ(nccl.at(Axis::Tensor), 24.0 / 132);
  const auto few = multiprocessors_taken({full, "parallelism.overlap.blocks=6"});
  EXPECT_DOUBLE_EQ(few.at(Axis::Tensor), 6.0 / 132);
  EXPECT_EQ(few.at(Axis::Replicate), nccl.at(Axis::Replicate));
  EXPECT_GT(few.at(Axis::Replicate), 0);
  const auto copied = multiprocessors_taken({full, "parallelism.overlap.blocks=0"});
  EXPECT_EQ(copied.at(Axis::Tensor), 0);
  const auto beside = multiprocessors_taken({"training.framework=megatron-core"});  // backward
  EXPECT_DOUBLE_EQ(beside.at(Axis::Tensor), 24.0 / 132);
  const auto core = multiprocessors_taken({full, "training.framework=megatron-core"});
  EXPECT_DOUBLE_EQ(core.at(Axis::Tensor), 6.0 / 132);
}

}  // namespace
}  // namespace danlu
