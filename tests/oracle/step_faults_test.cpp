// What comes and goes within a step, against hand arithmetic: GPUs that throttle, kernels that
// jitter, links that flap.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "sim/report/given_up.hpp"
#include "sim/report/report.hpp"
#include "sim/tasks/plan_step.hpp"
#include "tests/support/play.hpp"
#include "tests/support/replicas.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::play;
using testing::Replicas;

/// How long the kernels of a replica take before the reduction, and the optimizer's after it.
struct Parts {
  double passes = 0;
  double optimizer = 0;
};
Parts parts_of_replica() {
  Parts parts;
  const StepPlan plan = Replicas(1).plan();
  for (const Task& task : plan.graph.tasks) {
    (plan.graph.name_of(task) == "optimizer" ? parts.optimizer : parts.passes) +=
        task.duration.value;
  }
  return parts;
}

Report report_of(const Replicas& replicas) {
  const StepPlan plan = replicas.plan();
  return measure("test", replicas.workload, replicas.cluster, plan, play(plan.graph));
}

/// The parts add up to the step, exposed and overlapped to communication, and the critical path
/// covers the step.
void expect_partition(const Report& report) {
  const StepReport& step = report.step;
  EXPECT_TRUE(near(step.breakdown.total().value, step.time.value));
  const KindOverlap& all = step.all_communication;
  EXPECT_TRUE(near((all.exposed + all.overlapped).value, all.time.value));
  EXPECT_TRUE(
      near((report.critical_path.compute.total() + report.critical_path.communication).value,
           step.time.value));
}

// ---- throttling

// Twice as slow for the first 3 s of every 10 s. From 0 s on, 1 s of work takes 2 s; 1.5 s take the
// whole hot stretch of 3 s; 2 s take 0.5 s more. From 2 s on, of 1 s of work 0.5 s are done in the
// last hot second, and 0.5 s in the cool: 1.5 s. From 9 s on, of 2 s of work 1 s is done cool, then
// 1 s hot: 3 s.
TEST(Throttle, EndsWhenTheIntegralOfItsSpeedIsTheWork) {
  const Throttle throttle{.slowdown = 2, .period = 10_s, .share = 0.3};
  EXPECT_TRUE(near(throttle.time(0_s, 1_s).value, 2));
  EXPECT_TRUE(near(throttle.time(0_s, 1.5_s).value, 3));
  EXPECT_TRUE(near(throttle.time(0_s, 2_s).value, 3.5));
  EXPECT_TRUE(near(throttle.time(2_s, 1_s).value, 1.5));
  EXPECT_TRUE(near(throttle.time(9_s, 2_s).value, 3));
  EXPECT_TRUE(near(throttle.time(1009_s, 2_s).value, 3));
}

// A quarter of the period is over when the step begins: 0.5 s of the hot stretch are left, which do
// 0.25 s of 1 s of work.
TEST(Throttle, BeginsWhereItsPhaseSays) {
  const Throttle throttle{.slowdown = 2, .period = 10_s, .share = 0.3, .phase = 0.25};
  EXPECT_TRUE(near(throttle.time(0_s, 1_s).value, 0.5 + 0.75));
}

// A period does 3 / 2 + 7 = 8.5 s of work: 8500 s of work take 1000 periods wherever they begin,
// and 1 s more takes what is hot or cool there.
TEST(Throttle, WholePeriodsTakeWorkTimesPeriodOverWhatOneDoes) {
  const Throttle throttle{.slowdown = 2, .period = 10_s, .share = 0.3};
  for (const double start : {0.0, 2.0, 3.0, 9.5}) {
    EXPECT_TRUE(near(throttle.time({start}, 8500_s).value, 10000)) << start;
  }
  EXPECT_TRUE(near(throttle.time(0_s, 8501_s).value, 10002));
  EXPECT_TRUE(near(throttle.time(4_s, 8501_s).value, 10001));
}

