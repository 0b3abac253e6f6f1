// The host's clock: who waits for whom, by hand.
#include "sim/program/host.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <numeric>

#include "sim/base/error.hpp"
#include "sim/program/step_program.hpp"
#include "sim/report/report.hpp"
#include "sim/scenario/frameworks.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::shipped;

Segment computes(std::size_t kernels, std::vector<std::size_t> after = {}) {
  return {.name = "work", .kernels = Kernels(kernels, memory_pass(1)), .after = std::move(after)};
}

/// Three segments, of 1, 3 and 1 kernels.
Program three() {
  return {.segments = {computes(1), computes(3, {0}), computes(1, {1})}, .layer_ends = {3}};
}

Seconds length(const HostSpec& host, const std::vector<Seconds>& durations, Seconds lead = {}) {
  const Program program = three();
  const SegmentCosts costs{.durations = durations, .launches = launches_of(program, host)};
  return play_alone(program, 0, 3, costs, lead).total;
}

// Launched at 10, 40 and 50 us.
TEST(Host, GpuWaitsForWhatIsLaunchedLate) {
  const HostSpec host{.launch = 10_us};
  EXPECT_EQ(length({}, {1_us, 2_us, 3_us}), 6_us);
  EXPECT_TRUE(near(length(host, {1_us, 2_us, 3_us}).value, 53e-6));    // 50 + 3
  EXPECT_TRUE(near(length(host, {1_us, 20_us, 3_us}).value, 63e-6));   // 40 + 20 + 3
  EXPECT_TRUE(near(length(host, {60_us, 20_us, 3_us}).value, 93e-6));  // 10 + 60 + 20 + 3
}

// What single operators do in four kernels: one as any other, three more quickly; and computed
// again all of them 2.5 times as slowly.
TEST(Host, OperatorsFollowEachOtherMoreQuickly) {
  Program program = three();
  program.segments[1].kernels = {memory_pass(1, PassKind::Stream, 4)};
  program.segments[2].kernels = {memory_pass(1, PassKind::Stream, 4)};
  program.segments[2].again = true;
  const HostSpec host{.launch = 10_us, .launch_again = 25_us, .operators = 2_us};
  EXPECT_EQ(launches_of(program, host).times, (std::vector<Seconds>{10_us, 16_us, 40_us}));
  EXPECT_EQ(launches_of(program, {.launch = 10_us}).times,
            (std::vector<Seconds>{10_us, 40_us, 40_us}));
  const HostSpec kernels_are_free{.launch_again = 25_us, .operators = 2_us, .exchange = 7_us};
  EXPECT_EQ(launches_of(program, kernels_are_free).times, std::vector<Seconds>(3));
}

// A CPU that takes 1.5 times as long launches at 15, 60 and 75 us; what experts, casts, parts of
// pairs and computing again take grows with it.
TEST(Host, SlowCpuTakesLongerForEverything) {
  const HostSpec host{.launch = 10_us, .slowdown = 1.5};
  EXPECT_TRUE(near(length(host, {1_us, 2_us, 3_us}).value, 78e-6));
  const HostSpec all{.launch = 1_us,
                     .launch_again = 2_us,
                     .operators = 9_us,
                     .exchange = 3_us,
                     .unit = 4_us,
                     .expert = 5_us,
                     .cast = 6_us,
                     .node = 7_us,
                     .piece = 8_us,
                     .slowdown = 2};
  const HostSpec slow = all.on_its_cpu();
  EXPECT_EQ((std::vector{slow.launch, *slow.launch_again, slow.exchange, slow.unit, slow.expert,
                         slow.cast, slow.node, slow.piece, *slow.operators}),
            (std::vector<Seconds>{2_us, 4_us, 6_us, 8_us, 10_us, 12_us, 14_us, 16_us, 18_us}));
}

