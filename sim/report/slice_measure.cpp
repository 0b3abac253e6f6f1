#include "sim/report/slice_measure.hpp"

#include <algorithm>

namespace danlu {
namespace {

/// Pieces come in order of time.
void extend(Intervals& set, Interval piece) {
  if (!set.empty() && set.back().finish == piece.start) {
    set.back().finish = piece.finish;
  } else {
    set.push_back(piece);
  }
}

}  // namespace

SliceMeasure SliceMeasurer::measure(TaskId run, const SegmentTimes& times) {
  const Task& task = graph_.tasks[run];
  sort_out(task.slice, times);
  sums_.clear();
  now_ = {};
  SliceMeasure measured;
  add_compute(task.slice, times, measured.compute_time);
  Sets sets;
  for (Seconds next = next_moment(); next != kNever; next = next_moment()) {
    if (next > now_.time) {
      add_piece({now_.time, next}, measured, sets);
      now_.time = next;
    }
    for (Stream& stream : streams_) {
      while (stream.moment <= now_.time) {
        stream.goes_on ? end(stream) : begin(stream);
      }
    }
  }
  if (times.total > now_.time) {
    extend(sets.idle, {now_.time, times.total});
  }
  measured.compute = Coverage(sets.compute);
  measured.exchanging = Coverage(sets.exchanging);
  measured.hidden = Coverage(sets.hidden);
  if (task.joint) {
    measured.waits = std::move(sets.idle);
  } else {
    measured.waits_for_host = Coverage(sets.idle);
  }
  for (const Axis axis : sets.after_sends.ids()) {
    measured.after_sends[axis] = Coverage(sets.after_sends[axis]);
  }
  measured.by_sort = sums_;
  std::sort(measured.by_sort.begin(), measured.by_sort.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return measured;
}

/// The segments by stream.
void SliceMeasurer::sort_out(const ProgramSlice& slice, const SegmentTimes& times) {
  const Known& known = known_of(slice.program);
  streams_.resize(std::max(streams_.size(), known.streams.size()));
  for (Stream& stream : streams_) {
    stream.stretches.clear();
    stream.next = 0;
    stream.goes_on = false;
    stream.moment = kNever;
  }
  for (std::size_t i = slice.first; i < slice.last; ++i) {
    const std::size_t at = i - slice.first;
    Stream& stream = streams_[known.stream[i]];
    stream.computes = known.compute[i].has_value();
    stream.moment = std::min(stream.moment, times.start[at]);
    stream.stretches.push_back({{times.start[at], times.finish[at]}, known.sort[i], known.axis[i]});
  }
}

/// Segments that compute the same as one: what they take is linear in their stretch.
void SliceMeasurer::add_compute(const ProgramSlice& slice, const SegmentTimes& times,
                                ComputeTime& sum) {
  const Known& known = known_of(slice.program);
  counts_.assign(known.computes.size(), {});
  for (std::size_t i = slice.first; i < slice.last; ++i) {
    const std::size_t at = i - slice.first;
    if (known.compute[i]) {
      Count& count = counts_[*known.compute[i]];
      count.segments += 1;
      count.stretch += times.stretch.empty() ? 1 : times.stretch[at];
      sum[ComputePart::Contention] += times.longer[at];
    }
  }
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const auto& [segments, stretch] = counts_[i];
    if (segments > 0) {
      const ComputeTime& one = graph_.compute_times[known.computes[i]];
      sum.add(times.stretch.empty() ? one : slowed(one, stretch / segments), segments);
    }
  }
}

const SliceMeasurer::Known& SliceMeasurer::known_of(PlayedProgramId id) {
  Known& known = known_[id];
  if (!known.stream.empty()) {
    return known;
  }
  const PlayedProgram& played = graph_.programs[id];
  for (std::size_t i = 0; i < played.program->segments.size(); ++i) {
    const Segment& segment = played.program->segments[i];
    const auto stream = std::find(known.streams.begin(), known.streams.end(), segment.stream());
    known.stream.push_back(static_cast<std::size_t>(stream - known.streams.begin()));
    if (stream == known.streams.end()) {
      known.streams.push_back(segment.stream());
    }
    const std::optional<CommunicationId>& sort = played.communications[i];
    known.sort.push_back(sort.value_or(CommunicationId{}));
    known.axis.push_back(sort ? graph_.communications[*sort].axis : Axis{});
    known.compute.emplace_back();
    if (segment.is_compute) {
      const auto same = std::find(known.computes.begin(), known.computes.end(), played.compute[i]);
      known.compute.back() = static_cast<std::size_t>(same - known.computes.begin());
      if (same == known.computes.end()) {
        known.computes.push_back(played.compute[i]);
      }
    }
  }
  return known;
}

/// When the first of the streams begins or ends a stretch; never: all have ended.
Seconds SliceMeasurer::next_moment() const {
  Seconds next = kNever;
  for (const Stream& stream : streams_) {
    next = std::min(next, stream.moment);
  }
  return next;
}

void SliceMeasurer::begin(Stream& stream) {
  const Stretch& stretch = stream.stretches[stream.next];
  stream.goes_on = true;
  stream.moment = stretch.whole.finish;
  stream.computed = now_.computed;
  if (stream.computes) {
    ++now_.computing;
  } else {
    ++now_.along[stretch.axis];
    ++now_.exchanging;
  }
}

void SliceMeasurer::end(Stream& stream) {
  const Stretch& stretch = stream.stretches[stream.next++];
  stream.goes_on = false;
  stream.moment =
      stream.next < stream.stretches.size() ? stream.stretches[stream.next].whole.start : kNever;
  if (stream.computes) {
    --now_.computing;
    return;
  }
  --now_.along[stretch.axis];
  --now_.exchanging;
  auto sum = std::find_if(sums_.begin(), sums_.end(),
                          [&](const auto& one) { return one.first == stretch.sort; });
  if (sum == sums_.end()) {
    sum = sums_.insert(sums_.end(), {stretch.sort, {}});
  }
  const Seconds time = stretch.whole.finish - stretch.whole.start;
  const Seconds hidden = now_.computed - stream.computed;
  sum->second.add({1, time, std::max(Seconds{}, time - hidden)});
}

/// From one moment to the next.
void SliceMeasurer::add_piece(Interval piece, SliceMeasure& measured, Sets& sets) {
  const Seconds length = piece.finish - piece.start;
  const bool computes = now_.computing > 0;
  if (computes) {
    now_.computed += length;
    extend(sets.compute, piece);
  }
  if (now_.exchanging == 0) {
    if (!computes) {
      extend(sets.idle, piece);
    }
    return;
  }
  extend(sets.exchanging, piece);
  if (computes) {
    extend(sets.hidden, piece);
  }
  bool is_first = true;
  bool after_sends = false;
  for (const auto& [axis, part] : kExposedParts) {
    after_sends = after_sends || axis == Axis::Pipeline;
    if (now_.along[axis] > 0) {
      measured.exchanging_along[axis] += length;
      if (computes) {
        measured.hidden_along[axis] += length;
      } else if (is_first) {
        measured.exposed_along[axis] += length;
        if (after_sends) {
          extend(sets.after_sends[axis], piece);
        }
      }
      is_first = false;
    }
  }
}

}  // namespace danlu
