#include "sim/report/trace.hpp"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "sim/base/error.hpp"
#include "sim/report/activity.hpp"
#include "sim/report/trace_events.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

struct Slice {
  Activity activity;
  TaskId task{};
  int stream = 0;
};

class StepTraceWriter {
 public:
  StepTraceWriter(const StepPlan& plan, const Timeline& timeline, const TraceSelection& selection,
                  const TextSink& out)
      : plan_(plan), reader_(plan.graph, timeline), selection_(selection), events_(out) {}

  void write() {
    find_tasks();
    for (const RankClassId id : selection_.ranks.ids()) {
      if (selection_.ranks[id]) {
        name_ranks(id);
        write_ranks(id);
      }
    }
    events_.finish();
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

  /// The slices of a task that are shown, those of each stream in order of time.
  template <typename Visit>
  void expand(TaskId task, const Visit& visit) {
    const auto shown = [&](const Activity& activity, int stream) {
      if (selection_.shows(activity.action)) {
        visit(Slice{activity, task, stream});
      }
    };
    reader_.expand(task, [&](const Activity& activity) { shown(activity, stream_of(activity)); });
    reader_.expand_host(task, [&](const Activity& launch) { shown(launch, kHost); });
  }

  /// The tasks of every class, in the order in which the first slices of each begin.
  void find_tasks() {
    tasks_.resize(selection_.ranks.size());
    begins_.resize(plan_.graph.tasks.size());
    const auto is_shown = [&](RankClassId id) { return selection_.ranks[id]; };
    for (const TaskId task : plan_.graph.tasks.ids()) {
      const std::span<const RankClassId> participants = plan_.graph.participants.of(task);
      if (std::none_of(participants.begin(), participants.end(), is_shown)) {
        continue;
      }
      begins_[task] = kNever;
      expand(task, [&](const Slice& slice) {
        begins_[task] = std::min(begins_[task], slice.activity.interval.start);
      });
      for (const RankClassId id : participants) {
        if (is_shown(id) && begins_[task] != kNever) {
          tasks_[id].push_back(task);
        }
      }
    }
    for (std::vector<TaskId>& tasks : tasks_) {
      std::stable_sort(tasks.begin(), tasks.end(),
                       [&](TaskId a, TaskId b) { return begins_[a] < begins_[b]; });
    }
  }

  void name_ranks(RankClassId id) {
    const RankClass& ranks = plan_.fold.rank_classes[id];
    events_.add(FMT_COMPILE(R"({{"ph": "M", "name": "process_name", "pid": {}, "args": )"
                            R"({{"name": "stage {}, rank {}, one of {} alike"}}}})"),
                index(id), ranks.stage, index(ranks.representative), ranks.members);
    events_.add(FMT_COMPILE(R"({{"ph": "M", "name": "process_sort_index", "pid": {}, )"
                            R"("args": {{"sort_index": {}}}}})"),
                index(id), ranks.stage);
  }

  /// Expands tasks in order of time, and writes what begins before all that are left.
  void write_ranks(RankClassId id) {
    constexpr std::size_t kAtOnce = 4096;
    lanes_.clear();
    std::vector<Slice> waiting;
    std::size_t enough = kAtOnce;
    const std::vector<TaskId>& tasks = tasks_[id];
    for (auto next = tasks.begin(); next != tasks.end();) {
      for (; next != tasks.end() && waiting.size() < enough; ++next) {
        expand(*next, [&](const Slice& slice) { waiting.push_back(slice); });
      }
      std::stable_sort(waiting.begin(), waiting.end(), [](const Slice& a, const Slice& b) {
        const Seconds one = a.activity.interval.start;
        const Seconds other = b.activity.interval.start;
        return one != other ? one < other : a.task < b.task;
      });
      const Seconds left = next == tasks.end() ? kNever : begins_[*next];
      const auto last = std::partition_point(
          waiting.begin(), waiting.end(),
          [&](const Slice& slice) { return slice.activity.interval.start < left; });
      std::for_each(waiting.begin(), last, [&](const Slice& slice) { write_slice(id, slice); });
      waiting.erase(waiting.begin(), last);
      enough = std::max(kAtOnce, 2 * waiting.size());
    }
  }

  int thread(RankClassId ranks, const Slice& slice) {
    const TraceLanes::Lane lane = lanes_.take(slice.stream, slice.activity.interval);
    if (lane.is_new) {
      const std::string_view name = slice.stream == kHost ? "host"
                                    : slice.stream == 0
                                        ? "compute"
                                        : name_of(static_cast<Axis>(slice.stream - 1));
      events_.add(FMT_COMPILE(R"({{"ph": "M", "name": "thread_name", "pid": {}, "tid": {}, )"
                              R"("args": {{"name": "{}{}"}}}})"),
                  index(ranks), lane.thread, name,
                  lane.number == 0 ? "" : fmt::format(" {}", lane.number + 1));
      events_.add(FMT_COMPILE(R"({{"ph": "M", "name": "thread_sort_index", "pid": {}, "tid": {}, )"
                              R"("args": {{"sort_index": {}}}}})"),
                  index(ranks), lane.thread, slice.stream == kHost ? -1 : lane.thread);
    }
    return lane.thread;
  }

  void write_slice(RankClassId ranks, const Slice& slice) {
    const Activity& activity = slice.activity;
    const int tid = thread(ranks, slice);
    const TraceTime time(activity.interval);
    events_.begin();
    events_.append(FMT_COMPILE(R"({{"ph": "X", "name": "{}", "cat": "{}", "pid": {}, "tid": {}, )"
                               R"("ts": {}, "dur": {}, "args": {{)"),
                   activity.name,
                   activity.compute != nullptr ? "compute"
                   : activity.communication    ? "communication"
                                               : "host",
                   index(ranks), tid, time.begin, time.duration);
    if (const std::optional<Action>& action = activity.action) {
      events_.append(FMT_COMPILE(R"("microbatch": {}, "action": "{}{}{}")"), action->microbatch,
                     action->chunk, row_named(action->kind).letter, action->microbatch);
    }
    if (!activity.pass.empty()) {
      events_.append(FMT_COMPILE(R"(, "pass": "{}")"), activity.pass);
    }
    const std::string_view comma = activity.action ? ", " : "";
    if (activity.compute != nullptr) {
      events_.append(FMT_COMPILE("{}{}"), comma, work_text(activity.compute->model_flops));
    }
    if (activity.communication) {
      events_.append(FMT_COMPILE("{}{}"), comma, communication_text(*activity.communication));
    }
    events_.append("}}");
  }

  // Fractions take long to write, and are few.
  const std::string& work_text(Flops flops) {
    std::string& text = work_texts_[flops.value];
    if (text.empty()) {
      text = fmt::format(R"("model_gflop": {:.3f})", flops.value / 1e9);
    }
    return text;
  }
  const std::string& communication_text(CommunicationId id) {
    communication_texts_.resize(plan_.graph.communications.size());
    std::string& text = communication_texts_[id];
    if (text.empty()) {
      const Communication& made = plan_.graph.communications[id];
      text = fmt::format(R"("operation": "{}", "bytes": {:.0f}, "ranks": {})",
                         collective_name(made.op), made.bytes_per_rank.value, made.group_size);
    }
    return text;
  }

  const StepPlan& plan_;
  ActivityReader reader_;
  const TraceSelection& selection_;
  TraceEvents events_;
  IdVector<RankClassId, std::vector<TaskId>> tasks_;
  IdVector<TaskId, Seconds> begins_;  // the first slice of a task that is shown
  TraceLanes lanes_;
  std::unordered_map<double, std::string> work_texts_;
  IdVector<CommunicationId, std::string> communication_texts_;
};

/// What StepTraceWriter::expand makes of a task, counted before it is played.
double slices_of(const TaskGraph& graph, const Task& task, const TraceSelection& selection) {
  const double of_action = selection.shows(task.action) ? 1 : 0;
  switch (task.kind) {
    case TaskKind::Compute:
    case TaskKind::Communication:
      return of_action;
    case TaskKind::Host:
      return task.is_of_run ? 0 : of_action;
    case TaskKind::Run:
      break;
  }
  const std::vector<Segment>& segments = graph.programs[task.slice.program].program->segments;
  const double launches = task.launched == LaunchedBy::Ahead ? 0 : of_action;
  double slices = 0;
  for (std::size_t i = task.slice.first; i < task.slice.last; ++i) {
    slices += launches + (selection.shows(segments[i].beside ? task.beside : task.action) ? 1 : 0);
  }
  return slices;
}

}  // namespace

TraceSelection whole_step(const StepPlan& plan) {
  return {.ranks = IdVector<RankClassId, bool>(plan.fold.rank_classes.size(), true)};
}

void write_trace(const StepPlan& plan, const Timeline& timeline, const TraceSelection& selection,
                 const TextSink& out) {
  check(timeline.rounds.more == 0, "a trace shows every task, so none of them may be counted");
  StepTraceWriter(plan, timeline, selection, out).write();
}

double trace_slices(const StepPlan& plan, const TraceSelection& selection) {
  double slices = 0;
  for (const TaskId id : plan.graph.tasks.ids()) {
    double shown = 0;
    for (const RankClassId ranks : plan.graph.participants.of(id)) {
      shown += selection.ranks[ranks] ? 1 : 0;
    }
    slices += shown > 0 ? shown * slices_of(plan.graph, plan.graph.tasks[id], selection) : 0;
  }
  return slices;
}

}  // namespace danlu