TEST(Throttle, AlwaysOrNeverHotIsAFactor) {
  EXPECT_TRUE(near(Throttle{2, 10_s, 1, 0.7}.time(3_s, 123_s).value, 246));
  EXPECT_TRUE(near(Throttle{2, 10_s, 0, 0.7}.time(3_s, 123_s).value, 123));
}

// One task after another on one GPU: 4 s of work from 0 s: 3 s hot do 1.5 s, 2.5 s follow: 5.5 s.
// Then 5 s: 4.5 s cool until 10 s, the last 0.5 s hot: 5.5 s more.
TEST(Throttle, TheEnginePlaysItFromEachTasksStart) {
  constexpr RankClassId kOnly{0};
  TaskGraph graph;
  graph.throttles = {Throttle{.slowdown = 2, .period = 10_s, .share = 0.3}};
  const TaskId first = graph.add({.duration = 4_s, .name = graph.named("first")}, {kOnly});
  const TaskId second = graph.add({.duration = 5_s, .name = graph.named("second")}, {kOnly});
  graph.add_edge(first, second);
  const Timeline timeline = play(graph);
  EXPECT_TRUE(near(timeline.finish[first].value, 5.5));
  EXPECT_TRUE(near(timeline.finish[second].value, 11));
}

// T45 with a throttle. The last of d replicas is hot from the beginning to `hot` = half of its
// passes' healthy time, and then never again in this step. At 1 / s of its speed it does hot / s of
// them by then, so they end at hot + passes - hot / s; all wait for it, reduce, and update.
TEST(Throttle, TheStepWaitsForTheHotGpu) {
  const auto [passes, optimizer] = parts_of_replica();
  for (const int data : {2, 4}) {
    for (const double slowdown : {1.0, 1.4, 3.0}) {
      const double hot = passes / 2;
      const Throttle throttle{.slowdown = slowdown, .period = {100 * passes}, .share = 0.005};
      const Replicas replicas(data, {.throttle = {{data - 1, throttle}}});
      const double expected = hot + passes - hot / slowdown + replicas.all_reduce() + optimizer;
      EXPECT_TRUE(near(replicas.step(), expected)) << data << " ranks, " << slowdown;
      EXPECT_EQ(replicas.plan().fold.rank_classes.size(), 2U);  // the hot one, and the others
    }
  }
}

// Hot for 3 tenths of each of many periods; a period does w = hot / s + cool of work. Passes of
// 1000.5 w take 1000 periods, then the hot stretch, and the rest of w / 2 in the cool one.
TEST(Throttle, ManyPeriodsInOnePass) {
  const auto [passes, optimizer] = parts_of_replica();
  const double slowdown = 1.5;
  const double work = passes / 1000.5;  // of a period
  const double period = work / (0.3 / slowdown + 0.7);
  const Replicas replicas(
      2, {.throttle = {{0, {.slowdown = slowdown, .period = {period}, .share = 0.3}}}});
  const double finish = 1000 * period + 0.3 * period + (work / 2 - 0.3 * period / slowdown);
  const StepPlan plan = replicas.plan();
  const Timeline timeline = play(plan.graph);
  for (const TaskId i : plan.graph.tasks.ids()) {
    if (plan.graph.name_of(plan.graph.tasks[i]) == "reduce gradients") {
      EXPECT_TRUE(near(timeline.start[i].value, finish));
    }
  }
}

// A constant slowdown and throttling multiply: always hot at 1.4 on a GPU that is 1.5 times as slow
// is 2.1 times as slow.
TEST(Throttle, MultipliesWithASlowGpu) {
  const auto [passes, optimizer] = parts_of_replica();
  const Throttle throttle{.slowdown = 1.4, .period = 1_s, .share = 1};
  const Replicas replicas(2, {.gpus = {{1, 1.5}}, .throttle = {{1, throttle}}});
  EXPECT_TRUE(near(replicas.step(), 2.1 * (passes + optimizer) + replicas.all_reduce()));
}

