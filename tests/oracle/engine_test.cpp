// The engine against closed forms: what SimGrid must do for us, and the traps of 3.32. Capacities
// and sizes are whole GB, so that times are whole seconds.
#include "sim/engine/engine.hpp"

#include <cstdio>
#include <random>
#include <regex>

#include "sim/base/error.hpp"
#include "tests/support/play.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::add_flow;
using testing::near;
using testing::one_link;
using testing::play;

Seconds finish(const Timeline& timeline, TaskId task) {
  return timeline.finish[task];
}

constexpr RankClassId kFirst{0};
constexpr ChannelId kOnly{0};
constexpr FoldedLinkId kLink{0};

/// Links of the given GB/s, and one channel for every list of links.
TaskGraph network(const std::vector<double>& gigabytes_per_second,
                  const std::vector<std::vector<int>>& channels) {
  TaskGraph graph;
  for (const double capacity : gigabytes_per_second) {
    graph.links.push_back({BytesPerSecond{capacity * 1e9}});
  }
  for (const std::vector<int>& links : channels) {
    graph.channels.push_back({});
    for (const int link : links) {
      graph.channels.back().loads.push_back({FoldedLinkId{link}, 1});
    }
  }
  return graph;
}

TaskId add_compute(TaskGraph& graph, Seconds duration, std::vector<RankClassId> ranks = {kFirst}) {
  return graph.add(
      {.kind = TaskKind::Compute, .duration = duration, .name = graph.named("compute")},
      std::move(ranks));
}

/// The message of the InternalError that simulate() throws, "" if none.
std::string error_of(const TaskGraph& graph) {
  try {
    (void)simulate(graph);
  } catch (const InternalError& error) {
    return error.what();
  }
  return "";
}

/// Flow i has gigabytes[i] on channel i, all start together; when each ends, in seconds.
std::vector<double> ends_of(TaskGraph graph, const std::vector<double>& gigabytes) {
  for (std::size_t i = 0; i < gigabytes.size(); ++i) {
    add_flow(graph, make_id<ChannelId>(i), Bytes{gigabytes[i] * 1e9});
  }
  std::vector<double> ends;
  for (const Seconds end : simulate(graph).finish) {
    ends.push_back(end.value);
  }
  return ends;
}

/// Every flow carries as many GB as its expected rate in GB/s. Then all end at 1 s; were one rate
/// higher, that flow would end before.
void expect_rates(const TaskGraph& graph, const std::vector<double>& rates) {
  const std::vector<double> ends = ends_of(graph, rates);
  for (std::size_t i = 0; i < ends.size(); ++i) {
    EXPECT_TRUE(near(ends[i], 1)) << "flow " << i;
  }
}

// ---- one flow
// ------------------------------------------------------------------------------------

// alpha + S/B = 5 us + 1e9 B / 50e9 B/s = 20.005 ms.
TEST(Engine, OneMessageTakesLatencyPlusSizeOverBandwidth) {
  TaskGraph graph = one_link(50_GBps);
  graph.add({.kind = TaskKind::Communication, .duration = 5_us, .bytes = 1_GB, .channel = kOnly},
            {kFirst});
  EXPECT_TRUE(near(simulate(graph).end.value, 20.005e-3));
}

// Three links of 40, 10 and 20 GB/s in a row carry 10 GB at 10 GB/s: 1 s.
TEST(Engine, ARouteIsAsFastAsItsNarrowestLink) {
  TaskGraph graph = network({40, 10, 20}, {{0, 1, 2}});
  add_flow(graph, kOnly, 10_GB);
  EXPECT_TRUE(near(simulate(graph).end.value, 1));
}

// No bytes, no flow: the latency of 5 us is all, and no channel is needed.
TEST(Engine, ZeroBytesTakeTheLatencyAlone) {
  TaskGraph graph = one_link(50_GBps);
  add_flow(graph, std::nullopt, 0_B, 5_us);
  EXPECT_TRUE(near(simulate(graph).end.value, 5e-6));
}

// 1 B over 1000 B/s: 1 ms.
TEST(Engine, OneByteIsNotLost) {
  TaskGraph graph = one_link(BytesPerSecond{1000});
  add_flow(graph, kOnly, 1_B);
  EXPECT_TRUE(near(simulate(graph).end.value, 1e-3));
}

