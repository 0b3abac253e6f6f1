#include "sim/program/play_by_events.hpp"

#include <algorithm>
#include <functional>
#include <queue>
#include <tuple>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/program/least_pass.hpp"
#include "sim/program/slice_waits.hpp"

namespace danlu {
namespace {

/// The slice from event to event. One class, since every event may start the next segments, and
/// those change how fast compute goes on.
class EventPlayer {
 public:
  /// `once`: of exchanges under way the first one takes from compute, not all together.
  EventPlayer(const Program& program, std::size_t first, std::size_t last,
              std::vector<LaneStart> lanes, bool once = false)
      : program_(program),
        once_(once),
        first_(first),
        count_(last - first),
        waiting_for_(count_),
        after_(count_),
        to_come_(count_, lanes.size()) {
    link();
    for (LaneStart& lane : lanes) {
      add_lane(lane);
    }
  }

  std::vector<SegmentTimes> play() {
    for (Lane& lane : lanes_) {
      if (lane.launches) {
        launch_next(lane);
      }
    }
    while (ended_ < count_ * lanes_.size()) {
      Lane* const next = next_to_end();
      if (next != nullptr && (events_.empty() || next->compute_end() <= events_.top().at)) {
        now_ = next->compute_end();
        if (next->pace != 1) {
          next->times.longer[*next->computing] += now_ - next->since - next->to_do;
        }
        finish(*next, *std::exchange(next->computing, {}));
        continue;
      }
      check(!events_.empty(), "a program has no cycle");
      const Event event = events_.top();
      events_.pop();
      now_ = event.at;
      happen(event);
    }
    std::vector<SegmentTimes> times;
    for (Lane& lane : lanes_) {
      times.push_back(std::move(lane.times));
    }
    return times;
  }

 private:
  /// What of the same instant comes first makes no difference.
  enum class What { Ready, Launched, Finished, Change };
  struct Event {
    Seconds at;
    What what = What::Ready;
    std::size_t of = 0;    // segment of the slice, or index of a change
    std::size_t lane = 0;  // not of Finished
    bool operator>(const Event& other) const {
      return std::tie(at, what, of, lane) > std::tie(other.at, other.what, other.of, other.lane);
    }
  };

  /// By segment of the slice what is a vector.
  struct Lane {
    std::size_t number = 0;
    const SegmentCosts* costs = nullptr;
    std::vector<TakenFrom> beside{};
    std::vector<int> waiting_for{};
    std::vector<Seconds> ready{};
    SegmentTimes times{};
    bool launches = false;
    std::size_t next_launch = 0;
    Seconds host_free{};
    GpuShare others{};
    std::optional<std::size_t> computing{};
    Seconds since{}, to_do{};  // of it: what is left of its duration since then
    double pace = 1;

    Seconds compute_end() const { return since + to_do / pace; }
  };

  const Segment& segment(std::size_t i) const { return program_.segments[first_ + i]; }

  void add_lane(LaneStart& start) {
    Lane& lane = lanes_.emplace_back();
    lane.number = lanes_.size() - 1;
    lane.costs = start.costs;
    lane.beside = std::move(start.beside);
    lane.times.stretch = std::move(start.stretch);
    lane.waiting_for = waiting_for_;
    lane.ready.resize(count_, kNever);
    lane.times.start.resize(count_);
    lane.times.finish.resize(count_);
    lane.times.longer.resize(count_);
    lane.times.total = start.entry;
    for (std::size_t i = 0; i < count_; ++i) {
      if (waiting_for_[i] == 0) {
        events_.push({start.entry, What::Ready, i, lane.number});
      }
    }
    for (std::size_t i = 0; i < lane.beside.size(); ++i) {
      events_.push({lane.beside[i].at, What::Change, i, lane.number});
    }
    lane.launches = start.lead && !start.costs->launches.empty();
    if (lane.launches) {
      lane.times.launched.resize(count_, kNever);
      lane.host_free = start.entry - *start.lead;
    }
  }

  void link() {
    SliceWaits waits;
    waits.find(program_, first_, first_ + count_);
    for (std::size_t i = 0; i < count_; ++i) {
      for (const std::uint32_t before : waits.of(i)) {
        after_[before].push_back(i);
        ++waiting_for_[i];
      }
    }
  }

  void happen(const Event& event) {
    Lane& lane = lanes_[event.lane];
    switch (event.what) {
      case What::Ready:
        become_ready(lane, event.of);
        break;
      case What::Launched:
        lane.times.launched[event.of] = lane.host_free = now_;
        come_if_possible(lane, event.of);
        ++lane.next_launch;
        launch_next(lane);
        break;
      case What::Finished:
        std::erase(exchanging_, event.of);
        for (Lane& one : lanes_) {
          change_pace(one);
          finish(one, event.of);
        }
        break;
      case What::Change:
        lane.others = lane.beside[event.of].taken;
        change_pace(lane);
        break;
    }
  }

  void become_ready(Lane& lane, std::size_t i) {
    lane.ready[i] = now_;
    come_if_possible(lane, i);
    if (lane.launches && lane.next_launch == i && waits(lane, i)) {
      launch_next(lane);
    }
  }

