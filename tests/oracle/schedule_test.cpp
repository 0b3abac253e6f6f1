// Pipeline schedules against closed forms. Stages of unit time (F, I and W 1, B 2) are played
// by the engine; with p stages, m microbatches and v chunks, work per stage is 3m and
//
//   GPipe, 1F1B     (m + p - 1) 3            bubble overhead (p-1)/m, rate (p-1)/(m+p-1)
//   interleaved     (m + (p - 1)/v) 3                        (p-1)/(vm)
//     with m < p    (p + (m - 1)/v) 3                        p - 1 + (m-1)/v - (m-1)
#include "sim/schedule/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/schedule/rounds.hpp"
#include "tests/support/pipelines.hpp"
#include "tests/support/support.hpp"

namespace danlu {
namespace {

using testing::near;
using testing::play_pipeline;

struct Shape {
  std::string_view schedule = "1f1b";
  int stages = 1;
  int chunks = 1;
  int microbatches = 1;
  bool pairs = false;
};

ScheduleShape schedule_shape(const Shape& shape) {
  return {Placement(shape.stages, shape.chunks, schedule_named(shape.schedule).deal),
          shape.microbatches, shape.pairs};
}
std::vector<Action> actions_of(const Shape& shape, int stage) {
  return schedule_named(shape.schedule).actions(schedule_shape(shape), stage);
}

/// With passes that take as long as those of a stage with one chunk, divided by the chunks; two
/// side by side take their sum.
double time_of(const Shape& shape, Seconds latency = {}) {
  const ScheduleShape asked = schedule_shape(shape);
  const double unit = static_cast<double>(shape.stages) / asked.placement.parts();
  return play_pipeline({asked.placement,
                        testing::actions_of(schedule_named(shape.schedule), asked),
                        {{unit, unit, unit}},
                        latency,
                        3 * unit})
      .total;
}

std::vector<int> peaks(const Shape& shape) {
  std::vector<int> by_stage;
  for (int stage = 0; stage < shape.stages; ++stage) {
    by_stage.push_back(peak_chunks_in_flight(actions_of(shape, stage)));
  }
  return by_stage;
}

/// Shapes that every schedule of the table must run, but for those that it says it cannot.
std::vector<Shape> grid() {
  std::vector<Shape> shapes;
  for (const ScheduleRow& row : schedule_table()) {
    for (const int p : {1, 2, 3, 4, 8}) {
      for (const int m : {1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 14, 16, 18, 24}) {
        for (const int v : row.chunks ? std::vector{*row.chunks} : std::vector{1, 2, 3, 4}) {
          if (p > 1 || v == 1) {
            shapes.push_back({row.name, p, v, m});
          }
          if (row.can_pair) {
            shapes.push_back({row.name, p, v, m, true});
          }
        }
      }
    }
  }
  std::erase_if(shapes, [](const Shape& shape) {
    return !schedule_named(shape.schedule).obstacle(schedule_shape(shape)).empty();
  });
  return shapes;
}

std::string describe(const Shape& shape) {
  return fmt::format("schedule {}, p {}, v {}, m {}{}", shape.schedule, shape.stages, shape.chunks,
                     shape.microbatches, shape.pairs ? ", pairs" : "");
}

// T31: (8 + 4 - 1)(1 + 2) = 33, of which 24 are work: overhead 9/24 = 0.375, rate 9/33 = 0.2727.
TEST(Schedule, GPipeAndOneFOneBHaveTheSameBubble) {
  for (const std::string_view kind : {"gpipe", "1f1b"}) {
    const double time = time_of({kind, 4, 1, 8});
    EXPECT_TRUE(near(time, 33));
    EXPECT_TRUE(near((time - 24) / 24, 0.375));
    EXPECT_NEAR((time - 24) / time, 0.2727, 5e-5);
  }
}

// T31: GPipe holds all 8; stage s of 1F1B holds p - s.
TEST(Schedule, OneFOneBHoldsFewerMicrobatches) {
  EXPECT_EQ(peaks({"gpipe", 4, 1, 8}), (std::vector{8, 8, 8, 8}));
  EXPECT_EQ(peaks({"1f1b", 4, 1, 8}), (std::vector{4, 3, 2, 1}));
}

// With fewer microbatches than stages no stage can hold more than there are: min(m, p - s).
TEST(Schedule, OneFOneBHoldsNoMoreThanThereAre) {
  EXPECT_EQ(peaks({"1f1b", 4, 1, 2}), (std::vector{2, 2, 2, 1}));
}

// T32: (8 + 3/2) 3 = 28.5, (32 + 7/2) 3 = 106.5, (48 + 7/6) 3 = 147.5.
TEST(Schedule, InterleavingDividesTheBubbleByTheChunks) {
  EXPECT_TRUE(near(time_of({"1f1b", 4, 2, 8}), 28.5));
  EXPECT_TRUE(near(time_of({"1f1b", 8, 2, 32}), 106.5));
  EXPECT_TRUE(near(time_of({"1f1b", 8, 6, 48}), 147.5));
}

// T32: stage 0 runs 2(p-1) + (v-1)p passes before its first backward and one more in the steady
// state: v p + p - 1 chunks, here 11, 23 and 55.
TEST(Schedule, InterleavingHoldsMoreChunks) {
  EXPECT_EQ(peaks({"1f1b", 4, 2, 8})[0], 11);
  EXPECT_EQ(peaks({"1f1b", 8, 2, 32})[0], 23);
  EXPECT_EQ(peaks({"1f1b", 8, 6, 48})[0], 55);
}

// T34: F 1, I 1, W 1, 8 stages: 7 x 3 of bubble with 1F1B, 7 with ZB-H1 (DualPipe's README).
// T35: 12 microbatches on 4 stages: 45 and 39.
TEST(Schedule, PuttingOffGradientsOfWeightsFillsTwoThirdsOfTheBubble) {
  EXPECT_TRUE(near(time_of({"1f1b", 8, 1, 20}), 3 * 20 + 21));
  EXPECT_TRUE(near(time_of({"zb-h1", 8, 1, 20}), 3 * 20 + 7));
  EXPECT_TRUE(near(time_of({"1f1b", 4, 1, 12}), 45));
  EXPECT_TRUE(near(time_of({"zb-h1", 4, 1, 12}), 39));
}

// T33, each transfer 0.5 beside compute: GPipe waits only while filling and draining, 2(p-1) = 6
// times: 33 + 3 = 36. 1F1B waits 2(p-2) + 2(p-1) m/p = 4 + 12 = 16 times: 33 + 8 = 41.
TEST(Schedule, OneFOneBIsMoreSensitiveToTransferLatency) {
  EXPECT_TRUE(near(time_of({"gpipe", 4, 1, 8}, 0.5_s), 36));
  EXPECT_TRUE(near(time_of({"1f1b", 4, 1, 8}, 0.5_s), 41));
}

// The same with p = 8, m = 32: GPipe 39 x 3 + 14 x 0.5 = 124; 1F1B 117 + (12 + 56) x 0.5 = 151.
TEST(Schedule, TheLatencyRuleHoldsForEightStages) {
  EXPECT_TRUE(near(time_of({"gpipe", 8, 1, 32}, 0.5_s), 124));
  EXPECT_TRUE(near(time_of({"1f1b", 8, 1, 32}, 0.5_s), 151));
}

// Every stage does every microbatch in every chunk once forward, later the gradients of its inputs,
// and with them (B) or later (I, W) those of its weights, each once.
TEST(Schedule, EveryPassRunsOnce) {
  for (const Shape& shape : grid()) {
    SCOPED_TRACE(describe(shape));
    for (int stage = 0; stage < shape.stages; ++stage) {
      std::map<std::pair<int, int>, std::string> done;  // by chunk and microbatch
      for (const Action& op : actions_of(shape, stage)) {
        EXPECT_TRUE(op.chunk >= 0 && op.chunk < shape.chunks);
        EXPECT_TRUE(op.microbatch >= 0 && op.microbatch < shape.microbatches);
        done[{op.chunk, op.microbatch}] += row_named(op.kind).letter;
      }
      const Placement placement = schedule_shape(shape).placement;
      EXPECT_EQ(static_cast<int>(done.size()),
                placement.parts() * shape.microbatches / shape.stages);
      for (const auto& [where, order] : done) {
        EXPECT_TRUE(order == "FB" || order == "FIW") << order;
      }
    }
  }
}

// 3 (m + (p-1)/v), whatever p leaves of m. With fewer microbatches than stages the first one needs
// p v passes each way, and m - 1 follow it.
TEST(Schedule, EveryShapeTakesItsClosedForm) {
  for (const Shape& shape : grid()) {
    if (shape.schedule != "gpipe" && shape.schedule != "1f1b") {
      continue;
    }
    const double most = std::max(shape.stages, shape.microbatches);
    const double least = std::min(shape.stages, shape.microbatches);
    EXPECT_TRUE(near(time_of(shape), 3 * (most + (least - 1) / shape.chunks))) << describe(shape);
  }
}

// No schedule of the table deadlocks. The closed forms of the rows: the bubble is what waits beside
// 3 m of work, the peak is counted.
TEST(Schedule, RowsKnowTheirBubbleAndPeak) {
  for (const Shape& shape : grid()) {
    const ScheduleRow& row = schedule_named(shape.schedule);
    const double work = 3.0 * shape.microbatches;
    EXPECT_TRUE(near(1 + row.bubble(schedule_shape(shape)), time_of(shape) / work))
        << describe(shape);
    for (int stage = 0; stage < shape.stages; ++stage) {
      EXPECT_EQ(row.peak(schedule_shape(shape), stage),
                peak_chunks_in_flight(actions_of(shape, stage)))
          << describe(shape) << ", stage " << stage;
    }
  }
}

// Megatron-core refuses a last group below p; so 10 = 5 + 5, 9 = 5 + 4, 20 = 10 + 10, 26 = 9 + 9 +
// 8, 7 = 4 + 3 and 6 = 6, where groups of p would leave 2, 1, 4, 2, 1 and 2.
/// Kinds and chunks of passes, and which are side by side.
std::vector<std::tuple<ActionKind, int, bool>> without_microbatches(
    const std::vector<Action>& actions) {
  std::vector<std::tuple<ActionKind, int, bool>> found;
  for (const Action& action : actions) {
    found.emplace_back(action.kind, action.chunk, action.with_next);
  }
  return found;
}

/// With two more rounds a row is what round_between() says of one more.
TEST(Schedule, LongerRowsHaveRoundsMore) {
  int rounds = 0;
  for (Shape shape : grid()) {
    const ScheduleRow& row = schedule_named(shape.schedule);
    if (row.round == nullptr || shape.microbatches < 3 * shape.stages ||
        !row.obstacle(schedule_shape(shape)).empty()) {
      continue;
    }
    SCOPED_TRACE(describe(shape));
    const int more = row.round(schedule_shape(shape));
    Shape longer = shape;
    longer.microbatches += more;
    Shape longest = longer;
    longest.microbatches += more;
    if (row.round(schedule_shape(longer)) != more || row.round(schedule_shape(longest)) != more) {
      continue;  // groups of another size
    }
    for (int stage = 0; stage < shape.stages; ++stage) {
      const std::vector<Action> actions = actions_of(shape, stage);
      const std::optional<RowRound> round = round_between(actions, actions_of(longer, stage));
      ASSERT_TRUE(round) << "stage " << stage;
      if (std::any_of(actions.begin(), actions.end(),
                      [](const Action& action) { return action.with_next; })) {
        continue;  // passes of two actions, which places of actions do not count
      }
      const auto expected = without_microbatches(actions_of(longest, stage));
      const auto own = without_microbatches(actions);
      for (std::size_t at = round->first; at <= round->last; ++at) {
        auto made = own;
        const std::vector repeated(own.begin() + static_cast<std::ptrdiff_t>(at),
                                   own.begin() + static_cast<std::ptrdiff_t>(at + round->length));
        for (int i = 0; i < 2; ++i) {
          made.insert(made.begin() + static_cast<std::ptrdiff_t>(at), repeated.begin(),
                      repeated.end());
        }
        ASSERT_EQ(made, expected) << "stage " << stage << ", round at " << at;
        ++rounds;
      }
    }
  }
  EXPECT_GT(rounds, 1000);
}

/// 1F1B on the first of two stages; F3 and B2 are the last round that may come once more.
TEST(Schedule, ARoundIsWhatALongerRowHasMore) {
  const std::optional<RowRound> round =
      round_between(actions_of({"1f1b", 2, 1, 4}, 0), actions_of({"1f1b", 2, 1, 5}, 0));
  ASSERT_TRUE(round);
  EXPECT_EQ(round->length, 2U);
  EXPECT_EQ(round->first, 1U);  // F1 B0, after F0
  EXPECT_EQ(round->last, 5U);
  EXPECT_FALSE(round_between(actions_of({"gpipe", 2, 1, 4}, 0), actions_of({"gpipe", 2, 1, 5}, 0)));
}

TEST(Schedule, GroupsOfInterleavingLeaveNoRestBelowTheStages) {
  EXPECT_EQ(interleaving_group(4, 8), 4);
  EXPECT_EQ(interleaving_group(4, 10), 5);
  EXPECT_EQ(interleaving_group(4, 9), 5);
  EXPECT_EQ(interleaving_group(8, 20), 10);
  EXPECT_EQ(interleaving_group(8, 26), 9);
  EXPECT_EQ(interleaving_group(2, 7), 4);
  EXPECT_EQ(interleaving_group(4, 6), 6);
  EXPECT_EQ(interleaving_group(4, 3), 3);
}

// Megatron-core's interleaved schedule with microbatch_group_size_per_vp_stage 5, 5, 9, 10 and 6,
// run with passes of 1 forward and 2 backward in every chunk, transfers of 0, 0, 0, 1/4 and 1/4.
// PyTorch's ScheduleInterleaved1F1B has the same peaks where it divides its rounds: 4 stages with
// 10 and 6 microbatches. Here a chunk takes 1/2 or 1/3 of the time.
TEST(Schedule, InterleavingOfAnyNumberOfMicrobatchesIsThatOfMegatronAndPyTorch) {
  const std::string_view kind = "1f1b";
  EXPECT_TRUE(near(time_of({kind, 4, 2, 10}), 69.0 / 2));
  EXPECT_EQ(peaks({kind, 4, 2, 10}), (std::vector{12, 10, 8, 6}));
  EXPECT_TRUE(near(time_of({kind, 4, 2, 9}), 63.0 / 2));
  EXPECT_EQ(peaks({kind, 4, 2, 9}), (std::vector{12, 10, 8, 6}));
  EXPECT_TRUE(near(time_of({kind, 8, 3, 26}), 255.0 / 3));
  EXPECT_EQ(peaks({kind, 8, 3, 26}), (std::vector{33, 31, 29, 27, 25, 23, 21, 19}));
  EXPECT_TRUE(near(time_of({kind, 8, 2, 20}, 0.125_s), 144.5 / 2));
  EXPECT_EQ(peaks({kind, 8, 2, 20}), (std::vector{25, 23, 21, 19, 17, 15, 13, 11}));
  EXPECT_TRUE(near(time_of({kind, 4, 2, 6}, 0.125_s), 46.5 / 2));
  EXPECT_EQ(peaks({kind, 4, 2, 6}), (std::vector{12, 11, 9, 7}));
}

// PyTorch's rank 0 of 4 with 2 chunks and 5 microbatches, one round of 5: all ten forward passes
// come first, chunk after chunk, then the backward ones from the last chunk.
TEST(Schedule, AGroupVisitsOneChunkAfterTheOther) {
  const std::vector<Action> ops = actions_of({"1f1b", 4, 2, 5}, 0);
  std::string text;
  for (const Action& op : ops) {
    text += op.text() + " ";
  }
  EXPECT_EQ(text,
            "0F0 0F1 0F2 0F3 0F4 1F0 1F1 1F2 1F3 1F4 1B0 1B1 1B2 1B3 1B4 0B0 0B1 0B2 0B3 0B4 ");
}

}  // namespace
}  // namespace danlu
