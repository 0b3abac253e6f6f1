// A program, or a slice of it, played where nobody shares its links: by hand, without an engine.
//
//   a segment starts when    its stream is free, what it waits for is done, it is launched
//   an exchange takes        a time known in advance; it starts when all ranks have come to it
//   compute takes            longer while exchanges of its rank run (sim/workload/contention.hpp),
//                            its own or others
//
// Ranks that are equally fast are one lane; others are a lane each, which meet in the exchanges:
//
//   lane 1 (slow)  |--- compute ---| exchange |--- compute ---| exchange |
//   lane 2         |- compute -|....| exchange |- compute -|....| exchange |
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "sim/program/program.hpp"
#include "sim/workload/contention.hpp"

namespace danlu {

/// What the host of a rank does for a program: how long it takes to launch each segment, and before
/// which of them it waits until the GPU has done what they wait for. Empty: it is never late.
struct Launches {
  std::vector<Seconds> times;
  std::vector<bool> wait;

  bool empty() const { return times.empty(); }
  bool waits_within() const { return std::find(wait.begin(), wait.end(), true) != wait.end(); }
};

/// What its segments take, each by itself.
struct SegmentCosts {
  std::vector<Seconds> durations;
  Launches launches;
  std::vector<Bounds> bounds;   // of compute; empty: nothing slows it
  std::vector<GpuShare> taken;  // by exchanges; empty: nothing
  /// Whether exchanges of the program may slow its compute.
  bool contends() const {
    return std::any_of(taken.begin(), taken.end(), [](GpuShare one) { return !one.nothing(); });
  }
};

/// From then on, relative to the start of the slice, others take that.
struct TakenFrom {
  Seconds at;
  GpuShare taken;
  auto operator<=>(const TakenFrom&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// When each segment of a slice starts and ends, relative to its start.
struct SegmentTimes {
  std::vector<Seconds> start, finish;
  std::vector<Seconds> launched;  // when the host had launched it; empty: it is never late
  std::vector<Seconds> longer;    // than it takes by itself
  std::vector<double> stretch;    // by jitter; empty: none
  Seconds total;
};

/// Plays the segments [first, last). The host began to launch them `lead` before they start; none:
/// it is never late. `beside` is sorted by time.
SegmentTimes play_alone(const Program& program, std::size_t first, std::size_t last,
                        const SegmentCosts& costs, std::optional<Seconds> lead = {},
                        const std::vector<TakenFrom>& beside = {});

/// How a lane comes to a slice: when it may begin, how long before its host did, and what others
/// take from it, all on one clock; and, by segment of the slice, so many times its duration its
/// compute takes here.
struct LaneStart {
  const SegmentCosts* costs = nullptr;
  Seconds entry{};
  std::optional<Seconds> lead{};
  std::vector<TakenFrom> beside{};
  std::vector<double> stretch{};  // empty: 1
};

/// Plays the segments [first, last) on several lanes, which all make every exchange; `total` is
/// when a lane has ended. Exchanges take as long, and take the same, in all lanes.
std::vector<SegmentTimes> play_together(const Program& program, std::size_t first, std::size_t last,
                                        std::vector<LaneStart> lanes);

class OrderPlayer;

/// Plays slice after slice in the same room.
class LanePlayer {
 public:
  LanePlayer();
  ~LanePlayer();

  /// play_together(); the times are there until it plays again.
  std::vector<SegmentTimes>& play(const Program& program, std::size_t first, std::size_t last,
                                  const std::vector<LaneStart>& lanes);

 private:
  std::unique_ptr<OrderPlayer> in_order_;
  std::vector<SegmentTimes> by_events_;
};

/// Whether nothing of the slice begins before all lanes have come: its first segment is an exchange
/// that all others wait for. Then lanes end some constants after the last of them has come.
bool begins_together(const Program& program, std::size_t first, std::size_t last);

/// The first place to cut a slice at, behind which it begins together and before which nothing is
/// exchanged; `last` where there is none.
std::size_t first_meeting(const Program& program, std::size_t first, std::size_t last);

}  // namespace danlu