// The kernels of GPU 1 take longer, which counts as inefficiency, as with slow GPUs: useful time
// stays, and the other three wait for it. By the arithmetic of TheStepWaitsForTheHotGpu they wait
// hot (1 - 1 / s) = passes / 2 / 2.
TEST(Throttle, TheReportNamesTheTime) {
  const auto [passes, optimizer] = parts_of_replica();
  const Throttle throttle{.slowdown = 2, .period = {100 * passes}, .share = 0.005};
  const Report report = report_of(Replicas(4, {.throttle = {{1, throttle}}}));
  const Report healthy = report_of(Replicas(4));
  expect_partition(report);
  const auto part = [](const Report& of, TimePart which) { return of.step.breakdown[which].value; };
  EXPECT_TRUE(near(part(report, TimePart::StragglerWait), 0.75 * passes / 4));
  EXPECT_TRUE(near(part(report, TimePart::Useful), part(healthy, TimePart::Useful)));
  ASSERT_EQ(report.speeds.size(), 2U);
  EXPECT_EQ(report.speeds[0].throttle, throttle);  // computes longest
  EXPECT_EQ(report.speeds[0].gpus, 1);
  EXPECT_TRUE(near(report.speeds[0].compute.value, passes * 1.25 + optimizer));
  EXPECT_TRUE(near(report.speeds[1].straggler_wait.value, passes / 4));
}

// Draw i of n begins i / n of a period later in the cycle. Hot in the first quarter, a step much
// shorter than that: of 4 draws, one is slow.
TEST(Throttle, DrawsGoThroughThePhases) {
  const auto [passes, optimizer] = parts_of_replica();
  const DegradedSpec degraded{
      .throttle = {{0, {.slowdown = 3, .period = {1000 * passes}, .share = 0.25}}}, .draws = 4};
  const Replicas replicas(2, degraded);
  StepPlan plan = replicas.plan();
  for (int draw = 3; draw >= 0; --draw) {
    draw_step(plan, degraded, draw);
    const double factor = draw == 0 ? 3 : 1;
    EXPECT_TRUE(
        near(play(plan.graph).end.value, factor * (passes + optimizer) + replicas.all_reduce()))
        << draw;
  }
}

// ---- jitter

/// Of each stretch of kernels of a task: how long it is planned, and so many times that it takes.
std::vector<std::pair<double, double>> stretches_of(const TaskGraph& graph, TaskId id) {
  const Task& task = graph.tasks[id];
  if (task.kind == TaskKind::Compute) {
    return {{task.duration.value, graph.stretch_of(id)}};
  }
  std::vector<std::pair<double, double>> found;
  const std::vector<double> stretches = graph.stretches_of(id);
  for (std::size_t i = 0; i < stretches.size(); ++i) {
    const PlayedProgram& played = graph.programs[task.slice.program];
    if (played.program->segments[task.slice.first + i].is_compute) {
      found.emplace_back(played.costs.durations[task.slice.first + i].value, stretches[i]);
    }
  }
  return found;
}

TEST(Jitter, OfSpreadZeroIsNone) {
  const Replicas plain(4);
  const Replicas calm(4, {.jitter = {.spread = 0, .seed = 5}});
  EXPECT_EQ(testing::to_bytes(play(plain.plan().graph)),
            testing::to_bytes(play(calm.plan().graph)));
}