// 1e13 B over 50e9 B/s: 200 s.
TEST(Engine, TenTerabytesAreCountedExactly) {
  TaskGraph graph = one_link(50_GBps);
  add_flow(graph, kOnly, 10000_GB);
  EXPECT_TRUE(near(simulate(graph).end.value, 200));
}

// Ten messages of 1 KB over 100 GB/s after one another, 10 ns each, each after 1 us: 10.1 us.
// SimGrid by itself rounds what ends within 1 ns.
TEST(Engine, ShortMessagesAreNotRounded) {
  TaskGraph graph = one_link(100_GBps);
  TaskId last = add_flow(graph, kOnly, 1000_B, 1_us);
  for (int i = 1; i < 10; ++i) {
    last = add_flow(graph, kOnly, 1000_B, 1_us, {last});
  }
  EXPECT_TRUE(near(simulate(graph).end.value, 10.1e-6));
}

// Two flows of 100.0 KB and 100.05 KB over links of their own, 100 GB/s: 1000 ns and 1000.5 ns.
TEST(Engine, EndsHalfANanosecondApartStayApart) {
  TaskGraph graph = network({100, 100}, {{0}, {1}});
  const TaskId first = add_flow(graph, kOnly, 100000_B);
  const TaskId second = add_flow(graph, ChannelId{1}, 100050_B);
  const Timeline timeline = simulate(graph);
  EXPECT_TRUE(near(finish(timeline, first).value, 1000e-9));
  EXPECT_TRUE(near(finish(timeline, second).value, 1000.5e-9));
}

// A route that crosses a link of 10 GB/s twice gets 5 GB/s through it: 10 GB take 2 s instead of 1
// s.
TEST(Engine, ALinkCrossedTwiceTakesTwiceTheTime) {
  TaskGraph graph = one_link(10_GBps);
  graph.channels[kOnly].loads[0].weight = 2;
  add_flow(graph, kOnly, 10_GB);
  EXPECT_TRUE(near(simulate(graph).end.value, 2));
}

// ---- sharing (T26): M1 to M8 are the cases of every lecture on max-min fairness
// ---------------------------

// A cable is two links. 10 GB each way over 10 GB/s: both end at 1 s. Half duplex would take 2 s.
TEST(Sharing, OppositeDirectionsDoNotInteract) {
  expect_rates(network({10, 10}, {{0}, {1}}), {10, 10});
}

// 10 GB/s, flows of 5 and 15 GB: 5 GB/s each until 1 s, then 10 GB are left at 10 GB/s: 2 s.
TEST(Sharing, TheSurvivorSpeedsUp) {
  const std::vector<double> ends = ends_of(network({10}, {{0}, {0}}), {5, 15});
  EXPECT_TRUE(near(ends[0], 1));
  EXPECT_TRUE(near(ends[1], 2));
}

// Link 1 of 10 GB/s is shared by a near flow (1 link, no latency) and a far one (3 links, 0.1 s),
// 10 GB each. Near: 1 GB until 0.1 s, 9 GB at 5 GB/s until 1.9 s. Far: 9 GB by then, 1 GB at 10
// GB/s: 2 s. TCP would give the near flow more.
TEST(Sharing, NearAndFarFlowsShareEqually) {
  TaskGraph graph = network({10, 10, 10}, {{1}, {0, 1, 2}});
  const TaskId near_flow = add_flow(graph, kOnly, 10_GB);
  const TaskId far_flow = add_flow(graph, ChannelId{1}, 10_GB, 0.1_s);
  const Timeline timeline = simulate(graph);
  EXPECT_TRUE(near(finish(timeline, near_flow).value, 1.9));
  EXPECT_TRUE(near(finish(timeline, far_flow).value, 2));
}

// A crosses both links of 10: 5 for A, 5 for B and for C.
TEST(Sharing, M1TwoEqualLinks) {
  expect_rates(network({10, 10}, {{0, 1}, {0}, {1}}), {5, 5, 5});
}

