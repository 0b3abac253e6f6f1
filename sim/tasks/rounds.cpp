#include "sim/tasks/rounds.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <vector>

#include "sim/schedule/rounds.hpp"
#include "sim/tasks/pace_groups.hpp"

namespace danlu {
namespace {

constexpr double kSame = 1e-9;   // of a period: times that differ by less are one
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
  RoundFinder(const StepPlan& plan, const PaceGroups& groups, const Timeline& timeline)
      : plan_(plan), groups_(groups), timeline_(timeline), ahead_(plan.graph.tasks.size()) {}

  /// How the rounds of each pace group repeat, begun as they were played.
  std::optional<CountedRounds> find(const FewerRounds& fewer) {
    if (!find_places(fewer.workload, fewer.round)) {
      return std::nullopt;
    }
    CountedRounds found{.more = fewer.more,
                        .microbatches = fewer.round,
                        .end = timeline_.end,
                        .groups = groups_.of_ranks};
    found.strands.resize(plan_.strands.size());
    for (const std::vector<Place>& places : places_) {
      if (!find_round(places, found)) {
        return std::nullopt;
      }
    }
    return launches_in_time() ? std::optional(found) : std::nullopt;
  }

  /// Whether nothing of the step's end begins before the rounds have ended of those that it is of,
  /// or shares links with.
  bool ends_behind(const CountedRounds& found) const {
    const auto is_behind = [&](Seconds time, PaceGroupId group) {
      const CountedRounds::Pace& pace = found.paces[group];
      return time >= pace.start + pace.period * (1 - kSame);
    };
    const IdRange<TaskId> ids(plan_.strands.back().begins.back(), plan_.graph.tasks.next_id());
    return std::all_of(ids.begin(), ids.end(), [&](TaskId task) {
      const Seconds time = timeline_.start[task];
      const std::span<const RankClassId> ranks = plan_.graph.participants.of(task);
      const std::optional<ChannelId> channel = plan_.graph.tasks[task].channel;
      const std::vector<ChannelLoad> none;
      const auto& loads = channel ? plan_.graph.channels[*channel].loads : none;
      return std::all_of(ranks.begin(), ranks.end(),
                         [&](RankClassId id) { return is_behind(time, groups_.of_ranks[id]); }) &&
             std::all_of(loads.begin(), loads.end(), [&](const ChannelLoad& load) {
               const std::optional<PaceGroupId> group = groups_.of_link[load.link];
               return !group || is_behind(time, *group);
             });
    });
  }

