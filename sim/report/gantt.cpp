#include "sim/report/gantt.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "sim/base/error.hpp"
#include "sim/base/plot_scale.hpp"
#include "sim/report/activity.hpp"
#include "sim/report/plan_text.hpp"
#include "sim/report/report.hpp"

namespace danlu {
namespace {

/// Stages to draw: all, or evenly spread ones with the first and the last.
std::vector<int> drawn_stages(int stages) {
  const int drawn = std::min(stages, kMostGanttRows);
  std::vector<int> chosen;
  for (int i = 0; i < drawn; ++i) {
    chosen.push_back(drawn == 1 ? 0 : (i * (stages - 1) + (drawn - 1) / 2) / (drawn - 1));
  }
  return chosen;
}

/// When each action of a class of ranks began and ended.
using PassTimes = std::map<Action, Interval>;

/// What one class of ranks computes and exchanges, with the action that it is for.
struct Doings {
  struct Stretch {
    Interval interval;
    std::optional<Action> action;
  };
  std::vector<Stretch> compute;
  IdArray<Axis, std::vector<Stretch>, kAxes> exchanges;
};

bool starts_sooner(const Doings::Stretch& a, const Doings::Stretch& b) {
  return a.interval.start < b.interval.start;
}

Intervals united(const std::vector<Doings::Stretch>& stretches) {
  std::vector<Interval> intervals;
  for (const Doings::Stretch& stretch : stretches) {
    intervals.push_back(stretch.interval);
  }
  return unite(std::move(intervals));
}

/// What the exchange is for that is under way at `time`: of `stretches`, which are in order, the
/// last to begin.
std::optional<Action> action_at(const std::vector<Doings::Stretch>& stretches, Seconds time) {
  const auto after = std::upper_bound(stretches.begin(), stretches.end(),
                                      Doings::Stretch{{time, time}, {}}, starts_sooner);
  return after == stretches.begin() ? std::nullopt : std::prev(after)->action;
}

/// Puts what touches and is drawn alike together.
std::vector<GanttSpan> joined(std::vector<GanttSpan> spans) {
  std::stable_sort(spans.begin(), spans.end(), [](const GanttSpan& a, const GanttSpan& b) {
    return a.interval.start < b.interval.start;
  });
  std::vector<GanttSpan> joined;
  for (const GanttSpan& span : spans) {
    if (!joined.empty() && joined.back().goes_on_in(span) &&
        span.interval.start <= joined.back().interval.finish) {
      joined.back().interval.finish = std::max(joined.back().interval.finish, span.interval.finish);
    } else {
      joined.push_back(span);
    }
  }
  return joined;
}

/// As the report's partition of time has it: computing goes before communicating, and of the kinds
/// of communication those that come first in kExposedParts.
std::vector<GanttSpan> spans_of(Doings doings, Seconds end) {
  std::vector<GanttSpan> spans;
  for (const auto& [interval, action] : doings.compute) {
    if (interval.start < interval.finish) {
      const GanttSpan::Kind kind = action ? GanttSpan::Kind::Pass : GanttSpan::Kind::Update;
      spans.push_back({.interval = interval, .kind = kind, .action = action});
    }
  }
  Intervals idle = subtract({{Seconds{}, end}}, united(doings.compute));
  for (const auto& [axis, part] : kExposedParts) {
    std::vector<Doings::Stretch>& exchanges = doings.exchanges[axis];
    std::stable_sort(exchanges.begin(), exchanges.end(), starts_sooner);
    const Intervals under_way = united(exchanges);
    for (const Interval& exposed : intersect(idle, under_way)) {
      spans.push_back({.interval = exposed,
                       .kind = GanttSpan::Kind::Exchange,
                       .action = action_at(exchanges, exposed.start),
                       .axis = axis});
    }
    idle = subtract(idle, under_way);
  }
  return joined(std::move(spans));
}

class GanttReader {
 public:
  GanttReader(const StepPlan& plan, const Timeline& timeline)
      : plan_(plan), timeline_(timeline), activities_(plan.graph, timeline) {}

  std::vector<GanttRow> rows(int stages) {
    std::vector<GanttRow> rows;
    for (const int stage : drawn_stages(stages)) {
      add_row(stage, rows);
    }
    read_tasks();
    for (GanttRow& row : rows) {
      finish(row);
    }
    return rows;
  }