// The second link of 4 gives A and C 2 each; B takes what A leaves of the first: 10 - 2.
TEST(Sharing, M2WhatTheNarrowLinkLeavesGoesToTheOther) {
  expect_rates(network({10, 4}, {{0, 1}, {0}, {1}}), {2, 8, 2});
}

// b = 6 for three flows, 2 each; a = 12 has 10 left for two, 5 each.
TEST(Sharing, M3ThreeFlowsOnTheNarrowLink) {
  expect_rates(network({12, 6}, {{0}, {0}, {0, 1}, {1}, {1}}), {5, 5, 2, 2, 2});
}

// Three links of 1: the long flow has half of each, as has every short one.
TEST(Sharing, M4ParkingLot) {
  expect_rates(network({1, 1, 1}, {{0, 1, 2}, {0}, {1}, {2}}), {0.5, 0.5, 0.5, 0.5});
}

// Eight senders of 50 into one receiver of 50: 50/8 = 6.25 each.
TEST(Sharing, M5Incast) {
  std::vector<std::vector<int>> channels;
  for (int sender = 1; sender <= 8; ++sender) {
    channels.push_back({sender, 0});
  }
  expect_rates(network(std::vector<double>(9, 50), channels), std::vector<double>(8, 6.25));
}

// Four hosts of 100 over one uplink of 100: 25 each.
TEST(Sharing, M6OversubscribedUplink) {
  expect_rates(network({100, 100, 100, 100, 100}, {{0, 4}, {1, 4}, {2, 4}, {3, 4}}),
               {25, 25, 25, 25});
}

// M2 with A = C = 10 GB, B = 60 GB. At 2 GB/s A and C end at 5 s; B has 5 x 8 = 40 GB by then, and
// the last 20 GB go at 10 GB/s: 7 s.
TEST(Sharing, M7RatesGrowWhenFlowsEnd) {
  const std::vector<double> ends = ends_of(network({10, 4}, {{0, 1}, {0}, {1}}), {10, 60, 10});
  EXPECT_TRUE(near(ends[0], 5));
  EXPECT_TRUE(near(ends[1], 7));
  EXPECT_TRUE(near(ends[2], 5));
}

// 10 GB/s, A and B of 50 GB, B from 2 s on. A: 20 GB by 2 s, 30 GB at 5 GB/s: 8 s. B: 30 GB by
// then, 20 GB at 10 GB/s: 10 s.
TEST(Sharing, M8ALaterFlowTakesItsShare) {
  TaskGraph graph = one_link(10_GBps);
  const TaskId a = add_flow(graph, kOnly, 50_GB);
  const TaskId b = add_flow(graph, kOnly, 50_GB, 2_s);
  const Timeline timeline = simulate(graph);
  EXPECT_TRUE(near(finish(timeline, a).value, 8));
  EXPECT_TRUE(near(finish(timeline, b).value, 10));
}

// The same systems folded. Three copies of every flow on links of three times the capacity get the
// rates of one; folded, they are one flow that crosses each link three times.
TEST(SharingFolded, CopiesPlayedAsOneGetTheSameRates) {
  constexpr int kCopies = 3;
  const std::vector<std::pair<TaskGraph, std::vector<double>>> systems{
      {network({10, 10}, {{0, 1}, {0}, {1}}), {5, 5, 5}},                      // M1
      {network({10, 4}, {{0, 1}, {0}, {1}}), {2, 8, 2}},                       // M2
      {network({12, 6}, {{0}, {0}, {0, 1}, {1}, {1}}), {5, 5, 2, 2, 2}},       // M3
      {network({1, 1, 1}, {{0, 1, 2}, {0}, {1}, {2}}), {0.5, 0.5, 0.5, 0.5}},  // M4
      {network({50, 50, 50}, {{0, 2}, {1, 2}}), {25, 25}},                     // M5
      {network({100, 100, 100, 100, 100}, {{0, 4}, {1, 4}, {2, 4}, {3, 4}}),
       {25, 25, 25, 25}},  // M6
  };
  for (const auto& [single, rates] : systems) {
    TaskGraph copies = single;
    TaskGraph folded = single;
    for (const FoldedLinkId link : single.links.ids()) {
      copies.links[link].capacity = folded.links[link].capacity =
          single.links[link].capacity * kCopies;
    }
    for (const ChannelId channel : single.channels.ids()) {
      for (ChannelLoad& load : folded.channels[channel].loads) {
        load.weight *= kCopies;
      }
      for (int copy = 0; copy < kCopies; ++copy) {  // rate x 1 s: all end after a second
        add_flow(copies, channel, Bytes{rates[index(channel)] * 1e9});
      }
      add_flow(folded, channel, Bytes{rates[index(channel)] * 1e9});
    }
    for (const TaskGraph* graph : {&copies, &folded}) {
      for (const Seconds end : play(*graph).finish) {
        EXPECT_TRUE(near(end.value, 1));
      }
    }
  }
}

