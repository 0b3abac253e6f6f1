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
  SliceMeasure measured;
  add_compute(task.slice, times, measured.compute_time);
  Sets sets;
  Seconds now;
  for (Seconds next = next_moment(); next != kNever; next = next_moment()) {
    if (next > now) {
      add_piece({now, next}, measured, sets);
      now = next;
    }
    for (Stream& stream : streams_) {
      go_on(stream, now);
    }
  }
  if (times.total > now) {
    extend(sets.idle, {now, times.total});
  }
  measured.compute = Coverage(sets.compute);
  measured.exchanging = Coverage(sets.exchanging);
  measured.hidden = Coverage(sets.hidden);
  if (task.joint) {
    measured.waits = std::move(sets.idle);
  } else {
    measured.for_host = measure_of(sets.idle);
  }
  measured.by_sort = sums_;
  std::sort(measured.by_sort.begin(), measured.by_sort.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  return measured;
}

/// The segments by stream.
void SliceMeasurer::sort_out(const ProgramSlice& slice, const SegmentTimes& times) {
  const PlayedProgram& played = graph_.programs[slice.program];
  for (Stream& stream : streams_) {
    stream.stretches.clear();
    stream.next = 0;
    stream.goes_on = false;
  }
  for (std::size_t i = slice.first; i < slice.last; ++i) {
    const Segment& segment = played.program.segments[i];
    const GroupSort groups = segment.stream();
    auto stream = std::find_if(streams_.begin(), streams_.end(),
                               [&](const Stream& one) { return one.groups == groups; });
    if (stream == streams_.end()) {
      stream = streams_.insert(streams_.end(), {.groups = groups, .computes = segment.is_compute});
    }
    Stretch stretch{.whole = {times.start[i - slice.first], times.finish[i - slice.first]}};
    if (const auto& sort = played.communications[i]) {
      stretch.sort = *sort;
      stretch.axis = graph_.communications[*sort].axis;
    }
    stream->stretches.push_back(stretch);
  }
}

/// Segments that compute the same as one: what they take is linear in their stretch.
void SliceMeasurer::add_compute(const ProgramSlice& slice, const SegmentTimes& times,
                                ComputeTime& sum) {
  const Alike& alike = alike_in(slice.program);
  const std::vector<ComputeTime>& planned = graph_.programs[slice.program].compute;
  counts_.assign(alike.first.size(), {});
  for (std::size_t i = slice.first; i < slice.last; ++i) {
    const std::size_t at = i - slice.first;
    Count& count = counts_[alike.number[i]];
    count.segments += 1;
    count.stretch += times.stretch.empty() ? 1 : times.stretch[at];
    sum[ComputePart::Contention] += times.longer[at];
  }
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    const auto& [segments, stretch] = counts_[i];
    if (segments > 0) {
      const ComputeTime& one = planned[alike.first[i]];
      sum.add(times.stretch.empty() ? one : slowed(one, stretch / segments), segments);
    }
  }
}

const SliceMeasurer::Alike& SliceMeasurer::alike_in(PlayedProgramId program) {
  Alike& alike = alike_[program];
  const std::vector<ComputeTime>& compute = graph_.programs[program].compute;
  if (alike.number.empty()) {
    for (std::size_t i = 0; i < compute.size(); ++i) {
      const auto known = std::find_if(alike.first.begin(), alike.first.end(),
                                      [&](std::size_t one) { return compute[one] == compute[i]; });
      alike.number.push_back(static_cast<std::size_t>(known - alike.first.begin()));
      if (known == alike.first.end()) {
        alike.first.push_back(i);
      }
    }
  }
  return alike;
}

/// When the first of the streams begins or ends a stretch; never: all have ended.
Seconds SliceMeasurer::next_moment() const {
  Seconds next = kNever;
  for (const Stream& stream : streams_) {
    if (stream.next < stream.stretches.size()) {
      const Interval& whole = stream.stretches[stream.next].whole;
      next = std::min(next, stream.goes_on ? whole.finish : whole.start);
    }
  }
  return next;
}

/// Begins and ends what does by now.
void SliceMeasurer::go_on(Stream& stream, Seconds now) {
  for (; stream.next < stream.stretches.size(); ++stream.next) {
    const Stretch& stretch = stream.stretches[stream.next];
    if (!stream.goes_on && stretch.whole.start <= now) {
      stream.goes_on = true;
      stream.exposed = {};
    }
    if (!stream.goes_on || stretch.whole.finish > now) {
      return;
    }
    stream.goes_on = false;
    if (!stream.computes) {
      auto sum = std::find_if(sums_.begin(), sums_.end(),
                              [&](const auto& one) { return one.first == stretch.sort; });
      if (sum == sums_.end()) {
        sum = sums_.insert(sums_.end(), {stretch.sort, {}});
      }
      sum->second.add({1, stretch.whole.finish - stretch.whole.start, stream.exposed});
    }
  }
}

/// From one moment to the next.
void SliceMeasurer::add_piece(Interval piece, SliceMeasure& measured, Sets& sets) {
  const Seconds length = piece.finish - piece.start;
  const bool computes = std::any_of(streams_.begin(), streams_.end(), [](const Stream& stream) {
    return stream.goes_on && stream.computes;
  });
  IdArray<Axis, bool, kAxes> is_along{};
  bool exchanges = false;
  for (Stream& stream : streams_) {
    if (stream.goes_on && !stream.computes) {
      stream.exposed += computes ? Seconds{} : length;
      is_along[stream.stretches[stream.next].axis] = true;
      exchanges = true;
    }
  }
  if (computes) {
    extend(sets.compute, piece);
  }
  if (!exchanges) {
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
  for (const auto& [axis, part] : kExposedParts) {
    if (is_along[axis]) {
      measured.exchanging_along[axis] += length;
      measured.hidden_along[axis] += computes ? length : Seconds{};
      measured.exposed_along[axis] += !computes && is_first ? length : Seconds{};
      is_first = false;
    }
  }
}

}  // namespace danlu