 private:
  /// Chooses who is drawn: the largest class, of equal ones that of the first rank.
  void add_row(int stage, std::vector<GanttRow>& rows) {
    GanttRow row{.stage = stage, .ranks = 0, .alike = 0};
    for (const RankClassId id : plan_.fold.rank_classes.ids()) {
      const RankClass& ranks = plan_.fold.rank_classes[id];
      if (ranks.stage != stage) {
        continue;
      }
      row.ranks += ranks.members;
      passes_[id];
      if (ranks.members > row.alike) {
        row.alike = ranks.members;
        row.rank = ranks.representative;
      }
    }
    doings_[plan_.fold.class_of_rank[row.rank]];
    rows.push_back(std::move(row));
  }

  void read_tasks() {
    for (const TaskId id : plan_.graph.tasks.ids()) {
      const Task& task = plan_.graph.tasks[id];
      bool drawn = false;
      for (const RankClassId ranks : plan_.graph.participants.of(id)) {
        drawn = drawn || doings_.contains(ranks);
        const auto known = passes_.find(ranks);
        if (known != passes_.end() && task.action && task.kind != TaskKind::Communication) {
          add_pass(id, known->second);
        }
      }
      if (drawn) {
        read(id);
      }
    }
  }

  void add_pass(TaskId id, PassTimes& passes) {
    const Interval whole{timeline_.start[id], timeline_.finish[id]};
    const Task& task = plan_.graph.tasks[id];
    for (const std::optional<Action>& action : {task.action, task.beside}) {
      if (action) {
        Interval& pass = passes.try_emplace(*action, whole).first->second;
        pass = {std::min(pass.start, whole.start), std::max(pass.finish, whole.finish)};
      }
    }
  }

  void read(TaskId id) {
    activities_.expand(id, [&](const Activity& activity) {
      std::optional<Action> action = activity.action;
      const Communication* made = nullptr;
      if (activity.communication) {
        made = &plan_.graph.communications[*activity.communication];
        if (made->op == CollectiveOp::SendReceive) {
          action.reset();  // between passes
        }
      }
      for (const RankClassId ranks : plan_.graph.participants.of(id)) {
        const auto known = doings_.find(ranks);
        if (known != doings_.end()) {
          Doings& doings = known->second;
          (made == nullptr ? doings.compute : doings.exchanges[made->axis])
              .push_back({activity.interval, action});
        }
      }
    });
  }

  void finish(GanttRow& row) {
    const RankClassId drawn = plan_.fold.class_of_rank[row.rank];
    const PassTimes& own = passes_.at(drawn);
    for (const auto& [ranks, passes] : passes_) {
      if (plan_.fold.rank_classes[ranks].stage != row.stage) {
        continue;
      }
      for (const auto& [action, interval] : passes) {
        const Seconds sooner = own.at(action).finish - interval.finish;
        row.apart = std::max({row.apart, sooner, -1 * sooner});
      }
    }
    row.spans = spans_of(std::move(doings_.at(drawn)), timeline_.end);
  }

