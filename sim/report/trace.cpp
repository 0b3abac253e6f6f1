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
  StepTraceWriter(const StepPlan& plan, const Timeline& timeline,
                  const IdVector<RankClassId, bool>& traced, std::ostream& out)
      : plan_(plan), reader_(plan.graph, timeline), traced_(traced), out_(out) {}

  void write() {
    out_ << "{\"displayTimeUnit\": \"ms\", \"traceEvents\": [\n";
    collect();
    for (const RankClassId id : slices_.ids()) {
      if (traced_[id]) {
        write_ranks(id);
      }
    }
    out_ << "\n]}\n";
  }

 private:
  /// Streams: 0 is compute, then one for every kind of communication, then the host, shown first.
  static constexpr int kHost = 1 + static_cast<int>(kAxes);
  int stream_of(const Activity& activity) const {
    if (activity.compute != nullptr) {
      return 0;
    }
    return 1 + static_cast<int>(plan_.graph.communications[*activity.communication].axis);
  }

  void collect() {
    slices_.resize(plan_.fold.rank_classes.size());
    const auto is_traced = [&](RankClassId id) { return traced_[id]; };
    for (const TaskId task : plan_.graph.tasks.ids()) {
      const std::vector<RankClassId>& participants = plan_.graph.participants[task];
      if (std::none_of(participants.begin(), participants.end(), is_traced)) {
        continue;
      }
      const auto collect_as = [&](const Activity& activity, int stream) {
        for (const RankClassId id : participants) {
          if (traced_[id]) {
            slices_[id].push_back({activity, stream});
          }
        }
      };
      reader_.expand(task,
                     [&](const Activity& activity) { collect_as(activity, stream_of(activity)); });
      reader_.expand_host(task, [&](const Activity& launch) { collect_as(launch, kHost); });
    }
  }

  void event(const std::string& text) {
    out_ << (first_ ? "" : ",\n") << text;
    first_ = false;
  }

  void write_ranks(RankClassId id) {
    const RankClass& ranks = plan_.fold.rank_classes[id];
    event(fmt::format(R"({{"ph": "M", "name": "process_name", "pid": {}, "args": )"
                      R"({{"name": "stage {}, rank {}, one of {} alike"}}}})",
                      index(id), ranks.stage, index(ranks.representative), ranks.members));
    event(fmt::format(R"({{"ph": "M", "name": "process_sort_index", "pid": {}, )"
                      R"("args": {{"sort_index": {}}}}})",
                      index(id), ranks.stage));
    std::vector<Slice>& slices = slices_[id];
    std::stable_sort(slices.begin(), slices.end(), [](const Slice& a, const Slice& b) {
      return a.activity.interval.start < b.activity.interval.start;
    });
    lane_ends_.clear();
    for (const Slice& slice : slices) {
      write_slice(id, slice);
    }
  }

  /// The first lane of the stream that is free at `start`.
  int lane(RankClassId ranks, int stream, Interval interval) {
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
    const std::string_view name = stream == kHost ? "host"
                                  : stream == 0   ? "compute"
                                                  : name_of(static_cast<Axis>(stream - 1));
    event(fmt::format(R"({{"ph": "M", "name": "thread_name", "pid": {}, "tid": {}, "args": )"
                      R"({{"name": "{}{}"}}}})",
                      index(ranks), thread, name,
                      number == 0 ? "" : fmt::format(" {}", number + 1)));
    event(fmt::format(R"({{"ph": "M", "name": "thread_sort_index", "pid": {}, "tid": {}, )"
                      R"("args": {{"sort_index": {}}}}})",
                      index(ranks), thread, stream == kHost ? -1 : thread));
    return thread;
  }

  void write_slice(RankClassId ranks, const Slice& slice) {
    const Activity& activity = slice.activity;
    const TraceTime time(activity.interval.start, activity.interval.finish);
    std::string arguments;
    if (activity.action) {
      arguments = fmt::format(R"("microbatch": {}, "action": "{}")", activity.action->microbatch,
                              activity.action->text());
    }
    if (!activity.pass.empty()) {
      arguments += fmt::format(R"(, "pass": "{}")", activity.pass);
    }
    if (activity.compute != nullptr) {
      arguments += fmt::format(R"({}"model_gflop": {:.3f})", arguments.empty() ? "" : ", ",
                               activity.compute->model_flops.value / 1e9);
    }
    if (activity.communication) {
      const Communication& made = plan_.graph.communications[*activity.communication];
      arguments += fmt::format(R"({}"operation": "{}", "bytes": {:.0f}, "ranks": {})",
                               arguments.empty() ? "" : ", ", collective_name(made.op),
                               made.bytes_per_rank.value, made.group_size);
    }
    event(fmt::format(R"({{"ph": "X", "name": "{}", "cat": "{}", "pid": {}, "tid": {}, "ts": {}, )"
                      R"("dur": {}, "args": {{{}}}}})",
                      activity.name,
                      activity.compute != nullptr ? "compute"
                      : activity.communication    ? "communication"
                                                  : "host",
                      index(ranks), lane(ranks, slice.stream, activity.interval), time.begin,
                      time.duration, arguments));
  }

  const StepPlan& plan_;
  ActivityReader reader_;
  const IdVector<RankClassId, bool>& traced_;
  std::ostream& out_;
  IdVector<RankClassId, std::vector<Slice>> slices_;
  std::map<int, std::vector<Seconds>> lane_ends_;
  bool first_ = true;
};

}  // namespace

void write_trace(const StepPlan& plan, const Timeline& timeline,
                 const IdVector<RankClassId, bool>& traced, std::ostream& out) {
  StepTraceWriter(plan, timeline, traced, out).write();
}

double trace_slices(const StepPlan& plan, const IdVector<RankClassId, bool>& traced) {
  double slices = 0;
  for (const TaskId id : plan.graph.tasks.ids()) {
    const Task& task = plan.graph.tasks[id];
    const double own =
        task.kind == TaskKind::Run ? static_cast<double>(task.slice.last - task.slice.first) : 1;
    for (const RankClassId ranks : plan.graph.participants[id]) {
      slices += traced[ranks] ? own : 0;
    }
  }
  return slices;
}

}  // namespace danlu