// A run is max(never late, with its host - lead), which is what lets it be one task.
TEST(Host, LeadShortensARunNoFurtherThanTheGpuAllows) {
  const HostSpec host{.launch = 10_us};
  const std::vector<Seconds> durations{1_us, 20_us, 3_us};
  for (const double lead : {0.0, 5e-6, 30e-6, 39e-6, 45e-6, 1.0}) {
    EXPECT_TRUE(near(length(host, durations, {lead}).value, std::max(24e-6, 63e-6 - lead), 1e-12))
        << lead;
  }
}

TEST(Host, GraphsAreLaunchedOnce) {
  const std::vector<Seconds> durations{1_us, 2_us, 3_us};
  EXPECT_TRUE(near(length({.launch = 10_us, .graphs = CudaGraphs::Full}, durations).value, 16e-6));
  EXPECT_TRUE(
      near(length({.launch = 10_us, .graphs = CudaGraphs::Layers}, durations).value, 16e-6));
}

// The same on the way back: the layer's first segment, then dispatch and combine with one between
// them, and two behind, which are one graph.
TEST(Host, GraphsOfLayersGoOnWhereTokensAreBack) {
  Program program = three();
  const Segment travels{.name = "combine", .is_compute = false, .axes = Axis::Expert};
  program.segments = {computes(2), travels, computes(3), travels, computes(2), computes(4)};
  program.layer_ends = {6};
  const HostSpec host{.launch = 10_us, .exchange = 7_us, .graphs = CudaGraphs::Layers};
  EXPECT_EQ(launches_of(program, host).times,
            (std::vector<Seconds>{10_us, 7_us, 30_us, 7_us, 10_us, 0_us}));
}

// Of a pair each action has the graphs that it has alone, whatever lies between.
TEST(Host, GraphsOfAPairAreThoseOfItsActions) {
  Program program = three();
  Segment travels{.name = "dispatch", .is_compute = false, .axes = Axis::Expert};
  Segment back = computes(3);
  program.segments.clear();
  for (int layer = 0; layer < 2; ++layer) {
    const std::size_t at = program.segments.size();
    travels.after = {at + 1};
    back.after = {at + 2};
    for (const Segment& segment : {computes(2), computes(5), travels, back, computes(4)}) {
      program.segments.push_back(segment);
    }
    program.layer_ends.push_back(program.segments.size());
  }
  const Program pair = paired(program, program);
  for (const CudaGraphs graphs : {CudaGraphs::None, CudaGraphs::Layers}) {
    const HostSpec host{.launch = 10_us, .exchange = 7_us, .graphs = graphs};
    const auto all = [&](const Program& made) {
      const std::vector<Seconds> times = launches_of(made, host).times;
      return std::accumulate(times.begin(), times.end(), Seconds{});
    };
    // Two graphs and an exchange of each layer; or 14 kernels.
    const Seconds layer = graphs == CudaGraphs::Layers ? 27_us : 147_us;
    EXPECT_TRUE(near(all(program).value, (2 * layer).value));
    EXPECT_TRUE(near(all(pair).value, (4 * layer).value));
  }
}

// What routes is launched at once, what stands around it kernel by kernel.
TEST(Host, GraphsOfRoutersHoldNothingElse) {
  Program program = three();
  program.segments = {computes(2), computes(3), computes(30), computes(4)};
  program.segments[1].routes = program.segments[2].routes = true;
  const HostSpec host{.launch = 10_us, .graphs = CudaGraphs::Routers};
  EXPECT_EQ(launches_of(program, host).times, (std::vector<Seconds>{20_us, 10_us, 0_us, 40_us}));
}