  bool waits(const Lane& lane, std::size_t i) const {
    return lane.costs->launches.wait[first_ + i];
  }

  /// The host launches segment by segment, and waits where it has to.
  void launch_next(Lane& lane) {
    const std::size_t i = lane.next_launch;
    if (i == count_ || (waits(lane, i) && lane.ready[i] == kNever)) {
      return;
    }
    const Seconds begin = waits(lane, i) ? std::max(lane.host_free, lane.ready[i]) : lane.host_free;
    events_.push({begin + lane.costs->launches.times[first_ + i], What::Launched, i, lane.number});
  }

  /// Compute starts when its lane has come to it, an exchange when all have.
  void come_if_possible(Lane& lane, std::size_t i) {
    const Seconds ready = lane.ready[i];
    if (ready == kNever || (lane.launches && lane.times.launched[i] == kNever)) {
      return;
    }
    const Seconds start = lane.launches ? std::max(ready, lane.times.launched[i]) : ready;
    lane.times.start[i] = start;
    if (segment(i).is_compute) {
      lane.computing = i;
      lane.since = start;
      lane.to_do = duration_of(lane, i);
      lane.pace = pace_now(lane);
    } else if (--to_come_[i] == 0) {
      start_exchange(i);
    }
  }

  void start_exchange(std::size_t i) {
    Seconds start = lanes_[0].times.start[i];
    for (const Lane& lane : lanes_) {
      start = std::max(start, lane.times.start[i]);
    }
    for (Lane& lane : lanes_) {
      lane.times.start[i] = start;
    }
    const SegmentCosts& costs = *lanes_[0].costs;
    events_.push({start + costs.durations[first_ + i], What::Finished, i});
    if (!costs.taken.empty() && !costs.taken[first_ + i].nothing()) {
      exchanging_.push_back(i);
      for (Lane& lane : lanes_) {
        change_pace(lane);
      }
    }
  }

  void finish(Lane& lane, std::size_t i) {
    lane.times.finish[i] = now_;
    lane.times.total = std::max(lane.times.total, now_);
    ++ended_;
    for (const std::size_t next : after_[i]) {
      if (--lane.waiting_for[next] == 0) {
        become_ready(lane, next);
      }
    }
  }

  // ---- compute

  Seconds duration_of(const Lane& lane, std::size_t i) const {
    const Seconds planned = lane.costs->durations[first_ + i];
    return lane.times.stretch.empty() ? planned : planned * lane.times.stretch[i];
  }

  Lane* next_to_end() {
    Lane* next = nullptr;
    for (Lane& lane : lanes_) {
      if (lane.computing && (next == nullptr || lane.compute_end() < next->compute_end())) {
        next = &lane;
      }
    }
    return next;
  }

  double pace_now(const Lane& lane) const {
    if (lane.costs->bounds.empty()) {
      return 1;
    }
    GpuShare taken = lane.others;
    for (const std::size_t i : exchanging_) {
      taken = taken + lane.costs->taken[first_ + i];
      if (once_) {
        break;
      }
    }
    return pace(lane.costs->bounds[first_ + *lane.computing], taken);
  }

  void change_pace(Lane& lane) {
    if (!lane.computing) {
      return;
    }
    const double pace = pace_now(lane);
    if (pace != lane.pace) {
      const Seconds done = std::min(lane.to_do, (now_ - lane.since) * lane.pace);
      lane.times.longer[*lane.computing] += lane.pace != 1 ? (now_ - lane.since) - done : Seconds{};
      lane.to_do -= done;
      lane.since = now_;
      lane.pace = pace;
    }
  }

  const Program& program_;
  bool once_;
  std::size_t first_, count_;
  std::vector<int> waiting_for_;  // by segment of the slice, as the two below
  std::vector<std::vector<std::size_t>> after_;
  std::vector<std::size_t> to_come_;  // lanes that have not come to an exchange
  std::vector<Lane> lanes_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::size_t ended_ = 0;  // segments of all lanes
  Seconds now_;
  std::vector<std::size_t> exchanging_;  // those that take something
};

}  // namespace

std::vector<SegmentTimes> play_by_events(const Program& program, std::size_t first,
                                         std::size_t last, std::vector<LaneStart> lanes) {
  return EventPlayer(program, first, last, std::move(lanes)).play();
}

Seconds least_pass(const Program& program, const std::vector<Seconds>& durations,
                   const std::vector<Bounds>& bounds, GpuShare taken) {
  if (taken.nothing()) {
    return play_alone(program, 0, program.segments.size(), {.durations = durations}).total;
  }
  SegmentCosts costs{.durations = durations, .launches = {}, .bounds = bounds, .taken = {}};
  for (const Segment& segment : program.segments) {
    costs.taken.push_back(segment.is_compute ? GpuShare{} : taken);
  }
  return EventPlayer(program, 0, program.segments.size(), {{.costs = &costs}}, true)
      .play()
      .front()
      .total;
}

}  // namespace danlu