// Every replica's kernels take their own time; the reduction waits for the last, then all update:
// step = max over replicas of their passes + reduction + max of their updates.
TEST(Jitter, TheStepWaitsForTheSlowestRank) {
  const Replicas replicas(4, {.jitter = {.spread = 0.2}});
  const StepPlan plan = replicas.plan();
  ASSERT_EQ(plan.fold.rank_classes.size(), 4U);
  IdVector<RankClassId, double> passes(4);
  double optimizer = 0;
  for (const TaskId i : plan.graph.tasks.ids()) {
    const Task& task = plan.graph.tasks[i];
    if (plan.graph.name_of(task) == "optimizer") {
      optimizer = std::max(optimizer, plan.graph.stretch_of(i) * task.duration.value);
    } else {
      for (const auto& [planned, stretch] : stretches_of(plan.graph, i)) {
        passes[plan.graph.participants.of(i)[0]] += stretch * planned;
      }
    }
  }
  EXPECT_TRUE(near(play(plan.graph).end.value, *std::max_element(passes.begin(), passes.end()) +
                                                   replicas.all_reduce() + optimizer));
  const Report report = report_of(replicas);
  expect_partition(report);
  ASSERT_EQ(report.speeds.size(), 1U);
  EXPECT_EQ(report.speeds[0].gpus, 4);
  EXPECT_EQ(report.speeds[0].jitter, 0.2);
}

// A GPU draws the same numbers whoever else jitters, and however the step is folded.
TEST(Jitter, DependsOnTheGpuAlone) {
  const auto stretches = [](const Replicas& replicas, int rank) {
    std::vector<double> found;
    const StepPlan plan = replicas.plan();
    const RankClassId own = plan.fold.class_of_rank[RankId{rank}];
    for (const TaskId i : plan.graph.tasks.ids()) {
      for (const auto& [planned, stretch] : stretches_of(plan.graph, i)) {
        if (plan.graph.participants.of(i)[0] == own) {
          found.push_back(stretch);
        }
      }
    }
    EXPECT_GT(found.size(), 10U);
    return found;
  };
  Replicas all(4, {.jitter = {.spread = 0.1}});
  const std::vector<double> of_all = stretches(all, 2);
  EXPECT_EQ(stretches(Replicas(4, {.jitter = {.spread = 0.1, .gpus = {{2, 2}}}}), 2), of_all);
  EXPECT_NE(stretches(all, 3), of_all);
  all.workload.fold = FoldMode::Off;
  EXPECT_EQ(stretches(all, 2), of_all);
}

// One GPU: its compute is a sum of tasks with independent factors of mean 1 and variance c^2. The
// mean over n draws is the healthy sum within 4 standard errors; the variance is c^2 x the sum of
// squares, within 4 x sqrt(2 / n) of itself (its own error for nearly normal sums).
TEST(Jitter, HasTheMeanAndVarianceAskedFor) {
  constexpr int kDraws = 4000;
  constexpr double kSpread = 0.1;
  const DegradedSpec degraded{.jitter = {.spread = kSpread}, .draws = kDraws};
  StepPlan plan = Replicas(1, degraded).plan();
  double healthy = 0;
  double squares = 0;
  for (const TaskId i : plan.graph.tasks.ids()) {
    for (const auto& [planned, stretch] : stretches_of(plan.graph, i)) {
      healthy += planned;
      squares += std::pow(planned, 2);
    }
  }
  const double variance = kSpread * kSpread * squares;
  double sum = 0;
  double deviations = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    draw_step(plan, degraded, draw);
    double compute = 0;
    for (const TaskId i : plan.graph.tasks.ids()) {
      for (const auto& [planned, stretch] : stretches_of(plan.graph, i)) {
        compute += stretch * planned;
      }
    }
    sum += compute;
    deviations += std::pow(compute - healthy, 2);
  }
  EXPECT_NEAR(sum / kDraws, healthy, 4 * std::sqrt(variance / kDraws));
  EXPECT_NEAR(deviations / kDraws, variance, 4 * std::sqrt(2.0 / kDraws) * variance);
}