// A layer of Mixtral routes from its router to its permutation, forward, and the other way back.
TEST(Host, RoutersEndWhereTokensTravel) {
  const Scenario mixture =
      shipped("mixtral-8x7b-h100.yaml", {"parallelism.expert=2", "host.launch=1 ns"});
  int forward = 0;
  int backward = 0;
  for (const Program& made : make_step_program(mixture.workload).programs) {
    const std::vector<Segment>& segments = made.segments;
    for (std::size_t i = 0; i + 1 < segments.size(); ++i) {
      forward += segments[i].routes && segments[i + 1].name == "dispatch" ? 1 : 0;
      backward += segments[i].name == "combine gradients" && segments[i + 1].routes ? 1 : 0;
      if (segments[i].name == "router" || segments[i].name.starts_with("permute and choose")) {
        EXPECT_TRUE(segments[i].routes) << segments[i].name;
      }
      EXPECT_FALSE(segments[i].routes && segments[i].name.find("QKV") != std::string::npos);
    }
  }
  EXPECT_GT(forward, 0);
  EXPECT_EQ(forward, backward);
}

// Of a layer with experts the graph ends where tokens travel.
TEST(Host, GraphsOfLayersEndWhereTokensTravel) {
  Program program = three();
  program.segments[1] = {.name = "dispatch",
                         .is_compute = false,
                         .axes = Axis::Expert,
                         .after = {0},
                         .needs_counts = true};
  const HostSpec host{
      .launch = 10_us, .exchange = 7_us, .graphs = CudaGraphs::Layers, .reads_counts = true};
  const Launches launches = launches_of(program, host);
  EXPECT_EQ(launches.times, (std::vector<Seconds>{10_us, 7_us, 10_us}));
  EXPECT_EQ(launches.wait, (std::vector<bool>{false, true, false}));
  // 10 + 30 until counts are known, 7 to launch the dispatch, which takes less than 10.
  const SegmentCosts costs{.durations = {30_us, 5_us, 3_us}, .launches = launches};
  EXPECT_TRUE(near(play_alone(program, 0, 3, costs, Seconds{}).total.value, 60e-6));
  EXPECT_FALSE(keeps_up(program, launches, {30_us, 0_us, 3_us}));
}

// HybridEP: how many tokens came, and to which experts, stays on the GPU until all are there.
TEST(Host, WaitsAgainForTokensThatWereSentOnce) {
  Program program = three();
  program.segments[1] = {.name = "dispatch",
                         .is_compute = false,
                         .axes = Axis::Expert,
                         .demand = {CollectiveOp::Dispatch},
                         .after = {0},
                         .needs_counts = true};
  const HostSpec host{.launch = 10_us, .exchange = 7_us, .reads_counts = true};
  const Launches launches = launches_of(program, host);
  EXPECT_EQ(launches.wait, (std::vector<bool>{false, true, true}));
  // 10 + 30, 7 to launch the dispatch and 50 of it, 10 to launch the experts and 3 of them.
  const SegmentCosts costs{.durations = {30_us, 50_us, 3_us}, .launches = launches};
  EXPECT_TRUE(near(play_alone(program, 0, 3, costs, Seconds{}).total.value, 110e-6));
  EXPECT_FALSE(launches_of(program, {.launch = 10_us}).waits_within());
}

// Of a product of three experts the second and third are launched for themselves.
TEST(Host, ExpertsAreLaunchedOneByOne) {
  Program program = three();
  program.segments[1].kernels[0].products = 3;
  const Launches launches = launches_of(program, {.launch = 10_us, .expert = 4_us, .cast = 1_us});
  EXPECT_EQ(launches.times, (std::vector<Seconds>{10_us, 32_us, 10_us}));  // as their casts are
  program.segments[1].kernels[1] = gemm(1, 1, 1, 3, 2);
  program.segments[1].kernels[1].products = 3;
  EXPECT_EQ(launches_of(program, {.launch = 10_us, .expert = 4_us, .cast = 1_us}).times[1], 40_us);
  const Scenario mixture =
      shipped("mixtral-8x7b-h100.yaml", {"parallelism.expert=2", "host.launch=1 ns"});
  int found = 0;
  for (const Program& made : make_step_program(mixture.workload).programs) {
    for (const Segment& segment : made.segments) {
      for (const Kernel& kernel : segment.kernels) {
        EXPECT_EQ(kernel.products, kernel.products > 1 ? 4 : 1);  // 8 experts on 2 ranks
        found += kernel.products > 1 ? 1 : 0;
      }
    }
  }
  EXPECT_GT(found, 0);
}