  const StepPlan& plan_;
  const Timeline& timeline_;
  ActivityReader activities_;
  std::map<RankClassId, PassTimes> passes_;  // of all classes of stages drawn
  std::map<RankClassId, Doings> doings_;     // of those drawn
};

}  // namespace

bool GanttSpan::goes_on_in(const GanttSpan& next) const {
  return kind == next.kind && action == next.action &&
         (kind != Kind::Exchange || axis == next.axis);
}

Seconds GanttRow::waits(Seconds step) const {
  Seconds waited = step;
  for (const GanttSpan& span : spans) {
    waited = waited - span.length();
  }
  return std::max(waited, Seconds{});
}

Gantt gantt_of(std::string title, const Workload& workload, const StepPlan& plan,
               const Timeline& timeline) {
  check(timeline.rounds.more == 0, "a drawing shows every task, so none of them may be counted");
  const Placement placement = workload.placement();
  return {.title = std::move(title),
          .schedule = workload.training.schedule,
          .stages = placement.stages(),
          .chunks = placement.chunks(),
          .microbatches = workload.microbatches(),
          .step = timeline.end,
          .rows = GanttReader(plan, timeline).rows(placement.stages())};
}

namespace {

/// How many of the spans from `first` on are of two passes that take turns, as a pair does.
std::size_t turns_of_a_pair(std::span<const GanttSpan> spans, Seconds least) {
  const auto is_pass = [](const GanttSpan& span) { return span.kind == GanttSpan::Kind::Pass; };
  std::size_t turns = 0;
  while (turns < spans.size() && is_pass(spans[turns]) && spans[turns].length() < least &&
         (turns < 2 || spans[turns].action == spans[turns - 2].action) &&
         (turns == 0 || spans[turns].interval.start - spans[turns - 1].interval.finish < least)) {
    ++turns;
  }
  return turns;
}

/// Such turns as fewer and longer ones, each pass with its share of the time.
void add_turns(std::span<const GanttSpan> turns, Seconds least, std::vector<GanttSpan>& visible) {
  const Seconds start = turns.front().interval.start;
  const Seconds length = turns.back().interval.finish - start;
  Seconds first;
  Seconds both;
  for (std::size_t i = 0; i < turns.size(); ++i) {
    first += i % 2 == 0 ? turns[i].length() : Seconds{};
    both += turns[i].length();
  }
  const double rounds = std::max(1.0, std::floor(length / (2 * least)));
  for (int i = 0; i < rounds; ++i) {
    const Seconds begin = start + i / rounds * length;
    const Seconds middle = begin + first / both / rounds * length;
    const Seconds end = start + (i + 1) / rounds * length;
    for (const auto& [interval, at] : {std::pair(Interval{begin, middle}, 0), {{middle, end}, 1}}) {
      visible.push_back(turns[static_cast<std::size_t>(at)]);
      visible.back().interval = interval;
    }
  }
}

}  // namespace

std::vector<GanttSpan> visible_spans(const GanttRow& row, Seconds least) {
  std::vector<GanttSpan> joined;
  for (GanttSpan span : row.spans) {
    if (span.action && span.length() < least) {
      span.kind = GanttSpan::Kind::Pass;
    }
    if (!joined.empty() && joined.back().goes_on_in(span) &&
        span.interval.start - joined.back().interval.finish < least) {
      joined.back().interval.finish = span.interval.finish;
    } else {
      joined.push_back(span);
    }
  }
  std::vector<GanttSpan> visible;
  for (std::size_t at = 0; at < joined.size();) {
    const std::size_t turns = turns_of_a_pair(std::span(joined).subspan(at), least);
    if (turns > 2) {
      add_turns(std::span(joined).subspan(at, turns), least, visible);
      at += turns;
    } else {
      visible.push_back(joined[at++]);
    }
  }
  return visible;
}

void GanttLegend::add(const GanttSpan& span) {
  switch (span.kind) {
    case GanttSpan::Kind::Pass:
      passes.insert(span.action->kind);
      chunks = std::max(chunks, span.action->chunk + 1);
      break;
    case GanttSpan::Kind::Exchange:
      exchanges.insert(span.axis);
      break;
    case GanttSpan::Kind::Update:
      updates = true;
      break;
  }
}

std::vector<GanttMark> gantt_marks(Seconds end, int most) {
  const auto [unit, name] = end.value >= 1      ? std::pair(1.0, "s")
                            : end.value >= 1e-3 ? std::pair(1e-3, "ms")
                                                : std::pair(1e-6, "us");
  const double tick = tick_step(end.value / unit, most);
  std::vector<GanttMark> marks;
  for (int i = 0; i * tick * unit < end.value; ++i) {
    marks.push_back({Seconds{i * tick * unit}, fmt::format("{:.6g} {}", i * tick, name)});
  }
  return marks;
}

std::string gantt_heading(const Gantt& gantt) {
  return fmt::format("{}: {}, {}{}, {}, step {}", gantt.title, gantt.schedule,
                     counted(gantt.stages, "stage"),
                     gantt.chunks > 1 ? fmt::format(" of {} chunks", gantt.chunks) : "",
                     counted(gantt.microbatches, "microbatch", "es"), to_text(gantt.step));
}

std::vector<std::string> gantt_notes(const Gantt& gantt) {
  std::vector<std::string> notes;
  if (static_cast<int>(gantt.rows.size()) < gantt.stages) {
    notes.push_back(fmt::format("{} of {} stages are drawn, evenly from the first to the last",
                                gantt.rows.size(), gantt.stages));
  }
  constexpr double kSeen = 1e-3;  // of the step
  std::vector<int> uneven;
  Seconds apart;
  for (const GanttRow& row : gantt.rows) {
    if (row.apart > kSeen * gantt.step) {
      uneven.push_back(row.stage);
      apart = std::max(apart, row.apart);
    }
  }
  if (!uneven.empty()) {
    notes.push_back(
        fmt::format("the ranks of stage{} {} differ: the largest class of equal ones is drawn; "
                    "others end passes up to {} sooner or later",
                    uneven.size() == 1 ? "" : "s", fmt::join(uneven, ", "), to_text(apart)));
  }
  return notes;
}

}  // namespace danlu
