// Chrome trace JSON (Perfetto, chrome://tracing): a process for each played class of ranks, a
// thread for each stream. Slices of one thread must nest, so communications that overlap go to
// further lanes.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "sim/report/activity.hpp"
#include "sim/report/trace_time.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

struct Slice {
  Activity activity;
  int stream = 0;
};

class StepTraceWriter {
 public:
  StepTraceWriter(const StepPlan& plan, const Timeline& timeline, const std::vector<bool>& traced,
                  std::ostream& out)
      : plan_(plan), reader_(plan.graph, timeline), traced_(traced), out_(out) {}

  void write() {
    out_ << "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n";
    collect();
    for (std::size_t unit = 0; unit < slices_.size(); ++unit) {
      if (traced_[unit]) {
        write_unit(unit);
      }
    }
    out_ << "\n]}\n";
  }

 private:
  /// Streams: 0 is compute, then one for every kind of communication.
  int stream_of(const Activity& activity) const {
    if (activity.compute != nullptr) {
      return 0;
    }
    const auto info = static_cast<std::size_t>(activity.info);
    return 1 + static_cast<int>(plan_.graph.communications[info].axis);
  }

  void collect() {
    slices_.resize(plan_.fold.units.size());
    for (std::size_t i = 0; i < plan_.graph.tasks.size(); ++i) {
      const std::vector<int>& units = plan_.graph.participants[i];
      if (std::none_of(units.begin(), units.end(), [&](int unit) { return is_traced(unit); })) {
        continue;
      }
      reader_.expand(make_id<TaskId>(i), [&](const Activity& activity) {
        for (const int unit : units) {
          if (!is_traced(unit)) {
            continue;
          }
          slices_[static_cast<std::size_t>(unit)].push_back({activity, stream_of(activity)});
        }
      });
    }
  }

  bool is_traced(int unit) const { return traced_[static_cast<std::size_t>(unit)]; }

  void event(const std::string& text) {
    out_ << (first_ ? "" : ",\n") << text;
    first_ = false;
  }

  void write_unit(std::size_t unit) {
    const RankClass& ranks = plan_.fold.units[unit];
    event(fmt::format(R"({{"ph": "M", "name": "process_name", "pid": {}, "args": )"
                      R"({{"name": "stage {}, rank {}, one of {} alike"}}}})",
                      unit, ranks.stage, ranks.representative, ranks.members));
    event(fmt::format(R"({{"ph": "M", "name": "process_sort_index", "pid": {}, )"
                      R"("args": {{"sort_index": {}}}}})",
                      unit, ranks.stage));
    std::vector<Slice>& slices = slices_[unit];
    std::stable_sort(slices.begin(), slices.end(), [](const Slice& a, const Slice& b) {
      return a.activity.interval.start < b.activity.interval.start;
    });
    lane_ends_.clear();
    for (const Slice& slice : slices) {
      write_slice(unit, slice);
    }
  }

  /// The first lane of the stream that is free at `start`.
  int lane(std::size_t unit, int stream, Interval interval) {
    constexpr int kLanes = 1000;
    std::vector<Seconds>& ends = lane_ends_[stream];
    const auto free =
        std::find_if(ends.begin(), ends.end(), [&](Seconds end) { return end <= interval.start; });
    const auto number = static_cast<int>(free - ends.begin());
    const int thread = stream * kLanes + number;
    if (free != ends.end()) {
      *free = interval.finish;
      return thread;
    }
    ends.push_back(interval.finish);
    const std::string_view name = stream == 0 ? "compute" : name_of(static_cast<Axis>(stream - 1));
    event(fmt::format(R"({{"ph": "M", "name": "thread_name", "pid": {}, "tid": {}, "args": )"
                      R"({{"name": "{}{}"}}}})",
                      unit, thread, name, number == 0 ? "" : fmt::format(" {}", number + 1)));
    event(fmt::format(R"({{"ph": "M", "name": "thread_sort_index", "pid": {}, "tid": {}, )"
                      R"("args": {{"sort_index": {}}}}})",
                      unit, thread, thread));
    return thread;
  }

  void write_slice(std::size_t unit, const Slice& slice) {
    const Activity& activity = slice.activity;
    const TraceTime time(activity.interval.start, activity.interval.finish);
    std::string arguments;
    if (activity.microbatch >= 0) {
      arguments = fmt::format(R"("microbatch": {})", activity.microbatch);
    }
    if (!activity.pass.empty()) {
      arguments += fmt::format(R"(, "pass": "{}")", activity.pass);
    }
    if (activity.compute != nullptr) {
      arguments += fmt::format(R"({}"model_gflop": {:.3f})", arguments.empty() ? "" : ", ",
                               activity.compute->model_flops.value / 1e9);
    }
    if (activity.info >= 0) {
      const auto& info = plan_.graph.communications[static_cast<std::size_t>(activity.info)];
      arguments += fmt::format(R"({}"operation": "{}", "bytes": {:.0f}, "ranks": {})",
                               arguments.empty() ? "" : ", ", collective_name(info.op),
                               info.bytes_per_rank.value, info.group_size);
    }
    event(fmt::format(R"({{"ph": "X", "name": "{}", "cat": "{}", "pid": {}, "tid": {}, "ts": {}, )"
                      R"("dur": {}, "args": {{{}}}}})",
                      activity.name, activity.compute != nullptr ? "compute" : "communication",
                      unit, lane(unit, slice.stream, activity.interval), time.begin, time.duration,
                      arguments));
  }

  const StepPlan& plan_;
  ActivityReader reader_;
  const std::vector<bool>& traced_;  // by class of ranks
  std::ostream& out_;
  std::vector<std::vector<Slice>> slices_;
  std::map<int, std::vector<Seconds>> lane_ends_;
  bool first_ = true;
};

}  // namespace

void write_trace(const StepPlan& plan, const Timeline& timeline, const std::vector<bool>& traced,
                 std::ostream& out) {
  StepTraceWriter(plan, timeline, traced, out).write();
}

double trace_slices(const StepPlan& plan, const std::vector<bool>& traced) {
  double slices = 0;
  for (std::size_t i = 0; i < plan.graph.tasks.size(); ++i) {
    const Task& task = plan.graph.tasks[i];
    const int own = task.kind == TaskKind::Run ? task.slice.last - task.slice.first : 1;
    for (const int unit : plan.graph.participants[i]) {
      slices += traced[static_cast<std::size_t>(unit)] ? own : 0;
    }
  }
  return slices;
}

}  // namespace danlu
