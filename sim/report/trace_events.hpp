// Inside sim/report: what traces have in common. Chrome trace JSON, as Perfetto and
// chrome://tracing read it, is a list of events, a line each; it goes out in pieces, so that no
// trace is held whole. Slices of one thread must nest, so those of a row that overlap are on lanes:
//
//   row    lane 0  | a    |    | c    |
//          lane 1      | b      |
#pragma once

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "sim/base/text_sink.hpp"
#include "sim/base/units.hpp"
#include "sim/report/intervals.hpp"

namespace danlu {

/// An instant or a stretch of time in a trace, which is in microseconds with three decimals.
struct TraceNanoseconds {
  long long value = 0;
};

/// Begin and end are rounded alike, to nanoseconds, and the duration is what lies between them:
/// where one slice begins as another ends, they touch and never overlap.
struct TraceTime {
  explicit TraceTime(Interval interval)
      : begin{rounded(interval.start)}, duration{rounded(interval.finish) - begin.value} {}
  static long long rounded(Seconds time) { return std::llround(time.value * 1e9); }

  TraceNanoseconds begin, duration;
};

/// The list of events, on its way to `out`.
class TraceEvents {
 public:
  explicit TraceEvents(const TextSink& out) : text_(out) {
    text_.append(R"({"displayTimeUnit": "ms", "traceEvents": [)");
  }

  /// The next event, whole ...
  template <typename Format, typename... Arguments>
  void add(const Format& format, const Arguments&... arguments) {
    begin();
    append(format, arguments...);
  }
  /// ... or begun, and then its parts.
  void begin() {
    text_.append(first_ ? "\n" : ",\n");
    first_ = false;
  }
  template <typename... Arguments>
  void append(const Arguments&... arguments) {
    text_.append(arguments...);
  }

  /// After the last event.
  void finish() {
    text_.append("\n]}\n");
    text_.pass_on();
  }

 private:
  TextPieces text_;
  bool first_ = true;
};

/// Which lanes of which rows are taken until when. Slices come in order of their start.
class TraceLanes {
 public:
  struct Lane {
    int thread = 0;  // of the trace
    int number = 0;  // in its row
    bool is_new = false;
  };
  /// The first lane of the row that is free when the slice begins.
  Lane take(int row, Interval slice) {
    constexpr int kLanes = 1000;
    std::vector<Seconds>& ends = ends_[row];
    const auto free =
        std::find_if(ends.begin(), ends.end(), [&](Seconds end) { return end <= slice.start; });
    const auto number = static_cast<int>(free - ends.begin());
    const bool is_new = free == ends.end();
    if (is_new) {
      ends.push_back(slice.finish);
    } else {
      *free = slice.finish;
    }
    return {row * kLanes + number, number, is_new};
  }
  void clear() { ends_.clear(); }

 private:
  std::map<int, std::vector<Seconds>> ends_;
};

}  // namespace danlu

/// "1.499"
template <>
struct fmt::formatter<danlu::TraceNanoseconds> {
  static constexpr auto parse(fmt::format_parse_context& context) { return context.begin(); }
  template <typename Context>
  auto format(danlu::TraceNanoseconds time, Context& context) const {
    return fmt::format_to(context.out(), FMT_COMPILE("{}.{:03}"), time.value / 1000,
                          time.value % 1000);
  }
};