// Two ranks with one task of 1 s each: the step is the larger of two log-normal numbers of mean 1,
// whose mean is 2 Phi(sigma / sqrt 2) = 1 + erf(sigma / 2) with sigma^2 = ln(1 + c^2).
TEST(Jitter, TwoRanksTakeTheMeanOfTheLargerOfTwo) {
  constexpr int kDraws = 20000;
  for (const double spread : {0.05, 0.3}) {
    StepPlan plan;
    plan.fold.rank_classes = {{.representative = RankId{0}, .jitters = true},
                              {.representative = RankId{1}, .jitters = true}};
    for (const RankClassId ranks : plan.fold.rank_classes.ids()) {
      plan.graph.add({.duration = 1_s, .name = plan.graph.named("compute")}, {ranks});
    }
    const DegradedSpec degraded{.jitter = {.spread = spread, .seed = 7}, .draws = kDraws};
    double sum = 0;
    double squares = 0;
    for (int draw = 0; draw < kDraws; ++draw) {
      draw_step(plan, degraded, draw);
      const double step = std::max(plan.graph.compute_time(TaskId{0}, {}).value,
                                   plan.graph.compute_time(TaskId{1}, {}).value);
      sum += step;
      squares += step * step;
    }
    const double mean = sum / kDraws;
    const double error = std::sqrt((squares / kDraws - mean * mean) / kDraws);
    const double expected = 1 + std::erf(std::sqrt(std::log1p(spread * spread)) / 2);
    EXPECT_NEAR(mean, expected, 4 * error) << spread;
  }
}

TEST(Jitter, DrawsHaveAMeanAndAnError) {
  const DrawsReport draws{{1_s, 2_s, 3_s, 6_s}};  // variance (4 + 1 + 0 + 9) / 3
  EXPECT_TRUE(near(draws.mean().value, 3));
  EXPECT_TRUE(near(draws.standard_error().value, std::sqrt(14.0 / 3 / 4)));
}

// ---- flapping links

/// Two replicas; the NIC of one flaps `share` of the reduction's flow after its begin.
struct Flapping {
  double passes = parts_of_replica().passes;
  double latency = 2 * 2e-6;
  double healthy = Replicas(2).step();
  double flow = Replicas(2).all_reduce() - latency;
  double begin = passes + latency;  // of the flow

  Replicas with(double at, double length, double share = 0) const {
    return Replicas(2, {.flaps = {{Flap::Part::Nic, 1, {at}, {length}, share}}});
  }
  std::optional<GivenUp> given_up(const Replicas& replicas) const {
    const StepPlan plan = replicas.plan();
    return first_given_up(replicas.cluster, plan, play(plan.graph),
                          replicas.workload.communication.timeout);
  }
};

// The ring's flow stands still while the link is down, and ends that much later.
TEST(Flap, AFlowWaitsAsLongAsItsLinkIsDown) {
  const Flapping flapping;
  for (const double length : {1e-3, 0.5, 20.0}) {
    const Replicas replicas = flapping.with(flapping.begin + flapping.flow / 3, length);
    EXPECT_TRUE(near(replicas.step(), flapping.healthy + length)) << length;
    EXPECT_EQ(replicas.plan().fold.rank_classes.size(), 1U);  // both ends are on the only ring
  }
}

// T46: half of the rate for a tenth of the flow's time leaves half of that to be made up for. The
// flow would be over 1000 s after its start on a link so slow; 100 s at half rate make it 1050 s.
TEST(Flap, HalfOfTheRateCostsHalfOfTheTime) {
  const Flapping flapping;
  const double length = flapping.flow / 10;
  const Replicas replicas = flapping.with(flapping.begin + flapping.flow / 2, length, 0.5);
  EXPECT_TRUE(near(replicas.step(), flapping.healthy + length / 2));
}

// Down from before the flow until a while into it: it waits only from its own start on.
TEST(Flap, OnlyTheTimeThatTheFlowNeedsCounts) {
  const Flapping flapping;
  const double before = flapping.passes / 2;
  const auto step = [&](double at, double length) { return flapping.with(at, length).step(); };
  EXPECT_TRUE(near(step(flapping.begin - before, before + 0.25), flapping.healthy + 0.25));
  EXPECT_TRUE(near(step(flapping.begin - before, 0.9 * before), flapping.healthy));
  EXPECT_TRUE(near(step(0, before), flapping.healthy));
  EXPECT_TRUE(near(step(flapping.begin + 1.5 * flapping.flow, 1), flapping.healthy));
}

