#include "sim/program/play_in_order.hpp"

#include <algorithm>

namespace danlu {

bool OrderPlayer::play(const Program& program, std::size_t first, std::size_t last,
                       const std::vector<LaneStart>& lanes) {
  first_ = first;
  waits_.find(program, first, last);
  taking_.clear();
  begin(last - first, lanes);
  for (std::size_t i = 0; i < last - first; ++i) {
    if (program.segments[first + i].is_compute) {
      for (Lane& lane : lanes_) {
        compute(lane, i);
      }
    } else if (!exchange(i)) {
      return false;
    }
  }
  return true;
}

/// Room that was there before is kept.
void OrderPlayer::begin(std::size_t segments, const std::vector<LaneStart>& lanes) {
  times_.resize(lanes.size());
  lanes_.clear();
  for (std::size_t i = 0; i < lanes.size(); ++i) {
    const LaneStart& start = lanes[i];
    SegmentTimes& times = times_[i];
    times.start.resize(segments);
    times.finish.resize(segments);
    times.longer.assign(segments, Seconds{});
    times.stretch = start.stretch;
    const bool launches = start.lead && !start.costs->launches.empty();
    times.launched.resize(launches ? segments : 0);
    lanes_.push_back({.start = &start,
                      .times = &times,
                      .launches = launches,
                      .host_free = launches ? start.entry - *start.lead : Seconds{},
                      .computed = start.entry});
    times.total = start.entry;
  }
}

/// When a lane has come to a segment.
Seconds OrderPlayer::come(Lane& lane, std::size_t i) {
  Seconds ready = lane.start->entry;
  for (const std::uint32_t before : waits_.of(i)) {
    ready = std::max(ready, lane.times->finish[before]);
  }
  if (lane.launches) {
    const Launches& launches = lane.start->costs->launches;
    lane.host_free =
        (launches.wait[first_ + i] ? std::max(lane.host_free, ready) : lane.host_free) +
        launches.times[first_ + i];
    lane.times->launched[i] = lane.host_free;
    ready = std::max(ready, lane.host_free);
  }
  return ready;
}

void OrderPlayer::compute(Lane& lane, std::size_t i) {
  const LaneStart& start = *lane.start;
  const Seconds planned = start.costs->durations[first_ + i];
  const Seconds alone = start.stretch.empty() ? planned : planned * start.stretch[i];
  const Seconds begin = come(lane, i);
  const bool by_itself = taking_.empty() && start.beside.empty();
  lane.computed =
      by_itself || start.costs->bounds.empty() ? begin + alone : slowed_end(lane, i, begin, alone);
  lane.pass(i, begin, lane.computed);
}

/// From change to change of what is taken.
Seconds OrderPlayer::slowed_end(Lane& lane, std::size_t i, Seconds now, Seconds left) {
  const std::vector<TakenFrom>& beside = lane.start->beside;
  while (lane.step < beside.size() && beside[lane.step].at <= now) {
    ++lane.step;
  }
  const Bounds& bounds = lane.start->costs->bounds[first_ + i];
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
    lane.times->longer[i] += pace_now != 1 ? (until - now) * (1 - pace_now) : Seconds{};
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
bool OrderPlayer::exchange(std::size_t i) {
  Seconds begin = come(lanes_[0], i);
  for (std::size_t lane = 1; lane < lanes_.size(); ++lane) {
    begin = std::max(begin, come(lanes_[lane], i));
  }
  const SegmentCosts& costs = *lanes_[0].start->costs;
  const Seconds finish = begin + costs.durations[first_ + i];
  for (Lane& lane : lanes_) {
    lane.pass(i, begin, finish);
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

}  // namespace danlu
