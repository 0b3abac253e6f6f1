#include "sim/search/search.hpp"

#include <algorithm>
#include <numeric>

#include "sim/base/threads.hpp"
#include "sim/fold/group_plan.hpp"
#include "sim/report/report.hpp"
#include "sim/search/bound.hpp"

namespace danlu {
namespace {

constexpr std::size_t kBatch = 16;  // plans that are played before the best is looked at again

/// Calls work(thread's own StepBounds, i) for each i below `count`, on several threads.
template <typename Work>
void in_parallel(std::size_t count, int threads, const ClusterSpec& cluster, const Work& work) {
  for_each_on_threads(
      count, threads, [&] { return StepBounds(cluster); }, work);
}

Bytes spare_of(const MemoryReport& memory) {
  const Bytes spare = memory.capacity - memory.reserve - memory.use.peak();
  return memory.fits_host() ? spare : std::min(spare, *memory.host_capacity - memory.host);
}

bool fits(const Workload& workload, const ClusterSpec& cluster) {
  return spare_of(measure_memory(workload, cluster)) >= Bytes{};
}

/// Plays those of some plans that can run and fit.
std::vector<SearchStep> play_some(std::vector<SearchStep> steps, SearchSpace& space,
                                  const PlayPlans& play) {
  const ClusterSpec& cluster = space.variants().scenario().cluster;
  std::vector<Workload> workloads;
  std::vector<SearchStep*> played;
  for (SearchStep& step : steps) {
    Workload workload = space.workload(step.plan);
    if (space.can_run(workload) && fits(workload, cluster)) {
      workloads.push_back(std::move(workload));
      played.push_back(&step);
    }
  }
  const std::vector<PlayedPlan> times = play(workloads, std::nullopt);
  for (std::size_t i = 0; i < times.size(); ++i) {
    played[i]->step = times[i].step;
  }
  return steps;
}

bool is_faster(const SearchStep& a, const SearchStep& b) {
  return a.step && (!b.step || *a.step < *b.step);
}

}  // namespace

std::vector<FoundPlan> survey(SearchSpace& space, const SearchOptions& options) {
  const ClusterSpec& cluster = space.variants().scenario().cluster;
  const std::vector<SearchPlan> bases = space.legal_plans();
  std::vector<Workload> workloads;
  for (const SearchPlan& plan : bases) {
    workloads.push_back(space.workload(plan));
  }
  std::vector<std::optional<Bytes>> spare(bases.size());  // none: the cluster cannot carry it out
  in_parallel(bases.size(), options.threads, cluster, [&](StepBounds& bounds, std::size_t i) {
    if (forced_choice_problems(workloads[i], bounds.cluster()).empty()) {
      spare[i] = spare_of(measure_memory(workloads[i], cluster));
    }
  });
  std::vector<FoundPlan> plans;
  std::vector<Workload> bounded;
  for (std::size_t i = 0; i < bases.size(); ++i) {
    for (SearchPlan& plan : spare[i] ? space.with_overlaps(bases[i]) : std::vector<SearchPlan>{}) {
      bounded.push_back(*spare[i] >= Bytes{} ? space.workload(plan) : Workload{});
      plans.push_back({.plan = std::move(plan), .spare = *spare[i]});
    }
  }
  in_parallel(plans.size(), options.threads, cluster, [&](StepBounds& bounds, std::size_t i) {
    if (plans[i].fits()) {
      plans[i].bound = bounds.bound(bounded[i]);
    }
  });
  return plans;
}

std::vector<std::size_t> play_best_first(SearchSpace& space, std::vector<FoundPlan>& plans,
                                         const PlayPlans& play, const SearchOptions& options) {
  std::vector<std::size_t> waiting;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (plans[i].fits()) {
      waiting.push_back(i);
    }
  }
  std::stable_sort(waiting.begin(), waiting.end(),
                   [&](std::size_t a, std::size_t b) { return plans[a].bound < plans[b].bound; });
  std::vector<std::size_t> ranked;
  const auto faster = [&](std::size_t a, std::size_t b) {
    return std::tuple(*plans[a].played.step, a) < std::tuple(*plans[b].played.step, b);
  };
  // The longest step that is still wanted: that of the last of the best, or one near the best.
  const auto wanted = [&] {
    return ranked.size() < options.top
               ? Seconds{1e300}
               : std::max(*plans[ranked[options.top - 1]].played.step,
                          (1 + options.near) * *plans[ranked.front()].played.step);
  };
  std::size_t next = 0;
  while (next < waiting.size() && plans[waiting[next]].bound <= wanted()) {
    std::vector<Workload> batch;
    const std::size_t first = next;
    for (; next < waiting.size() && batch.size() < kBatch; ++next) {
      if (plans[waiting[next]].bound > wanted()) {
        break;
      }
      batch.push_back(space.workload(plans[waiting[next]].plan));
    }
    const Seconds longest = wanted();
    std::vector<PlayedPlan> played =
        play(batch, ranked.size() < options.top ? std::nullopt : std::optional(longest));
    for (std::size_t i = 0; i < played.size(); ++i) {
      FoundPlan& plan = plans[waiting[first + i]];
      plan.tried = true;
      plan.played = std::move(played[i]);
      if (!plan.played.step && plan.played.obstacle.empty()) {
        plan.bound = std::max(plan.bound, longest);  // it was given up then
      }
      if (plan.played.step) {
        ranked.push_back(waiting[first + i]);
      }
    }
    std::sort(ranked.begin(), ranked.end(), faster);
    if (options.progress && !ranked.empty()) {
      const auto left =
          std::count_if(waiting.begin() + static_cast<std::ptrdiff_t>(next), waiting.end(),
                        [&](std::size_t i) { return plans[i].bound <= wanted(); });
      const FoundPlan& best = plans[ranked.front()];
      options.progress({next, static_cast<std::size_t>(left), best.played.step, &best.plan});
    }
  }
  return ranked;
}