 private:
  /// That of one pace group, whose places these are.
  bool find_round(const std::vector<Place>& places, CountedRounds& found) {
    const Place& first = *std::min_element(
        places.begin(), places.end(),
        [&](const Place& a, const Place& b) { return begin_of(a, a.last) < begin_of(b, b.last); });
    if (first.last < first.first + first.length) {
      return false;
    }
    period_ = begin_of(first, first.last) - begin_of(first, first.last - first.length);
    Seconds start = begin_of(first, first.last);
    for (const Place& place : places) {
      // Nothing else is begun, or waited for, before the round has ended.
      const std::size_t next = place.last + place.length;
      start = std::min({start, begin_of(place, next) - period_, end_of(place, next - 1) - period_});
    }
    const PaceGroupId group = found.paces.push_back({.start = start, .period = period_});
    for (const Place& place : places) {
      const std::size_t at = first_item_from(place, start - kSame * period_);
      if (at > place.last || at < place.first + place.length || !repeats(place, at, start)) {
        return false;
      }
      const std::vector<TaskId>& begins = place.strand->begins;
      const auto number = static_cast<std::size_t>(place.strand - plan_.strands.data());
      found.strands[number] = {.group = group,
                               .begin = begins.front(),
                               .end = begins.back(),
                               .first = begins[at],
                               .last = begins[at + place.length]};
    }
    return true;
  }

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
    places_.resize(groups_.count);
    for (std::size_t number = 0; number < plan_.strands.size(); ++number) {
      const Strand& strand = plan_.strands[number];
      const RowRound& round = *rounds[static_cast<std::size_t>(strand.stage)];
      const auto item_of = [&](std::size_t pass) {
        return static_cast<std::size_t>(
            std::lower_bound(strand.passes.begin(), strand.passes.end(), make_id<PassId>(pass)) -
            strand.passes.begin());
      };
      const Place place{.strand = &strand,
                        .first = item_of(round.first),
                        .last = item_of(round.last),
                        .length = item_of(round.first + round.length) - item_of(round.first)};
      if (place.length == 0 || place.last + place.length > strand.passes.size()) {
        return false;
      }
      places_[groups_.of_strand[number]].push_back(place);
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

  const StepPlan& plan_;
  const PaceGroups& groups_;
  const Timeline& timeline_;
  IdVector<PaceGroupId, std::vector<Place>> places_;
  Seconds period_;                // of the pace group in question
  IdVector<TaskId, bool> ahead_;  // hosts that are further ahead from round to round
};

/// That are played besides those that fill the pipeline. Stages that are not equally fast take
/// longer to come to one pace.
int rounds_of(const ClusterSpec& cluster) {
  return cluster.degraded.gpus.empty() && cluster.kinds() == 1 ? 4 : 8;
}

/// Whether GPUs are slow by several factors: where such stages are of one replica, they take longer
/// than a step to come to one pace.
bool are_slow_unlike(const ClusterSpec& cluster) {
  const std::map<int, double>& slow = cluster.degraded.gpus;
  return std::any_of(slow.begin(), slow.end(),
                     [&](const auto& gpu) { return gpu.second != slow.begin()->second; });
}

/// Whether the same task may take longer at another time.
bool changes_with_time(const Cluster& cluster) {
  const DegradedSpec& degraded = cluster.spec.degraded;
  return !cluster.flaps.empty() || !degraded.throttle.empty() || degraded.jitter.spread > 0;
}

/// Lets those with longer rounds begin late, by what their rounds that are left out take longer, so
/// that they come to the step's end as late as in the whole step. Returns the shortest period.
Seconds set_begins(CountedRounds& rounds) {
  const Seconds least =
      std::min_element(rounds.paces.begin(), rounds.paces.end(), [](const auto& a, const auto& b) {
        return a.period < b.period;
      })->period;
  for (CountedRounds::Pace& pace : rounds.paces) {
    const Seconds late = (pace.period - least) * rounds.more;
    pace.begin = late > kSame * least ? late : Seconds{};
  }
  return least;
}

/// Of what waits for nothing else.
std::vector<LateBegin> late_begins(const StepPlan& plan, const CountedRounds& rounds) {
  IdVector<TaskId, bool> waits(plan.graph.tasks.size());
  for (const auto& [before, after] : plan.graph.edges) {
    waits[after] = true;
  }
  std::vector<LateBegin> late;
  for (const CountedRounds::Strand& strand : rounds.strands) {
    const Seconds begin = rounds.paces[strand.group].begin;
    for (const TaskId task : IdRange<TaskId>(strand.begin, strand.end)) {
      if (begin > Seconds{} && !waits[task]) {
        late.push_back({task, begin});
      }
    }
  }
  return late;
}

/// Whether the rounds are as long as they were when these begins were found; then they are taken.
bool take_begins(CountedRounds& rounds, const IdVector<PaceGroupId, CountedRounds::Pace>& before) {
  for (const PaceGroupId group : before.ids()) {
    CountedRounds::Pace& pace = rounds.paces[group];
    if (std::abs((pace.period - before[group].period) / pace.period) > kSame) {
      return false;
    }
    pace.begin = before[group].begin;
  }
  return true;
}

}  // namespace

std::optional<FewerRounds> fewer_rounds(const Workload& workload, const Cluster& cluster) {
  const ScheduleRow* const schedule = workload.schedule();
  if (schedule == nullptr || schedule->round == nullptr || changes_with_time(cluster) ||
      are_slow_unlike(cluster.spec)) {
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
  fewer.more = (all - workload.parallelism.pipeline) / round - rounds_of(cluster.spec);
  while (fewer.more > 0 && !runs(fewer.more)) {
    --fewer.more;
  }
  const int left_out = fewer.more * round;
  const bool pays =
      left_out >= all - left_out && 2 * left_out * workload.placement().parts() >= kFewPasses;
  return pays ? std::optional(fewer) : std::nullopt;
}

bool count_rounds(StepPlan& plan, const FewerRounds& fewer, Timeline& timeline,
                  const PlayAgain& play_again) {
  const PaceGroups groups = find_pace_groups(plan);
  std::optional<RoundFinder> finder(std::in_place, plan, groups, timeline);
  std::optional<CountedRounds> found = finder->find(fewer);
  if (!found) {
    return false;
  }
  const Seconds least = set_begins(*found);
  if (std::vector<LateBegin> late = late_begins(plan, *found); !late.empty()) {
    plan.graph.late = std::move(late);
    std::optional<Timeline> again = play_again(plan);
    if (!again) {
      return false;
    }
    timeline = std::move(*again);
    const IdVector<PaceGroupId, CountedRounds::Pace> first = std::move(found->paces);
    found = finder.emplace(plan, groups, timeline).find(fewer);
    if (!found || !take_begins(*found, first)) {
      return false;
    }
  }
  if (!finder->ends_behind(*found)) {
    return false;
  }
  found->later = least * found->more;
  timeline.end += found->later;
  timeline.rounds = std::move(*found);
  return true;
}

}  // namespace danlu