// T47, with NCCL's time-out of 600 s: down for 599 s the step goes on after the stall, for 601 s
// its reduction is given up 600 s after it began.
TEST(Flap, LongerThanTheTimeoutEndsTheJob) {
  const Flapping flapping;
  ASSERT_LT(flapping.flow, 1);
  const double at = flapping.begin + flapping.flow / 2;
  const Replicas in_time = flapping.with(at, 599);
  EXPECT_TRUE(near(in_time.step(), flapping.healthy + 599));
  EXPECT_FALSE(flapping.given_up(in_time));
  const std::optional<GivenUp> found = flapping.given_up(flapping.with(at, 601));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->communication, "reduce gradients");
  EXPECT_EQ(found->group, "data group");
  EXPECT_EQ(found->part, "NIC 1");
  EXPECT_TRUE(near(found->began.value, flapping.begin));
  EXPECT_TRUE(near(found->at.value, flapping.begin + 600));
  // Away for long, but not when the flow needs it.
  EXPECT_FALSE(flapping.given_up(flapping.with(flapping.begin + 2 * flapping.flow, 1e5)));
}

// GPUs 0 and 1 of a mesh flap, 0 at half of its rate from 1 s to 5 s, 1 wholly from 3 s to 8 s.
// Their common link is at a half from 1 s, down from 3 s to 8 s; that to a third GPU knows one of
// them.
TEST(Flap, OfTwoOnOneLinkTheWorseCounts) {
  ClusterSpec spec = testing::mesh_cluster(1, 3, 1, 100_GBps, 10_GBps, 2_us).spec;
  spec.degraded.flaps = {{Flap::Part::ScaleUp, 0, 1_s, 4_s, 0.5},
                         {Flap::Part::ScaleUp, 1, 3_s, 5_s}};
  const Cluster cluster = build_cluster(spec);
  const auto changes = [&](int from, int to) {
    std::vector<std::pair<double, double>> found;
    for (const ShareChange& change : share_changes(cluster.flaps_of(route(cluster, from, to)[0]))) {
      found.emplace_back(change.time.value, change.share);
    }
    return found;
  };
  using Changes = std::vector<std::pair<double, double>>;
  EXPECT_EQ(changes(0, 1), (Changes{{1, 0.5}, {3, 0}, {5, 0}, {8, 1}}));
  EXPECT_EQ(changes(2, 0), (Changes{{1, 0.5}, {5, 1}}));
  EXPECT_EQ(changes(1, 2), (Changes{{3, 0}, {8, 1}}));
}

// A flap is in the report as communication, exposed where nothing is computed beside it.
TEST(Flap, TheReportCountsTheStallAsCommunication) {
  const Flapping flapping;
  const Report healthy = report_of(Replicas(2));
  const Report report = report_of(flapping.with(flapping.begin + flapping.flow / 3, 0.5));
  expect_partition(report);
  EXPECT_TRUE(near(report.step.breakdown[TimePart::ExposedData].value,
                   healthy.step.breakdown[TimePart::ExposedData].value + 0.5));
}