std::vector<SearchStep> single_changes(SearchSpace& space, const PlayPlans& play,
                                       const SearchOptions& options) {
  const ClusterSpec& cluster = space.variants().scenario().cluster;
  std::vector<SearchStep> changes;
  for (std::size_t axis = 0; axis < space.axes().size(); ++axis) {
    for (std::size_t value = 0; value < space.axes()[axis].values.size(); ++value) {
      SearchPlan plan = space.own_plan();
      plan.at[axis] = static_cast<std::int8_t>(value);
      if (space.can_run(space.workload(plan)) && !space.same(plan, space.own_plan())) {
        changes.push_back({{axis}, std::move(plan)});
      }
    }
  }
  std::vector<Seconds> bounds(changes.size());
  std::vector<Workload> workloads;
  for (const SearchStep& change : changes) {
    workloads.push_back(space.workload(change.plan));
  }
  in_parallel(changes.size(), options.threads, cluster, [&](StepBounds& own, std::size_t i) {
    const bool possible =
        forced_choice_problems(workloads[i], own.cluster()).empty() && fits(workloads[i], cluster);
    bounds[i] = possible ? own.bound(workloads[i]) : Seconds{1e300};
  });
  std::vector<std::size_t> order(changes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return bounds[a] < bounds[b]; });
  constexpr std::size_t kFew = 4;
  std::vector<SearchStep> played;
  for (std::size_t next = 0; next < order.size();) {
    if (bounds[order[next]] >= Seconds{1e300} ||
        (!played.empty() && played.front().step && bounds[order[next]] > *played.front().step)) {
      break;
    }
    std::vector<SearchStep> batch;
    for (; next < order.size() && batch.size() < kFew; ++next) {
      batch.push_back(changes[order[next]]);
    }
    for (SearchStep& step : play_some(std::move(batch), space, play)) {
      if (step.step) {
        played.push_back(std::move(step));
      }
    }
    std::stable_sort(played.begin(), played.end(), is_faster);
  }
  return played;
}

std::vector<SearchStep> way_to(const SearchPlan& target, SearchSpace& space,
                               const PlayPlans& play) {
  const SearchPlan end = space.plain(target);
  SearchPlan now = space.own_plan();
  std::vector<SearchStep> way;
  while (!space.same(now, end)) {
    std::vector<std::size_t> left;
    for (std::size_t axis = 0; axis < now.at.size(); ++axis) {
      if (now.at[axis] != end.at[axis]) {
        left.push_back(axis);
      }
    }
    const auto changed = [&](const std::vector<std::size_t>& axes) {
      SearchStep step{axes, now};
      for (const std::size_t axis : axes) {
        step.plan.at[axis] = end.at[axis];
      }
      return step;
    };
    std::vector<SearchStep> tries;  // one axis, or two
    for (std::size_t i = 0; i < left.size(); ++i) {
      tries.push_back(changed({left[i]}));
    }
    const auto changes_nothing = [&](const SearchStep& step) { return space.same(step.plan, now); };
    std::erase_if(tries, changes_nothing);
    tries = play_some(std::move(tries), space, play);
    if (std::none_of(tries.begin(), tries.end(), [](const SearchStep& s) { return s.step; })) {
      for (std::size_t i = 0; i < left.size(); ++i) {
        for (std::size_t j = i + 1; j < left.size(); ++j) {
          tries.push_back(changed({left[i], left[j]}));
        }
      }
      std::erase_if(tries, changes_nothing);
      tries = play_some(std::move(tries), space, play);
    }
    const auto best = std::min_element(tries.begin(), tries.end(), is_faster);
    const bool stuck = best == tries.end() || !best->step;
    way.push_back(stuck ? play_some({changed(left)}, space, play).front() : std::move(*best));
    now = way.back().plan;
  }
  return way;
}

}  // namespace danlu
