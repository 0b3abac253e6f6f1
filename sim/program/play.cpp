#include "sim/program/play.hpp"

#include <set>
#include <utility>

#include "sim/program/play_by_events.hpp"
#include "sim/program/play_in_order.hpp"

namespace danlu {

SegmentTimes play_alone(const Program& program, std::size_t first, std::size_t last,
                        const SegmentCosts& costs, std::optional<Seconds> lead,
                        const std::vector<TakenFrom>& beside) {
  return std::move(
      play_together(program, first, last, {{.costs = &costs, .lead = lead, .beside = beside}})[0]);
}

std::vector<SegmentTimes> play_together(const Program& program, std::size_t first, std::size_t last,
                                        std::vector<LaneStart> lanes) {
  OrderPlayer in_order;
  return in_order.play(program, first, last, lanes)
             ? std::move(in_order.times())
             : play_by_events(program, first, last, std::move(lanes));
}

LanePlayer::LanePlayer() : in_order_(std::make_unique<OrderPlayer>()) {}
LanePlayer::~LanePlayer() = default;

std::vector<SegmentTimes>& LanePlayer::play(const Program& program, std::size_t first,
                                            std::size_t last, const std::vector<LaneStart>& lanes) {
  if (in_order_->play(program, first, last, lanes)) {
    return in_order_->times();
  }
  by_events_ = play_by_events(program, first, last, lanes);
  return by_events_;
}

bool begins_together(const Program& program, std::size_t first, std::size_t last) {
  if (first == last || program.segments[first].is_compute) {
    return false;
  }
  std::set<GroupSort> streams;  // that wait for it
  for (std::size_t i = first; i < last; ++i) {
    const Segment& segment = program.segments[i];
    const bool waits = i == first || streams.contains(segment.stream()) ||
                       std::any_of(segment.after.begin(), segment.after.end(),
                                   [&](std::size_t before) { return before >= first; });
    if (!waits) {
      return false;
    }
    streams.insert(segment.stream());
  }
  return true;
}

std::size_t first_meeting(const Program& program, std::size_t first, std::size_t last) {
  std::size_t at = first;
  while (at < last && program.segments[at].is_compute) {
    ++at;
  }
  // All compute before it is one stream, of which it has to wait for the last.
  const bool waits_for_all =
      at == first ||
      (at < last && std::find(program.segments[at].after.begin(), program.segments[at].after.end(),
                              at - 1) != program.segments[at].after.end());
  return at < last && waits_for_all && begins_together(program, at, last) ? at : last;
}

}  // namespace danlu