// Where two passes run side by side, an exchange of experts ends a part and is one: two more each.
TEST(Host, PairsAreLaunchedInParts) {
  Program program = three();
  const Segment travels{.name = "dispatch", .is_compute = false, .axes = Axis::Expert};
  const Segment sums{.name = "sum", .is_compute = false, .axes = Axis::Tensor};
  program.segments = {computes(2), travels, sums, computes(1), travels};
  const HostSpec host{.launch = 10_us, .exchange = 7_us, .node = 100_us};
  const std::vector<Seconds> alone{20_us, 7_us, 7_us, 10_us, 7_us};
  EXPECT_EQ(launches_of(program, host).times, alone);
  program.segments[3].beside = true;
  EXPECT_EQ(launches_of(program, host).times,
            (std::vector<Seconds>{20_us, 207_us, 7_us, 10_us, 207_us}));
  EXPECT_EQ(
      launches_of(program, {.launch = 10_us, .node = 100_us, .graphs = CudaGraphs::Full}).times,
      (std::vector<Seconds>{10_us, 0_us, 0_us, 0_us, 0_us}));
}

TEST(Host, KeepsUpWhereNoKernelWaits) {
  const Program program = three();
  const Launches launches = launches_of(program, {.launch = 10_us});
  EXPECT_TRUE(keeps_up(program, launches, {30_us, 10_us, 1_us}));
  EXPECT_FALSE(keeps_up(program, launches, {29_us, 12_us, 1_us}));  // 30 us of launches
  EXPECT_TRUE(keeps_up(program, {}, {}));
}

// ---- whole steps

Scenario small(const std::vector<std::string>& more) {
  std::vector<std::string> settings{
      "model={layers: 4, hidden: 1024, heads: 16, vocab: 50304}", "cluster.gpus=1",
      "parallelism={}", "training={micro_batch: 1, sequence_length: 1024, global_batch: 4}"};
  settings.insert(settings.end(), more.begin(), more.end());
  return shipped("llama3-8b-h100.yaml", settings);
}

StepReport step_of(const std::vector<std::string>& more) {
  const Scenario s = small(more);
  const Cluster cluster = build_cluster(s.cluster);
  const StepPlan plan = plan_step(s.workload, cluster);
  return measure("", s.workload, cluster, plan, testing::play(plan.graph)).step;
}

double launches_in(const Scenario& s) {
  const StepProgram step = make_step_program(s.workload);
  Seconds launched;
  for (const StagePass& pass : step.stages[0].passes) {
    for (const Seconds time : launches_of(step.programs[pass.program], s.workload.host).times) {
      launched += time;
    }
  }
  return launched.value;
}

// Far below the host's pace a step is its launches, and what the GPU does behind the last one.
TEST(Host, SlowHostIsTheStep) {
  const StepReport free = step_of({});
  const StepReport late = step_of({"host.launch=10 ms"});
  const double launches = launches_in(small({"host.launch=10 ms"}));
  EXPECT_GT(launches, 4);
  EXPECT_TRUE(near(late.time.value, launches + late.breakdown[TimePart::Optimizer].value, 1e-3));
  EXPECT_TRUE(near(late.breakdown.total().value, late.time.value, 1e-9));
  EXPECT_TRUE(near((late.time - late.breakdown[TimePart::Host]).value,
                   (free.time - free.breakdown[TimePart::Host]).value, 1e-9));
}

// A copy for each of a layer's six operators with weights and each rank that updated a part of it.
TEST(Host, PiecesOfWeightsAreCopiedOneByOne) {
  const auto time = [](int layers, const std::string& piece) {
    return step_of({"cluster.gpus=4", "parallelism={data: 4, zero: 1}",
                    fmt::format("model.layers={}", layers), piece})
        .time.value;
  };
  const auto added = [&](int layers) {
    return time(layers, "host.piece=10 us") - time(layers, "host.piece=0 s");
  };
  EXPECT_TRUE(near(added(8) - added(4), 4 * 6 * 4 * 10e-6, 1e-6));
  const StepReport whole = step_of({"host.piece=10 us"});  // one GPU has no parts
  EXPECT_EQ(whole.time.value, step_of({}).time.value);
}

