// The pool of processes: results come back whole and in order, and whatever ends a process is the
// outcome of its play alone.
#include "sim/session/pool.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <new>
#include <stdexcept>

#include "sim/base/error.hpp"
#include "sim/base/threads.hpp"

namespace danlu {
namespace {

using Outcome = Played::Outcome;

Played ended_at(double seconds) {
  return {.timeline = {.end = {seconds}}};
}

/// The one play.
Played play_alone(const std::function<Played()>& play, const PoolOptions& options = {}) {
  return play_in_processes(1, options, [&](std::size_t) { return play(); }).front();
}

bool has_children() {
  return waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD;
}

TEST(Pool, MorePlaysThanProcessorsComeBackInOrder) {
  const auto count = static_cast<std::size_t>(5 * processors() + 3);
  const std::vector<Played> all = play_in_processes(count, {}, [&](std::size_t i) {
    usleep(i % 3 == 0 ? 20000 : 0);  // so that they do not end in order
    return ended_at(static_cast<double>(i));
  });
  ASSERT_EQ(all.size(), count);
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(end_of(all[i]).value, static_cast<double>(i));
  }
  EXPECT_FALSE(has_children());
}

TEST(Pool, NoPlayIsFine) {
  EXPECT_TRUE(play_in_processes(0, {}, [](std::size_t) { return Played{}; }).empty());
}

// Two pipes full of times, so that the reader has to keep up with both.
TEST(Pool, TimelinesComeBackBitForBit) {
  constexpr std::size_t kTasks = 100'000;
  Timeline timeline;
  for (std::size_t i = 0; i < kTasks; ++i) {
    timeline.start.push_back({static_cast<double>(i) / 3});
    timeline.finish.push_back({static_cast<double>(i) / 7 + 1e6});
  }
  timeline.end = timeline.finish.back();
  const std::vector<Played> all = play_in_processes(
      2, {.processes = 2}, [&](std::size_t) { return Played{.timeline = timeline}; });
  for (const Played& played : all) {
    EXPECT_EQ(played.timeline.start, timeline.start);
    EXPECT_EQ(played.timeline.finish, timeline.finish);
    EXPECT_EQ(end_of(played), timeline.end);
  }
}

TEST(Pool, HungPlaysSayWhy) {
  const Played played =
      play_alone([] { return Played{.outcome = Outcome::Hung, .why = "NIC 3 is gone\n"}; });
  EXPECT_EQ(played.why, "NIC 3 is gone\n");
  EXPECT_THROW(end_of(played), CannotRun);
}

TEST(Pool, WhatAPlayThrowsIsItsOutcome) {
  const Played played = play_alone([]() -> Played { throw std::runtime_error("no such link"); });
  EXPECT_EQ(played.outcome, Outcome::Failed);
  EXPECT_EQ(played.why, "no such link");
  EXPECT_THROW(end_of(played), InternalError);
  EXPECT_EQ(play_alone([]() -> Played { throw 7; }).why, "unknown exception");
}

TEST(Pool, OutOfMemoryIsToldFromFailure) {
  const Played thrown = play_alone([]() -> Played { throw std::bad_alloc(); });
  EXPECT_EQ(thrown.outcome, Outcome::OutOfMemory);
  EXPECT_THROW(end_of(thrown), std::bad_alloc);
  // The kernel, when memory is short, kills.
  const Played killed = play_alone([] { return raise(SIGKILL), Played{}; });
  EXPECT_EQ(killed.outcome, Outcome::OutOfMemory);
}

#if !defined(__SANITIZE_ADDRESS__)
TEST(Pool, ALimitOfMemoryIsKept) {
  const Played played = play_alone([] {
    const rlimit limit{1U << 30U, 1U << 30U};
    setrlimit(RLIMIT_AS, &limit);
    const IdVector<TaskId, Seconds> start(std::size_t{1} << 28U);  // 2 GiB
    return Played{.timeline = {.start = start}};
  });
  EXPECT_EQ(played.outcome, Outcome::OutOfMemory);
}
#endif

TEST(Pool, NoneIsStartedOnceThatIsRefused) {
  for (const std::size_t most : {0U, 1U, 5U}) {
    std::size_t started = 0;
    std::vector<std::size_t> taken;
    const PoolOptions options{.processes = 2,
                              .before = [&](std::size_t) { ++started; },
                              .go_on = [&] { return started < most; },
                              .take =
                                  [&](std::size_t i, const Played& played) {
                                    taken.push_back(i);
                                    EXPECT_EQ(end_of(played).value, static_cast<double>(i));
                                  }};
    const auto play = [](std::size_t i) { return ended_at(static_cast<double>(i)); };
    EXPECT_EQ(play_in_processes(9, options, play).size(), most);
    std::sort(taken.begin(), taken.end());
    EXPECT_EQ(taken.size(), most);
    for (std::size_t i = 0; i < taken.size(); ++i) {
      EXPECT_EQ(taken[i], i);
    }
  }
}

TEST(Pool, AKilledPlayLeavesTheOthersAlone) {
  const std::vector<Played> all = play_in_processes(4, {.processes = 2}, [](std::size_t i) {
    if (i == 1) {
      raise(SIGTERM);
    }
    if (i == 2) {
      _exit(9);
    }
    return ended_at(1);
  });
  EXPECT_TRUE(all[0].ended());
  EXPECT_EQ(all[1].outcome, Outcome::Failed);
  EXPECT_EQ(all[1].why, "killed by signal 15");
  EXPECT_EQ(all[2].why, "ended with status 9");
  EXPECT_TRUE(all[3].ended());
  EXPECT_FALSE(has_children());
}

TEST(Pool, PatienceEnds) {
  const Played played = play_alone([] { return sleep(60), Played{}; }, {.patience = 0.5});
  EXPECT_EQ(played.outcome, Outcome::TooLong);
  EXPECT_EQ(played.why, "took longer than 0.5 s");
}

TEST(Pool, WhatIsDoneBeforeAPlayIsThereInItsProcess) {
  double seconds = 0;
  const std::vector<Played> all = play_in_processes(
      5,
      {.processes = 2, .before = [&](std::size_t i) { seconds = 10.0 * static_cast<double>(i); }},
      [&](std::size_t) { return ended_at(seconds); });
  for (std::size_t i = 0; i < all.size(); ++i) {
    EXPECT_EQ(end_of(all[i]).value, 10.0 * static_cast<double>(i));
  }
}

TEST(Pool, NoProcessOutlivesAnError) {
  const auto before = [](std::size_t i) {
    if (i == 2) {
      throw std::runtime_error("enough");
    }
  };
  EXPECT_THROW(play_in_processes(3, {.processes = 3, .before = before},
                                 [](std::size_t) { return sleep(60), Played{}; }),
               std::runtime_error);
  EXPECT_FALSE(has_children());
}

}  // namespace
}  // namespace danlu