// M5 and M6 as a fold has them: eight senders are one flow that crosses its own port once and the
// receiver's eight times, four hosts one that crosses the uplink four times. M7 and M8: bandwidth
// is handed on in the folded system as in the full one.
TEST(SharingFolded, EqualSendersAreOneFlow) {
  const auto ends = [](TaskGraph graph, const std::vector<double>& gigabytes, Seconds late) {
    for (std::size_t i = 0; i < gigabytes.size(); ++i) {
      add_flow(graph, make_id<ChannelId>(i), Bytes{gigabytes[i] * 1e9}, i == 0 ? Seconds{} : late);
    }
    return play(graph).finish;
  };
  TaskGraph incast = network({50, 50}, {{0, 1}});
  incast.channels[kOnly].loads[1].weight = 8;
  EXPECT_TRUE(near(ends(incast, {6.25}, {})[TaskId{0}].value, 1));
  TaskGraph uplink = network({100, 100}, {{0, 1}});
  uplink.channels[kOnly].loads[1].weight = 4;
  EXPECT_TRUE(near(ends(uplink, {25}, {})[TaskId{0}].value, 1));
  TaskGraph handed_on = network({30, 12}, {{0, 1}, {0}, {1}});  // M7, three copies of each
  TaskGraph later = network({20}, {{0}, {0}});                  // M8, two copies of each
  for (Channel& channel : handed_on.channels) {
    for (ChannelLoad& load : channel.loads) {
      load.weight = 3;
    }
  }
  for (Channel& channel : later.channels) {
    channel.loads[0].weight = 2;
  }
  const IdVector<TaskId, Seconds> m7 = ends(handed_on, {10, 60, 10}, {});
  EXPECT_TRUE(near(m7[TaskId{0}].value, 5) && near(m7[TaskId{1}].value, 7) &&
              near(m7[TaskId{2}].value, 5));
  const IdVector<TaskId, Seconds> m8 = ends(later, {50, 50}, 2_s);
  EXPECT_TRUE(near(m8[TaskId{0}].value, 8) && near(m8[TaskId{1}].value, 10));
}

// Eight times 1 GB into 50 GB/s: 8/50 s = 160 ms after the latency of 5 us, all together.
TEST(Sharing, IncastEndsAfterAllBytesPassedTheReceiver) {
  std::vector<std::vector<int>> channels;
  for (int sender = 1; sender <= 8; ++sender) {
    channels.push_back({sender, 0});
  }
  TaskGraph graph = network(std::vector<double>(9, 50), channels);
  for (int sender = 0; sender < 8; ++sender) {
    add_flow(graph, ChannelId{sender}, 1_GB, 5_us);
  }
  for (const Seconds end : simulate(graph).finish) {
    EXPECT_TRUE(near(end.value, 0.160005));
  }
}

// A flow of weight 2 and one of weight 1 on 9 GB/s get equal rates r with 2r + r = 9: 3 GB/s each.
TEST(Sharing, WeightsCountCrossingsNotShares) {
  TaskGraph graph = network({9}, {{0}, {0}});
  graph.channels[kOnly].loads[0].weight = 2;
  expect_rates(graph, {3, 3});
}

// ---- capacity changes
// ------------------------------------------------------------------------------

// 10 GB over 1 GB/s, half of it from 4 s on: 4 GB by then, 6 GB at 0.5 GB/s take 12 s: 16 s.
TEST(CapacityChanges, ALinkSlowedMidFlowKeepsWhatWasMoved) {
  TaskGraph graph = one_link(1_GBps);
  add_flow(graph, kOnly, 10_GB);
  graph.changes = {{4_s, kLink, BytesPerSecond{0.5e9}}};
  EXPECT_TRUE(near(simulate(graph).end.value, 16));
}

