#include "sim/tasks/rounds.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "sim/schedule/rounds.hpp"

namespace danlu {
namespace {

constexpr double kSame = 1e-9;   // of a period: times that differ by less are one
constexpr int kRounds = 4;       // that are played besides those that fill the pipeline
constexpr int kFewPasses = 500;  // which are played as quickly as it is to leave them out

void set_microbatches(Workload& workload, int microbatches) {
  workload.training.global_batch =
      microbatches * workload.training.micro_batch * workload.parallelism.data;
}

/// What of a strand may be the round that is counted.
struct Place {
  const Strand* strand = nullptr;
  std::size_t first = 0, last = 0, length = 0;  // as of RowRound, in items of the strand
};

class RoundFinder {
 public:
  RoundFinder(const StepPlan& plan, const Timeline& timeline)
      : plan_(plan), timeline_(timeline), ahead_(plan.graph.tasks.size()) {}

  std::optional<CountedRounds> find(const Workload& played, int microbatches) {
    if (!find_places(played, microbatches)) {
      return std::nullopt;
    }
    const Place& first = *std::min_element(
        places_.begin(), places_.end(),
        [&](const Place& a, const Place& b) { return begin_of(a, a.last) < begin_of(b, b.last); });
    if (first.last < first.first + first.length) {
      return std::nullopt;
    }
    period_ = begin_of(first, first.last) - begin_of(first, first.last - first.length);
    Seconds start = begin_of(first, first.last);
    for (const Place& place : places_) {
      // Nothing else is begun, or waited for, before the round has ended.
      const std::size_t next = place.last + place.length;
      start = std::min({start, begin_of(place, next) - period_, end_of(place, next - 1) - period_});
    }
    CountedRounds found{
        .microbatches = microbatches, .start = start, .period = period_, .strands = {}};
    for (const Place& place : places_) {
      const std::size_t at = first_item_from(place, start - kSame * period_);
      if (at > place.last || at < place.first + place.length || !repeats(place, at, start)) {
        return std::nullopt;
      }
      const std::vector<TaskId>& begins = place.strand->begins;
      found.strands.push_back({.begin = begins.front(),
                               .end = begins.back(),
                               .first = begins[at],
                               .last = begins[at + place.length]});
    }
    return ends_behind(start + period_) && launches_in_time() ? std::optional(found) : std::nullopt;
  }

 private:
  bool find_places(const Workload& played, int microbatches) {
    Workload longer = played;
    set_microbatches(longer, played.microbatches() + microbatches);
    std::vector<std::optional<RowRound>> rounds;  // by stage
    for (int stage = 0; stage < played.parallelism.pipeline; ++stage) {
      rounds.push_back(round_between(played.actions(stage), longer.actions(stage)));
      if (!rounds.back()) {
        return false;
      }
    }
    for (const Strand& strand : plan_.strands) {
      const RowRound& round = *rounds[static_cast<std::size_t>(strand.stage)];
      const auto item_of = [&](std::size_t pass) {
        return static_cast<std::size_t>(
            std::lower_bound(strand.passes.begin(), strand.passes.end(), make_id<PassId>(pass)) -
            strand.passes.begin());
      };
      if (strand.passes.empty()) {
        continue;
      }
      const Place place{.strand = &strand,
                        .first = item_of(round.first),
                        .last = item_of(round.last),
                        .length = item_of(round.first + round.length) - item_of(round.first)};
      if (place.length == 0 || place.last + place.length > strand.passes.size()) {
        return false;
      }
      places_.push_back(place);
    }
    return !places_.empty();
  }

  /// When a pass or send begins; hosts launch before. One without tasks begins with what follows.
  Seconds begin_of(const Place& place, std::size_t item) const {
    const std::vector<TaskId>& begins = place.strand->begins;
    if (item + 1 >= begins.size()) {
      return timeline_.end;
    }
    Seconds first = timeline_.end;
    for (const TaskId task : tasks_of(place, item)) {
      if (plan_.graph.tasks[task].kind != TaskKind::Host) {
        first = std::min(first, timeline_.start[task]);
      }
    }
    return begins[item] == begins[item + 1] ? begin_of(place, item + 1) : first;
  }

  Seconds end_of(const Place& place, std::size_t item) const {
    Seconds last = begin_of(place, item);
    for (const TaskId task : tasks_of(place, item)) {
      last = std::max(last, timeline_.finish[task]);
    }
    return last;
  }

  std::size_t first_item_from(const Place& place, Seconds time) const {
    std::size_t from = 0;
    std::size_t to = place.strand->passes.size();
    while (from < to) {
      const std::size_t middle = (from + to) / 2;
      begin_of(place, middle) < time ? from = middle + 1 : to = middle;
    }
    return from;
  }

  /// Whether the round at `at` is a copy of the one before it, a period later, down to what still
  /// went on when that began.
  bool repeats(const Place& place, std::size_t at, Seconds start) {
    const std::vector<TaskId>& begins = place.strand->begins;
    std::size_t from = at - place.length;
    while (from > place.first && goes_on(place, from - 1, start - period_)) {
      --from;
    }
    const std::size_t tasks = index(begins[at + place.length]) - index(begins[at]);
    for (; from < at; ++from) {
      if (index(begins[from + place.length]) - index(begins[from]) != tasks ||
          !is_copy(place, from)) {
        return false;
      }
    }
    return true;
  }

