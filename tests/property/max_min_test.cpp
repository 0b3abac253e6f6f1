// What ranks plans (sim/engine/max_min.hpp) plays every task as SimGrid does: random small steps on
// random machines, with all that can be slow, dead, throttled or flapping, played by both, start
// and end each of their tasks at the same instant, to 2e-12 of the step (SimGrid ends together what
// ends within 1e-12 s). So do steps in which a class of ranks is dead.
//
// Some steps whose messages meet on shared links are chaotic: who comes a little later is shared
// with for longer, and rounding grows from meeting to meeting (seed 149 by a factor of 1e5). There
// no player is right, and both may differ by what one of them does if durations change by 1e-12 s.
//
// And steps end at the same time whether passes that are disturbed are played segment by segment or
// opened where they are (sim/engine/open_runs.hpp); and whether flows that are alone on their links
// are played as flows or as alarms (sim/engine/lone_flows.hpp).
//
// DANLU_SEED=n repeats a failure, DANLU_CASES=n asks for more cases per shard.
#include "sim/engine/max_min.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "sim/base/error.hpp"
#include "sim/engine/least_rest.hpp"
#include "sim/tasks/plan_step.hpp"
#include "tests/support/many_cases.hpp"
#include "tests/support/play.hpp"

namespace danlu {
namespace {

using testing::Case;
using testing::for_each_case;

/// The largest difference of any start or end, as a share of the step.
double difference(const Timeline& one, const Timeline& other) {
  double most = std::abs(one.end.value - other.end.value);
  for (const TaskId task : one.start.ids()) {
    most = std::max({most, std::abs(one.start[task].value - other.start[task].value),
                     std::abs(one.finish[task].value - other.finish[task].value)});
  }
  return most / std::max(other.end.value, 1e-300);
}

/// How far the step moves when its durations change by up to 1e-12 s, as SimGrid's instants do.
double sensitivity(const TaskGraph& graph, const MaxMinOptions& options = {}) {
  double most = 0;
  for (const std::uint64_t seed : {1, 2, 3}) {
    TaskGraph changed = graph;
    testing::Dice dice(seed);
    for (Task& task : changed.tasks) {
      task.duration += task.duration > Seconds{} ? Seconds{1e-13 * dice.between(0, 10)} : Seconds{};
    }
    most =
        std::max(most, difference(*play_max_min(changed, options), *play_max_min(graph, options)));
  }
  return most;
}

void expect_equal(const TaskGraph& graph, const std::vector<RankClassId>& dead) {
  const double found =
      difference(*play_max_min(graph, {.dead = dead}), testing::play(graph, {.dead = dead}));
  EXPECT_LE(found, found <= 2e-12 ? 2e-12 : sensitivity(graph));
}

/// How many flows are alone on their links until another begins on one of them.
int met_flows(const TaskGraph& graph, const Timeline& timeline) {
  struct Flow {
    Seconds begin, end;
    TaskId task{};
  };
  IdVector<FoldedLinkId, std::vector<Flow>> on_links(graph.links.size());
  for (const TaskId id : graph.tasks.ids()) {
    const Task& task = graph.tasks[id];
    if (task.channel && task.bytes > Bytes{}) {
      for (const ChannelLoad& load : graph.channels[*task.channel].loads) {
        on_links[load.link].push_back(
            {timeline.start[id] + task.duration, timeline.finish[id], id});
      }
    }
  }
  IdVector<TaskId, bool> comes_to_others(graph.tasks.size(), false);
  IdVector<TaskId, bool> is_met(graph.tasks.size(), false);
  for (std::vector<Flow>& flows : on_links) {
    std::sort(flows.begin(), flows.end(),
              [](const Flow& a, const Flow& b) { return a.begin < b.begin; });
    Seconds busy_until;
    for (std::size_t i = 0; i < flows.size(); ++i) {
      const Flow& flow = flows[i];
      comes_to_others[flow.task] = comes_to_others[flow.task] || flow.begin < busy_until;
      busy_until = std::max(busy_until, flow.end);
      is_met[flow.task] =
          is_met[flow.task] || (i + 1 < flows.size() && flow.begin < flows[i + 1].begin &&
                                flows[i + 1].begin < flow.end);
    }
  }
  int met = 0;
  for (const TaskId id : is_met.ids()) {
    met += is_met[id] && !comes_to_others[id] ? 1 : 0;
  }
  return met;
}

class MaxMin : public ::testing::TestWithParam<int> {};

TEST_P(MaxMin, PlaysEveryTaskAsSimGridDoes) {
  for_each_case({.first = 1, .cases = 10}, GetParam(), [&](const Case& drawn, std::uint64_t) {
    const StepPlan plan = plan_step(drawn.workload, build_cluster(drawn.cluster));
    expect_equal(plan.graph, {});
    expect_equal(plan.graph, {plan.fold.rank_classes.last_id()});
  });
}
TEST_P(MaxMin, OpensRunsThatAreDisturbed) {
  int opened = 0;
  int by_late_hosts = 0;
  for_each_case({.first = 1001, .cases = 60}, GetParam(), [&](const Case& drawn, std::uint64_t) {
    const Cluster cluster = build_cluster(drawn.cluster);
    const StepPlan open = plan_step(drawn.workload, cluster, {}, Disturbed::Open);
    if (std::none_of(open.graph.tasks.begin(), open.graph.tasks.end(),
                     [](const Task& task) { return task.open; })) {
      return;
    }
    ++opened;
    by_late_hosts += std::any_of(open.graph.tasks.begin(), open.graph.tasks.end(),
                                 [](const Task& task) {
                                   return task.open && task.launched != LaunchedBy::Ahead;
                                 })
                         ? 1
                         : 0;
    const TaskGraph graph = plan_step(drawn.workload, cluster).graph;
    const double expected = play_max_min(graph)->end.value;
    const double found = std::abs(play_max_min(open.graph)->end.value / expected - 1);
    EXPECT_LE(found, found <= 2e-12 ? 2e-12 : sensitivity(graph));
    // SimGrid ends together what ends within 1e-12 s, which is more of a step of milliseconds.
    const double by_simgrid = std::abs(testing::play(open.graph).end.value - expected);
    const double most = 2e-12 * (1 + expected);
    EXPECT_LE(by_simgrid, by_simgrid <= most ? most : sensitivity(graph) * expected);
  });
  fmt::print("{} steps with runs that are opened, {} of late hosts\n", opened, by_late_hosts);
  EXPECT_GT(opened, 0);
  EXPECT_GT(by_late_hosts, 0);
}

TEST_P(MaxMin, PlaysFlowsThatAreAloneAsIfTheyWereNot) {
  int met = 0;
  for_each_case({.first = 4001, .cases = 20}, GetParam(), [&](const Case& drawn, std::uint64_t) {
    const TaskGraph graph = plan_step(drawn.workload, build_cluster(drawn.cluster)).graph;
    const MaxMinOptions shared{.all_shared = true};
    const Timeline expected = play_max_min(graph, shared).value();
    const double found = difference(*play_max_min(graph), expected);
    EXPECT_LE(found, found <= 2e-12 ? 2e-12 : sensitivity(graph, shared));
    met += met_flows(graph, expected);
  });
  fmt::print("{} flows alone until others came\n", met);
  EXPECT_GT(met, 0);
}

/// By no task does the step end sooner than that, and one that is wanted by its own end has it.
TEST_P(MaxMin, GivesNothingUpThatEndsInTime) {
  int tight = 0;
  for_each_case({.first = 7001, .cases = 20}, GetParam(), [&](const Case& drawn, std::uint64_t) {
    const Cluster cluster = build_cluster(drawn.cluster);
    for (const Disturbed disturbed : {Disturbed::Open, Disturbed::BySegment}) {
      const TaskGraph graph = plan_step(drawn.workload, cluster, {}, disturbed).graph;
      const Timeline timeline = play_max_min(graph).value();
      const IdVector<TaskId, Seconds> rests = least_rests(graph);
      double most = 0;
      for (const TaskId task : graph.tasks.ids()) {
        most = std::max(most, (timeline.start[task] + rests[task]).value);
      }
      EXPECT_LE(most, timeline.end.value * (1 + 1e-9));
      tight += most > 0.8 * timeline.end.value ? 1 : 0;
      EXPECT_TRUE(play_max_min(graph, {.until = timeline.end}));
      EXPECT_FALSE(play_max_min(graph, {.until = 0.999 * timeline.end}));
    }
  });
  EXPECT_GT(tight, 0);  // rests of nothing would pass
}

INSTANTIATE_TEST_SUITE_P(Seeds, MaxMin, ::testing::Range(0, 12));

/// Two flows of a 10 GB/s link, of which one has gone on for a second: 5 GB each are left at 1 s,
/// and both end when 15 GB have gone in all.
TaskGraph two_flows() {
  TaskGraph graph;
  const FoldedLinkId link = graph.links.push_back({BytesPerSecond{10e9}});
  const ChannelId channel = graph.channels.push_back({{{link, 1}}});
  testing::add_flow(graph, channel, Bytes{15e9});
  testing::add_flow(graph, channel, Bytes{5e9}, Seconds{1});
  return graph;
}

/// Alone each takes until 1.5 s: a step that is wanted at 1.4 s is given up at once, one that is
/// wanted at 1.6 s when that has come, since both end at 2 s.
TEST(MaxMin, AFlowLastsAtLeastAsLongAsItDoesAlone) {
  const IdVector<TaskId, Seconds> rests = least_rests(two_flows());
  EXPECT_DOUBLE_EQ(rests[TaskId{0}].value, 1.5);
  EXPECT_DOUBLE_EQ(rests[TaskId{1}].value, 1.5);
  EXPECT_FALSE(play_max_min(two_flows(), {.until = Seconds{1.4}}));
  EXPECT_FALSE(play_max_min(two_flows(), {.until = Seconds{1.6}}));
  EXPECT_TRUE(play_max_min(two_flows(), {.until = Seconds{2.0}}));
}

TEST(MaxMin, SharesALinkFromTheMomentThatASecondFlowBegins) {
  const Timeline timeline = play_max_min(two_flows()).value();
  EXPECT_DOUBLE_EQ(timeline.finish[TaskId{1}].value, 2.0);
  EXPECT_DOUBLE_EQ(timeline.finish[TaskId{0}].value, 2.0);
}

/// A message of 1 s on each link, the i-th from 1.5 i s on, until two others come, so long after it
/// as `late` says and then at the end of the message before. A third of the link is left:
///
///   ends(i) = comes + 3 (1 - (comes - 1.5 i)) = 3 (1 + 1.5 i) - 2 comes
///
/// So it ends 2 s after it began if they come after 0.5 s, and a delay of theirs comes out doubled.
TaskGraph meetings(int count, Seconds late) {
  TaskGraph graph;
  std::vector<TaskId> before;
  for (int i = 0; i < count; ++i) {
    const FoldedLinkId link = graph.links.push_back({BytesPerSecond{10e9}});
    const ChannelId one = graph.channels.push_back({{{link, 1}}});
    const ChannelId two = graph.channels.push_back({{{link, 2}}});
    testing::add_flow(graph, two, Bytes{20e9}, i == 0 ? Seconds{0.5} + late : Seconds{}, before);
    before = {testing::add_flow(graph, one, Bytes{10e9}, Seconds{1.5 * i})};
  }
  return graph;
}

// After 24 meetings a nanosecond is 2^24 ns = 16.8 ms, to both players.
TEST(MaxMin, ADelayGrowsFromMeetingToMeeting) {
  constexpr int kMeetings = 24;
  const Seconds late{1e-9};
  const double moved = std::ldexp(late.value, kMeetings);
  const TaskGraph graph = meetings(kMeetings, late);
  for (const Timeline& timeline : {*play_max_min(graph), testing::play(graph)}) {
    EXPECT_NEAR(timeline.finish.back().value, 1.5 * (kMeetings - 1) + 2 + moved, 1e-3 * moved);
  }
  for (const Timeline& timeline :
       {*play_max_min(meetings(kMeetings, {})), testing::play(meetings(kMeetings, {}))}) {
    EXPECT_NEAR(timeline.finish.back().value, 1.5 * (kMeetings - 1) + 2, 1e-3 * moved);
  }
}

/// 10 GB over a link of 10 GB/s; another 10 GB come over that and a wider one at 0.5 s. They share:
/// the first has 5 GB left and ends at 0.5 s + 1 s; the second then has 5 GB left, for 0.5 s.
TEST(MaxMin, LetsFlowsAloneMeetOverOneOfTheirLinks) {
  TaskGraph graph;
  const FoldedLinkId first = graph.links.push_back({BytesPerSecond{10e9}});
  const FoldedLinkId second = graph.links.push_back({BytesPerSecond{20e9}});
  const ChannelId narrow = graph.channels.push_back({{{first, 1}}});
  const ChannelId wide = graph.channels.push_back({{{second, 1}, {first, 1}}});
  testing::add_flow(graph, narrow, Bytes{10e9});
  testing::add_flow(graph, wide, Bytes{10e9}, Seconds{0.5});
  for (const bool all_shared : {false, true}) {
    const Timeline timeline = play_max_min(graph, {.all_shared = all_shared}).value();
    EXPECT_DOUBLE_EQ(timeline.finish[TaskId{0}].value, 1.5);
    EXPECT_DOUBLE_EQ(timeline.finish[TaskId{1}].value, 2.0);
  }
}

/// 15 GB alone on a link of 10 GB/s that has half of it from 1 s on: 10 GB by then, and 1 s more.
TEST(MaxMin, SlowsAFlowThatIsAloneWhenItsLinkChanges) {
  TaskGraph graph;
  const FoldedLinkId link = graph.links.push_back({BytesPerSecond{10e9}});
  testing::add_flow(graph, graph.channels.push_back({{{link, 1}}}), Bytes{15e9});
  graph.changes.push_back({Seconds{1}, link, BytesPerSecond{5e9}});
  EXPECT_DOUBLE_EQ(play_max_min(graph)->end.value, 2.0);
}

TEST(MaxMin, GivesUpWhatHasNotEndedInTime) {
  EXPECT_FALSE(play_max_min(two_flows(), {.until = Seconds{1.999}}));
  EXPECT_TRUE(play_max_min(two_flows(), {.until = Seconds{2.001}}));
}

TEST(MaxMin, NamesATaskOfACycle) {
  TaskGraph graph = two_flows();
  graph.add_edge(TaskId{0}, TaskId{1});
  graph.add_edge(TaskId{1}, TaskId{0});
  EXPECT_THROW((void)play_max_min(graph), InternalError);
}

}  // namespace
}  // namespace danlu