// 1000 GB over 1 GB/s, half speed from 300 s to 400 s: 50 GB are left over, 50 s more: 1050 s.
TEST(CapacityChanges, AWindowAtHalfSpeedCostsHalfOfTheWindow) {
  TaskGraph graph = one_link(1_GBps);
  add_flow(graph, kOnly, 1000_GB);
  graph.changes = {{300_s, kLink, BytesPerSecond{0.5e9}}, {400_s, kLink, 1_GBps}};
  EXPECT_TRUE(near(simulate(graph).end.value, 1050));
}

// Begun at 2 s on a link that is nearly down from 1 s to 5 s: 10 GB over 1 GB/s from then on, 15 s.
TEST(CapacityChanges, AFlowBegunOnASlowLinkSpeedsUpWithIt) {
  TaskGraph graph = one_link(1_GBps);
  add_flow(graph, kOnly, 10_GB, 2_s);
  graph.changes = {{1_s, kLink, BytesPerSecond{1e-3}}, {5_s, kLink, 1_GBps}};
  EXPECT_TRUE(near(simulate(graph).end.value, 15));
}

// Changes outside the flow's time (0 s to 10 s) do nothing, and do not make the step longer.
TEST(CapacityChanges, AChangeAfterTheEndDoesNotCount) {
  TaskGraph graph = one_link(1_GBps);
  add_flow(graph, kOnly, 10_GB);
  graph.changes = {{20_s, kLink, 5_GBps}};
  EXPECT_TRUE(near(simulate(graph).end.value, 10));
}

// ---- dependencies
// -----------------------------------------------------------------------------------

// 1 s of compute, then 10 GB over 10 GB/s after a latency of 0.5 s, then 2 s: 4.5 s.
TEST(Dependencies, TasksRunAfterWhatTheyWaitFor) {
  TaskGraph graph = one_link(10_GBps);
  const TaskId before = add_compute(graph, 1_s);
  const TaskId flow = add_flow(graph, kOnly, 10_GB, 0.5_s, {before});
  const TaskId after = add_compute(graph, 2_s);
  graph.add_edge(flow, after);
  const Timeline timeline = simulate(graph);
  EXPECT_TRUE(near(timeline.start[flow].value, 1));
  EXPECT_TRUE(near(finish(timeline, flow).value, 2.5));
  EXPECT_TRUE(near(timeline.end.value, 4.5));
}

// Task i takes i microseconds and waits for nobody.
TEST(Dependencies, TenThousandIndependentTasksEndEachInItsTime) {
  TaskGraph graph;
  for (int i = 0; i < 10000; ++i) {
    add_compute(graph, Seconds{i * 1e-6});
  }
  const Timeline timeline = simulate(graph);
  for (int i = 0; i < 10000; ++i) {
    ASSERT_TRUE(near(timeline.finish[TaskId{i}].value, i * 1e-6)) << i;
  }
}

// 100,000 tasks of no length in a row end at 0 s, without recursion.
TEST(Dependencies, ALongChainOfEmptyTasksTakesNoTime) {
  TaskGraph graph;
  TaskId last = add_compute(graph, 0_s);
  for (int i = 1; i < 100000; ++i) {
    const TaskId next = add_compute(graph, 0_s);
    graph.add_edge(last, next);
    last = next;
  }
  EXPECT_EQ(simulate(graph).end, 0_s);
}

// 0 leads into the cycle 1 -> 2 -> 3 -> 1, which leads to 4: the message names 1, 2 or 3.
TEST(Dependencies, ACycleIsAnErrorThatNamesOneOfItsTasks) {
  TaskGraph graph;
  for (int ranks = 0; ranks < 5; ++ranks) {
    add_compute(graph, 1_s, {RankClassId{ranks}});
  }
  for (const auto& [before, after] : {std::pair{0, 1}, {1, 2}, {2, 3}, {3, 1}, {3, 4}}) {
    graph.add_edge(TaskId{before}, TaskId{after});
  }
  const std::regex expected(
      "the task graph has a cycle through task ([123]) .compute, rank class \\1.");
  const std::string error = error_of(graph);
  EXPECT_TRUE(std::regex_match(error, expected)) << error;
}

