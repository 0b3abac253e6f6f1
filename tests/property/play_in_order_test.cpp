// A slice played in the order of its segments (sim/program/play_in_order.hpp) takes the same times
// as played from event to event, wherever it can be: random programs on one to four lanes, with
// hosts, jitter, exchanges that take from compute and others that do. Where an exchange begins
// beside compute that stands before it, it cannot.
//
// DANLU_SEED=n repeats a failure, DANLU_CASES=n asks for more programs.
#include "sim/program/play_in_order.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "sim/program/play_by_events.hpp"
#include "tests/support/many_cases.hpp"

namespace danlu {
namespace {

using testing::Dice;

Seconds tenths(Dice& dice, int most) {
  return Seconds{0.1 * dice.between(0, most)};
}

/// Each segment waits for some of those shortly before it.
Program draw_program(Dice& dice) {
  Program program;
  for (int i = 0, count = dice.between(1, 30); i < count; ++i) {
    Segment segment{.is_compute = dice.between(0, 2) > 0};
    if (!segment.is_compute) {
      segment.axes = {dice.coin() ? Axis::Tensor : Axis::Shard};
    }
    for (int before = std::max(0, i - 4); before < i; ++before) {
      if (dice.between(0, 3) == 0) {
        segment.after.push_back(static_cast<std::size_t>(before));
      }
    }
    program.segments.push_back(std::move(segment));
  }
  return program;
}

SegmentCosts draw_costs(const Program& program, Dice& dice) {
  const bool has_host = dice.between(0, 2) == 0;
  SegmentCosts costs;
  for (const Segment& segment : program.segments) {
    const Seconds computing = tenths(dice, 20);
    const Seconds passing = tenths(dice, 20);
    costs.durations.push_back(computing + passing);
    costs.bounds.push_back({computing, passing});
    costs.taken.push_back(segment.is_compute || dice.coin()
                              ? GpuShare{}
                              : GpuShare{0.1 * dice.between(0, 4), 0.1 * dice.between(0, 4)});
    if (has_host) {
      costs.launches.times.push_back(tenths(dice, 5));
      costs.launches.wait.push_back(dice.between(0, 7) == 0);
    }
  }
  return costs;
}

struct Lanes {
  std::vector<SegmentCosts> costs;
  std::vector<LaneStart> starts;
};

Lanes draw_lanes(const Program& program, Dice& dice) {
  Lanes lanes;
  const SegmentCosts first = draw_costs(program, dice);
  for (int lane = 0, count = dice.between(1, 4); lane < count; ++lane) {
    SegmentCosts& own = lanes.costs.emplace_back(first);  // exchanges are the same for all
    for (std::size_t i = 0; i < program.segments.size(); ++i) {
      if (program.segments[i].is_compute) {
        own.durations[i] = own.durations[i] * (1 + 0.1 * dice.between(0, 9));
      }
    }
    LaneStart& start = lanes.starts.emplace_back();
    start.entry = tenths(dice, 30);
    if (dice.coin()) {
      start.lead = tenths(dice, 10);
    }
    if (dice.coin()) {
      for (std::size_t i = 0; i < program.segments.size(); ++i) {
        start.stretch.push_back(program.segments[i].is_compute ? 0.1 * dice.between(5, 20) : 1);
      }
    }
    if (dice.between(0, 2) == 0) {
      Seconds at = start.entry;
      for (int steps = dice.between(1, 4); steps > 0;
           --steps, at += Seconds{0.05} + tenths(dice, 30)) {
        start.beside.push_back({at, {0.1 * dice.between(0, 5), 0.1 * dice.between(0, 5)}});
      }
    }
  }
  for (std::size_t lane = 0; lane < lanes.starts.size(); ++lane) {
    lanes.starts[lane].costs = &lanes.costs[lane];
  }
  return lanes;
}

void expect_equal(const std::vector<Seconds>& found, const std::vector<Seconds>& expected,
                  const char* what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(found[i].value, expected[i].value, 1e-12 * (1 + expected[i].value))
        << what << " of segment " << i;
  }
}

TEST(PlayInOrder, TakesTheTimesOfEvents) {
  const testing::Seeds seeds = testing::Seeds{.first = 1, .cases = 3000}.of_shard(0);
  OrderPlayer player;
  int in_order = 0;
  for (std::uint64_t seed = seeds.first; seed < seeds.first + seeds.cases; ++seed) {
    SCOPED_TRACE(fmt::format("DANLU_SEED={} DANLU_CASES=1", seed));
    Dice dice(seed);
    const Program program = draw_program(dice);
    const Lanes lanes = draw_lanes(program, dice);
    const std::size_t last = program.segments.size();
    const std::size_t first = dice.below(last);
    if (!player.play(program, first, last, lanes.starts)) {
      continue;
    }
    const std::vector<SegmentTimes>& found = player.times();
    ++in_order;
    const auto expected = play_by_events(program, first, last, lanes.starts);
    for (std::size_t lane = 0; lane < expected.size(); ++lane) {
      EXPECT_NEAR(found[lane].total.value, expected[lane].total.value, 1e-12);
      ASSERT_NO_FATAL_FAILURE(expect_equal(found[lane].start, expected[lane].start, "start"));
      ASSERT_NO_FATAL_FAILURE(expect_equal(found[lane].finish, expected[lane].finish, "end"));
      ASSERT_NO_FATAL_FAILURE(expect_equal(found[lane].longer, expected[lane].longer, "longer"));
      ASSERT_NO_FATAL_FAILURE(
          expect_equal(found[lane].launched, expected[lane].launched, "launch"));
    }
  }
  fmt::print("{} of {} programs in order\n", in_order, seeds.cases);
  if (seeds.cases > 1) {
    EXPECT_GT(in_order, static_cast<int>(seeds.cases / 4));
    EXPECT_LT(in_order, static_cast<int>(seeds.cases * 19 / 20));
  }
}

/// An exchange of 2 s that takes half of the multiprocessors, beside a stretch of compute of 3 s
/// that stands behind it: of its first 2 s 2 x pace are done. Where it stands before the exchange,
/// events are needed, which say the same.
TEST(PlayInOrder, TakesEventsWhereAnExchangeBeginsBesideEarlierCompute) {
  const SegmentCosts exchange_first{.durations = {Seconds{2}, Seconds{3}},
                                    .bounds = {{}, {Seconds{3}, Seconds{}}},
                                    .taken = {{.multiprocessors = 0.5}, {}}};
  const Seconds longer{2 - 2 * pace({Seconds{3}, Seconds{}}, {.multiprocessors = 0.5})};
  ASSERT_GT(longer.value, 0.5);
  Program program;
  program.segments = {{.name = "sum", .is_compute = false, .axes = {Axis::Tensor}},
                      {.name = "product"}};
  OrderPlayer player;
  ASSERT_TRUE(player.play(program, 0, 2, {{.costs = &exchange_first}}));
  EXPECT_EQ(player.times()[0].finish, (std::vector{Seconds{2}, Seconds{3} + longer}));
  EXPECT_EQ(player.times()[0].longer, (std::vector{Seconds{}, longer}));

  std::swap(program.segments[0], program.segments[1]);
  const SegmentCosts compute_first{.durations = {Seconds{3}, Seconds{2}},
                                   .bounds = {{Seconds{3}, Seconds{}}, {}},
                                   .taken = {{}, {.multiprocessors = 0.5}}};
  EXPECT_FALSE(player.play(program, 0, 2, {{.costs = &compute_first}}));
  EXPECT_EQ(play_together(program, 0, 2, {{.costs = &compute_first}})[0].finish,
            (std::vector{Seconds{3} + longer, Seconds{2}}));
}

}  // namespace
}  // namespace danlu