TEST(Host, FastHostChangesNothing) {
  const double free = step_of({}).time.value;
  EXPECT_EQ(step_of({"host.launch=1 ns"}).time.value, free);
  EXPECT_LT(step_of({"host.launch=200 us", "host.graphs=full"}).time.value, free + 1e-3);
}

TEST(Host, GraphsOfAHostThatIsNeverLateAreRefused) {
  try {
    step_of({"host.graphs=full"});
    FAIL() << "nothing was said";
  } catch (const InputError& error) {
    EXPECT_EQ(error.problems().front().message,
              "'host.graphs' has no effect: 'host.launch' is 0 s");
  }
  step_of({"host.graphs=full", "training.framework=pytorch"});  // which has launches
}

// A framework's value gives way to the user's, and each fits its key.
TEST(Host, FrameworksLieUnderTheUser) {
  for (const Framework& framework : framework_table()) {
    const Scenario s =
        shipped("llama3-8b-h100.yaml",
                {fmt::format("training.framework={}", framework.name), "host.launch=3 us"});
    EXPECT_EQ(s.workload.host.launch, 3_us) << framework.name;
    EXPECT_GT(s.workload.host.exchange, 3_us) << framework.name;
  }
}

// Below the floor the size of the work does not matter, nor how it is split.
TEST(Host, FloorDoesNotDependOnTheWork) {
  const auto per_pass = [](const std::vector<std::string>& more) {
    std::vector<std::string> settings{"host.launch=2 ms", "training.micro_batch=1"};
    settings.insert(settings.end(), more.begin(), more.end());
    return step_of(settings).time.value;
  };
  const double one = per_pass({});
  EXPECT_TRUE(near(per_pass({"training.micro_batch=2", "training.global_batch=8"}), one, 0.02));
  EXPECT_TRUE(near(per_pass({"cluster.gpus=2", "parallelism.tensor=2"}), one, 0.02));
}

// Waiting for the GPU after each pass costs one launch a pass where the host is fast.
TEST(Host, WaitingAfterPassesCostsALaunchEach) {
  const std::vector<std::string> big{
      "training={micro_batch: 8, sequence_length: 4096, global_batch: 32}"};
  const auto time = [&](std::vector<std::string> more) {
    more.insert(more.begin(), big.begin(), big.end());
    return step_of(more).time.value;
  };
  const double ahead = time({"host.launch=20 us"});
  const double waiting = time({"host.launch=20 us", "host.waits=pass"});
  EXPECT_EQ(ahead, time({}));
  EXPECT_TRUE(near(waiting - ahead, 8 * 20e-6, 1e-6));
}

// Where stages do not hide what they send, a host that waits for sends waits after every pass; with
// sends beside compute, or without a pipeline, it never does.
TEST(Host, WaitsForSendsThatAreNotHidden) {
  const auto time = [&](std::vector<std::string> more) {
    more.insert(more.begin(), "host.launch=200 us");
    return step_of(more).time.value;
  };
  EXPECT_EQ(time({"host.waits=send"}), time({}));
  const std::vector<std::string> pipeline{"cluster.gpus=2", "parallelism.pipeline=2"};
  for (const std::string overlap : {"true", "false"}) {
    const auto staged = [&](const std::string& waits) {
      return time({pipeline[0], pipeline[1], "parallelism.overlap.pipeline=" + overlap,
                   "host.waits=" + waits});
    };
    EXPECT_EQ(staged("send"), staged(overlap == "true" ? "step" : "pass"));
    EXPECT_GT(staged("pass"), staged("step"));
  }
}

}  // namespace
}  // namespace danlu