TEST(Dependencies, BytesOverAChannelWithoutLinksAreAnError) {
  TaskGraph graph = network({}, {{}});
  add_flow(graph, kOnly, 1_GB);
  EXPECT_EQ(error_of(graph), "a channel that carries bytes crosses a link");
}

TEST(Dependencies, ALinkWithoutCapacityIsAnError) {
  TaskGraph graph = network({0}, {{0}});
  add_flow(graph, kOnly, 1_GB);
  EXPECT_EQ(error_of(graph), "a link's capacity is positive");
}

// Rank 1 is dead. Rank 0's chain takes 1 s + 2 s; what waits for rank 1, itself or through another,
// and what needs both never starts; finish is -1.
TEST(Dependencies, ADeadRankHoldsUpOnlyWhatWaitsForIt) {
  TaskGraph graph;
  constexpr RankClassId kDead{1};
  const TaskId first = add_compute(graph, 1_s);
  const TaskId second = add_compute(graph, 2_s);
  const TaskId dead = add_compute(graph, 1_s, {kDead});
  const TaskId together = add_compute(graph, 1_s, {kFirst, kDead});
  const TaskId waiting = add_compute(graph, 1_s, {RankClassId{2}});
  graph.add_edge(first, second);
  graph.add_edge(second, together);
  graph.add_edge(dead, waiting);
  const Timeline timeline = simulate(graph, {.dead = {kDead}});
  EXPECT_TRUE(near(finish(timeline, second).value, 3));
  EXPECT_TRUE(near(timeline.end.value, 3));
  for (const TaskId task : {dead, together, waiting}) {
    EXPECT_EQ(finish(timeline, task), Seconds{-1}) << index(task);
  }
}

// ---- the process
// --------------------------------------------------------------------------------------

TEST(Process, ASecondEngineIsRefused) {
  TaskGraph graph = one_link(1_GBps);
  add_flow(graph, kOnly, 1_GB);
  EXPECT_TRUE(near(simulate(graph).end.value, 1));
  EXPECT_EQ(error_of(graph), "SimGrid allows one engine in a process");
}

/// 300 flows and pauses in random order over 12 shared links; every task waits for up to two
/// others.
TaskGraph tangle() {
  std::mt19937_64 dice(7);
  const auto below = [&](std::uint64_t limit) { return static_cast<int>(dice() % limit); };
  TaskGraph graph;
  for (int link = 0; link < 12; ++link) {
    graph.links.push_back({BytesPerSecond{1e9 * (1 + below(9))}});
  }
  for (int channel = 0; channel < 20; ++channel) {
    const int first = below(12);
    const FoldedLinkId one{first};
    const int weight = 1 + below(2);
    graph.channels.push_back({{{one, weight}, {FoldedLinkId{(first + 1 + below(11)) % 12}, 1}}});
  }
  for (int i = 0; i < 300; ++i) {
    const TaskId task = below(3) == 0
                            ? add_compute(graph, Seconds{below(1000) * 1e-6}, {RankClassId{i}})
                            : add_flow(graph, ChannelId{below(20)}, Bytes{1e3 * below(9999)},
                                       Seconds{below(20) * 1e-6});
    for (int edge = 0; edge < below(3) && i > 0; ++edge) {
      graph.add_edge(TaskId{below(static_cast<std::uint64_t>(i))}, task);
    }
  }
  return graph;
}

TEST(Process, TwoRunsAreEqualBitForBit) {
  const TaskGraph graph = tangle();
  const auto run = [&] { return testing::to_bytes(simulate(graph)); };
  EXPECT_EQ(testing::run_in_child(run), testing::run_in_child(run));
}

TEST(Process, SimGridsLogChangesNothing) {
  const TaskGraph graph = tangle();
  const auto run = [&](bool log) {
    return testing::run_in_child([&, log] {
      (void)std::freopen("/dev/null", "w", stderr);
      return testing::to_bytes(simulate(graph, {.simgrid_log = log}));
    });
  };
  EXPECT_EQ(run(false), run(true));
}

}  // namespace
}  // namespace danlu