  bool goes_on(const Place& place, std::size_t item, Seconds time) const {
    const IdRange<TaskId> ids = tasks_of(place, item);
    return std::any_of(ids.begin(), ids.end(),
                       [&](TaskId task) { return timeline_.finish[task] > time; });
  }

  bool is_copy(const Place& place, std::size_t item) {
    const IdRange<TaskId> ids = tasks_of(place, item);
    const std::size_t tasks =
        index(place.strand->begins[item + place.length]) - index(place.strand->begins[item]);
    return std::all_of(ids.begin(), ids.end(), [&](TaskId task) {
      return is_copy(task, make_id<TaskId>(index(task) + tasks));
    });
  }

  IdRange<TaskId> tasks_of(const Place& place, std::size_t item) const {
    return {place.strand->begins[item], place.strand->begins[item + 1]};
  }

  /// A host that is ahead may get further ahead.
  bool is_copy(TaskId task, TaskId next) {
    const Task& one = plan_.graph.tasks[task];
    const Task& other = plan_.graph.tasks[next];
    const auto off = [&](const IdVector<TaskId, Seconds>& times) {
      return (times[next] - times[task] - period_) / period_;
    };
    const double start = off(timeline_.start);
    const double finish = off(timeline_.finish);
    if (one.kind == TaskKind::Host && std::min(start, finish) < -kSame) {
      ahead_[task] = ahead_[next] = true;
    } else if (std::min(start, finish) < -kSame) {
      return false;
    }
    return one.kind == other.kind && one.name == other.name && std::max(start, finish) < kSame;
  }

  /// Whether hosts that get further ahead have launched all of it before the GPU came to it.
  bool launches_in_time() const {
    const auto is_late = [&](TaskId host, TaskId task) {
      return ahead_[host] && plan_.graph.tasks[task].kind != TaskKind::Host &&
             timeline_.finish[host] > timeline_.start[task];
    };
    const IdRange<TaskId> ids = plan_.graph.tasks.ids();
    return std::none_of(ids.begin(), ids.end(),
                        [&](TaskId task) {
                          const std::optional<TaskId>& host = plan_.graph.tasks[task].host;
                          return host && is_late(*host, task);
                        }) &&
           std::none_of(plan_.graph.edges.begin(), plan_.graph.edges.end(),
                        [&](const auto& edge) { return is_late(edge.first, edge.second); });
  }

  /// Whether nothing of the step's end begins before the round has ended.
  bool ends_behind(Seconds end) const {
    const IdRange<TaskId> ids(plan_.strands.back().begins.back(), plan_.graph.tasks.next_id());
    return std::all_of(ids.begin(), ids.end(),
                       [&](TaskId task) { return timeline_.start[task] >= end - kSame * period_; });
  }

  const StepPlan& plan_;
  const Timeline& timeline_;
  std::vector<Place> places_;
  Seconds period_;
  IdVector<TaskId, bool> ahead_;  // hosts that are further ahead from round to round
};

/// Whether some replicas take longer for a round than others, which do not wait for them before the
/// step's end: then the rounds of all together never repeat.
bool drift_apart(const Workload& workload, const ClusterSpec& cluster) {
  return (!cluster.degraded.gpus.empty() || cluster.kinds() > 1) && workload.parallelism.data > 1 &&
         workload.parallelism.zero < 2;
}

/// Whether the same task may take longer at another time.
bool changes_with_time(const Cluster& cluster) {
  const DegradedSpec& degraded = cluster.spec.degraded;
  return !cluster.flaps.empty() || !degraded.throttle.empty() || degraded.jitter.spread > 0;
}

}  // namespace

std::optional<FewerRounds> fewer_rounds(const Workload& workload, const Cluster& cluster) {
  const ScheduleRow* const schedule = workload.schedule();
  if (schedule == nullptr || schedule->round == nullptr || changes_with_time(cluster) ||
      drift_apart(workload, cluster.spec)) {
    return std::nullopt;
  }
  const int all = workload.microbatches();
  const int round = schedule->round(workload.schedule_shape());
  FewerRounds fewer{.workload = workload, .round = round};
  const auto runs = [&](int more) {
    set_microbatches(fewer.workload, all - more * round);
    const ScheduleShape shape = fewer.workload.schedule_shape();
    return schedule->obstacle(shape).empty() && schedule->round(shape) == round;
  };
  fewer.more = (all - workload.parallelism.pipeline) / round - kRounds;
  while (fewer.more > 0 && !runs(fewer.more)) {
    --fewer.more;
  }
  const int left_out = fewer.more * round;
  const bool pays =
      left_out >= all - left_out && 2 * left_out * workload.placement().parts() >= kFewPasses;
  return pays ? std::optional(fewer) : std::nullopt;
}

bool count_rounds(const StepPlan& plan, const FewerRounds& fewer, Timeline& timeline) {
  std::optional<CountedRounds> found =
      RoundFinder(plan, timeline).find(fewer.workload, fewer.round);
  if (!found) {
    return false;
  }
  found->more = fewer.more;
  found->end = timeline.end;
  timeline.end += found->period * found->more;
  timeline.rounds = std::move(*found);
  return true;
}

}  // namespace danlu