// Tensor-parallel passes over links that flap are not of known length: two GPUs of a node, the link
// of one down for the first millisecond, in which the first collective begins.
TEST(Flap, TensorParallelPassesWait) {
  ClusterSpec spec = testing::plain_cluster(1, 2, 100_GBps, 10_GBps, 2_us).spec;
  spec.gpu = load_gpu("a100-80", testing::shipped_presets());
  Workload w = Replicas(1).workload;
  w.parallelism = {.tensor = 2, .overlap_tensor = TensorOverlap::None};
  const StepPlan plain = plan_step(w, build_cluster(spec));
  const double healthy = play(plain.graph).end.value;
  spec.degraded.flaps = {{Flap::Part::ScaleUp, 1, 0_s, 0.001_s}};
  for (const FoldMode fold : {FoldMode::Exact, FoldMode::Off}) {
    w.fold = fold;
    const StepPlan plan = plan_step(w, build_cluster(spec));
    const Timeline timeline = play(plan.graph);
    double first = 0;  // when the flow that stood still began: the only one before 1 ms
    for (const TaskId i : plan.graph.tasks.ids()) {
      const Task& task = plan.graph.tasks[i];
      const double begin = (timeline.start[i] + task.duration).value;
      if (task.kind == TaskKind::Communication && begin < 0.001) {
        EXPECT_EQ(first, 0);
        first = begin;
      }
    }
    ASSERT_GT(first, 0);
    EXPECT_TRUE(near(timeline.end.value, healthy + 0.001 - first));
  }
}

// Three stages; the first link is down so long that its message is just in time: it ends half a
// pass before the time-out, counted from the begin of the step, when its receiver was there. But
// the third stage has been there as long, and its message comes a pass later.
TEST(Flap, RanksThatWaitElsewhereTimeOutToo) {
  ClusterSpec spec = testing::plain_cluster(3, 1, 100_GBps, 10_GBps, 2_us).spec;
  spec.gpu = load_gpu("a100-80", testing::shipped_presets());
  Workload w = Replicas(1).workload;
  w.model.layers = 12;
  w.parallelism = {.pipeline = 3};
  const StepPlan healthy = plan_step(w, build_cluster(spec));
  const Timeline timeline = play(healthy.graph);
  std::vector<std::pair<double, double>> sends;  // of activations
  for (const TaskId i : healthy.graph.tasks.ids()) {
    if (healthy.graph.name_of(healthy.graph.tasks[i]) == "send activation") {
      sends.emplace_back(timeline.start[i].value, timeline.finish[i].value);
    }
  }
  ASSERT_EQ(sends.size(), 2U);
  std::sort(sends.begin(), sends.end());
  const double pass = sends[1].first - sends[0].second;
  const double message = sends[0].second - sends[0].first;
  ASSERT_LT(message, pass / 2);
  const double timeout = 10;
  const auto given_up = [&](double length) {
    spec.degraded.flaps = {{Flap::Part::Nic, 0, {sends[0].first + message / 2}, {length}}};
    const Cluster cluster = build_cluster(spec);
    const StepPlan plan = plan_step(w, cluster);
    return first_given_up(cluster, plan, play(plan.graph), {timeout});
  };
  const std::optional<GivenUp> found = given_up(timeout - sends[0].second - pass / 2);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->communication, "send activation");
  EXPECT_TRUE(found->waits);
  EXPECT_EQ(found->part, "NIC 0");
  EXPECT_TRUE(near(found->at.value, timeout + 2e-6));
  // Half a pass more, and the message itself is late.
  const std::optional<GivenUp> itself = given_up(timeout - sends[0].second + pass / 2);
  ASSERT_TRUE(itself);
  EXPECT_FALSE(itself->waits);
  // Twenty passes less, more than are left of the step, and nobody has waited for too long.
  EXPECT_FALSE(given_up(timeout - sends[0].second - 20 * pass));
}

TEST(Flap, AfterTheStepIsSaid) {
  const Flapping flapping;
  const Replicas late = flapping.with(100, 1);
  const std::vector<std::string> notes = late_flaps(late.cluster, Seconds{late.step()});
  ASSERT_EQ(notes.size(), 1U);
  EXPECT_TRUE(notes[0].starts_with("the flap of NIC 1 at 100.0 s has no effect: the step ends at"));
  EXPECT_TRUE(late_flaps(late.cluster, 101_s).empty());
}

}  // namespace
}  // namespace danlu
