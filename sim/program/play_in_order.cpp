#include "sim/program/play_in_order.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include "sim/program/slice_waits.hpp"

namespace danlu {
namespace {

/// The slice as far as it is known. One class, since each segment goes on from the times of those
/// before it.
class OrderPlayer {
 public:
  OrderPlayer(const Program& program, std::size_t first, std::size_t last,
              const std::vector<LaneStart>& lanes)
      : program_(program), first_(first), count_(last - first), starts_(lanes) {
    for (const LaneStart& start : lanes) {
      Lane& lane = lanes_.emplace_back();
      lane.times.start.resize(count_);
      lane.times.finish.resize(count_);
      lane.times.longer.resize(count_);
      lane.times.total = start.entry;
      lane.computed = start.entry;
      if (start.lead && !start.costs->launches.empty()) {
        lane.times.launched.resize(count_);
        lane.host_free = start.entry - *start.lead;
      }
    }
  }

  std::optional<std::vector<SegmentTimes>> play() {
    const Lists<SliceSegmentId, SliceSegmentId> waits = waits_of(program_, first_, first_ + count_);
    for (std::size_t i = 0; i < count_; ++i) {
      for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
        come(lane, i, waits.of(make_id<SliceSegmentId>(i)));
      }
      if (program_.segments[first_ + i].is_compute) {
        for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
          compute(lane, i);
        }
      } else if (!exchange(i)) {
        return {};
      }
    }
    std::vector<SegmentTimes> times;
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
      times.push_back(std::move(lanes_[lane].times));
      times.back().stretch = starts_[lane].stretch;
    }
    return times;
  }

 private:
  struct Lane {
    SegmentTimes times{};
    Seconds host_free{};
    Seconds computed{};    // its last stretch of compute has ended
    std::size_t step = 0;  // of what others take, the first one after `computed`
  };
  /// An exchange that takes from compute beside it.
  struct Taking {
    Seconds start, finish;
    GpuShare taken;
  };

  /// When a lane has come to a segment: stands as its start.
  void come(std::size_t number, std::size_t i, std::span<const SliceSegmentId> waits) {
    Lane& lane = lanes_[number];
    Seconds ready = starts_[number].entry;
    for (const SliceSegmentId before : waits) {
      ready = std::max(ready, lane.times.finish[index(before)]);
    }
    if (!lane.times.launched.empty()) {
      const Launches& launches = starts_[number].costs->launches;
      lane.host_free =
          (launches.wait[first_ + i] ? std::max(lane.host_free, ready) : lane.host_free) +
          launches.times[first_ + i];
      lane.times.launched[i] = lane.host_free;
      ready = std::max(ready, lane.host_free);
    }
    lane.times.start[i] = ready;
  }

  void compute(std::size_t number, std::size_t i) {
    Lane& lane = lanes_[number];
    const LaneStart& start = starts_[number];
    const Seconds planned = start.costs->durations[first_ + i];
    const Seconds alone = start.stretch.empty() ? planned : planned * start.stretch[i];
    lane.computed =
        start.costs->bounds.empty() ? lane.times.start[i] + alone : slowed_end(number, i, alone);
    end(lane, i, lane.computed);
  }

  /// From change to change of what is taken.
  Seconds slowed_end(std::size_t number, std::size_t i, Seconds left) {
    Lane& lane = lanes_[number];
    Seconds now = lane.times.start[i];
    const std::vector<TakenFrom>& beside = starts_[number].beside;
    while (lane.step < beside.size() && beside[lane.step].at <= now) {
      ++lane.step;
    }
    const Bounds& bounds = starts_[number].costs->bounds[first_ + i];
    for (std::size_t step = lane.step;;) {
      Seconds change = step < beside.size() ? beside[step].at : kNever;
      GpuShare taken = step > 0 ? beside[step - 1].taken : GpuShare{};
      for (const Taking& one : taking_) {
        if (one.start > now) {
          change = std::min(change, one.start);
        } else if (one.finish > now) {
          change = std::min(change, one.finish);
          taken = taken + one.taken;
        }
      }
      const double pace_now = taken.nothing() ? 1 : pace(bounds, taken);
      const Seconds end = now + left / pace_now;
      const Seconds until = std::min(end, change);
      lane.times.longer[i] += pace_now != 1 ? (until - now) * (1 - pace_now) : Seconds{};
      if (end <= change) {
        return end;
      }
      left = std::max(Seconds{}, left - (change - now) * pace_now);
      now = change;
      while (step < beside.size() && beside[step].at <= now) {
        ++step;
      }
    }
  }

  /// False where it would have slowed what was taken for known.
  bool exchange(std::size_t i) {
    Seconds begin = lanes_[0].times.start[i];
    for (const Lane& lane : lanes_) {
      begin = std::max(begin, lane.times.start[i]);
    }
    const SegmentCosts& costs = *starts_[0].costs;
    const Seconds finish = begin + costs.durations[first_ + i];
    for (Lane& lane : lanes_) {
      lane.times.start[i] = begin;
      end(lane, i, finish);
    }
    if (costs.taken.empty() || costs.taken[first_ + i].nothing()) {
      return true;
    }
    Seconds all_computed = kNever;
    bool is_late = false;
    for (const Lane& lane : lanes_) {
      all_computed = std::min(all_computed, lane.computed);
      is_late = is_late || lane.computed > begin;
    }
    std::erase_if(taking_, [&](const Taking& one) { return one.finish <= all_computed; });
    taking_.push_back({begin, finish, costs.taken[first_ + i]});
    return !is_late;
  }

  static void end(Lane& lane, std::size_t i, Seconds finish) {
    lane.times.finish[i] = finish;
    lane.times.total = std::max(lane.times.total, finish);
  }

  const Program& program_;
  std::size_t first_, count_;
  const std::vector<LaneStart>& starts_;
  std::vector<Lane> lanes_;
  std::vector<Taking> taking_;  // those that may still go on beside compute
};

}  // namespace

std::optional<std::vector<SegmentTimes>> play_in_order(const Program& program, std::size_t first,
                                                       std::size_t last,
                                                       const std::vector<LaneStart>& lanes) {
  return OrderPlayer(program, first, last, lanes).play();
}

}  // namespace danlu
