#include "sim/search/search.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "sim/base/threads.hpp"
#include "sim/fold/group_plan.hpp"
#include "sim/report/report.hpp"

namespace danlu {
namespace {

constexpr std::size_t kBatch = 16;  // plans that are played before the best is looked at again

struct PlanMemory {
  Bytes peak, spare;  // of FoundPlan
};
PlanMemory memory_of(const Workload& workload, const ClusterSpec& cluster) {
  const MemoryReport memory = measure_memory(workload, cluster);
  const Bytes spare = memory.capacity - memory.reserve - memory.use.peak();
  return {memory.use.peak(),
          memory.fits_host() ? spare : std::min(spare, *memory.host_capacity - memory.host)};
}

bool fits(const Workload& workload, const ClusterSpec& cluster) {
  return memory_of(workload, cluster).spare >= Bytes{};
}

/// Plays those of some plans that can run and fit, and are not known.
std::vector<SearchStep> play_some(std::vector<SearchStep> steps, SearchSpace& space,
                                  const PlayPlans& play, KnownSteps& known) {
  const ClusterSpec& cluster = space.variants().scenario().cluster;
  std::vector<Workload> workloads;
  std::vector<std::optional<Seconds>*> played;
  std::vector<std::optional<Seconds>*> of_step;
  for (const SearchStep& step : steps) {
    const auto [entry, is_new] = known.try_emplace(space.plain(step.plan));
    of_step.push_back(&entry->second);
    if (!is_new) {
      continue;
    }
    Workload workload = space.workload(step.plan);
    if (space.can_run(workload) && fits(workload, cluster)) {
      workloads.push_back(std::move(workload));
      played.push_back(&entry->second);
    }
  }
  const std::vector<PlayedPlan> times = play(workloads, std::nullopt);
  for (std::size_t i = 0; i < times.size(); ++i) {
    *played[i] = times[i].step;
  }
  for (std::size_t i = 0; i < steps.size(); ++i) {
    steps[i].step = *of_step[i];
  }
  return steps;
}

bool is_faster(const SearchStep& a, const SearchStep& b) {
  return a.step && (!b.step || *a.step < *b.step);
}

constexpr Seconds kAnyStep{1e300};

/// Plans that differ in what runs beside what alone.
class OverlappedAlike {
 public:
  void add(std::size_t place, const ParallelismSpec& p) {
    alike_[{p.overlap_tensor, p.tensor_chunks, p.overlap_shared, p.overlap_weights}].push_back(
        {place, p.overlap_data, p.overlap_pipeline});
  }
  /// Each the others.
  void tell(std::vector<FoundPlan>& plans) const {
    for (const auto& [others, alike] : alike_) {
      const One most = *std::max_element(
          alike.begin(), alike.end(),
          [](const One& a, const One& b) { return a.data + a.pipeline < b.data + b.pipeline; });
      for (const One& one : alike) {
        if (one.place != most.place && one.data <= most.data && one.pipeline <= most.pipeline) {
          plans[one.place].overlapped = most.place;
          plans[most.place].less_overlapped.push_back(one.place);
        }
      }
    }
  }

 private:
  struct One {
    std::size_t place;
    bool data, pipeline;  // are overlapped
  };
  std::map<std::tuple<TensorOverlap, int, bool, bool>, std::vector<One>> alike_;
};

/// What bounds take by the clock, by some plans: those by compute alone of all that differ in
/// it, and in full those of a part of all that fit.
Seconds time_of(const std::vector<Workload>& computing, std::size_t fit, PlanBounds& bounds) {
  constexpr std::size_t kSome = 64;
  constexpr double kInFull = 0.25;  // of the plans; 0.23 of a 100B mixture on 256 GPUs
  const auto timed = [&](const auto& bound) {
    const auto begin = std::chrono::steady_clock::now();
    bounds.in_parallel(kSome, [&](StepBounds& own, std::size_t i) {
      bound(own, computing[i * computing.size() / kSome]);
    });
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
    return Seconds{passed.count() / kSome};
  };
  const Seconds alone = timed([](StepBounds& own, const Workload& w) { own.compute_bound(w); });
  const Seconds full = timed([](StepBounds& own, const Workload& w) { own.bound(w); });
  return double(computing.size()) * alone + kInFull * double(fit) * full;
}

/// Those that have been played, fastest first; of equals the first.
std::vector<std::size_t> fastest_first(const std::vector<FoundPlan>& plans) {
  std::vector<std::size_t> ranked;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (plans[i].played.step) {
      ranked.push_back(i);
    }
  }
  std::stable_sort(ranked.begin(), ranked.end(), [&](std::size_t a, std::size_t b) {
    return *plans[a].played.step < *plans[b].played.step;
  });
  return ranked;
}

/// Those that wait to be played in the order of their bounds. Where one of the next kBatch that may
/// win has no full bound yet, the first kFill get theirs, until all of the next have.
template <typename MayWin>
std::vector<std::size_t> next_of(std::vector<std::size_t>& waiting, SearchSpace& space,
                                 std::vector<FoundPlan>& plans, PlanBounds& bounds,
                                 const MayWin& may_win) {
  constexpr std::size_t kFill = 64;
  std::erase_if(waiting, [&](std::size_t i) { return !may_win(i); });  // nor will it
  for (;;) {
    std::sort(waiting.begin(), waiting.end(), [&](std::size_t a, std::size_t b) {
      return std::pair(plans[a].bound, a) < std::pair(plans[b].bound, b);
    });
    std::vector<std::size_t> first;
    for (auto next = waiting.begin(); next != waiting.end() && first.size() < kFill; ++next) {
      if (may_win(*next)) {
        first.push_back(*next);
      }
    }
    const auto batch = first.begin() + static_cast<std::ptrdiff_t>(std::min(first.size(), kBatch));
    if (std::all_of(first.begin(), batch, [&](std::size_t i) { return plans[i].is_full; })) {
      first.erase(batch, first.end());
      return first;
    }
    bounds.fill(space, plans, first);
  }
}

/// Those of some plans whose steps do not have to take longer than that, by their longest way; of
/// the others that becomes the bound.
std::vector<std::size_t> without_longer(const std::vector<std::size_t>& some, Seconds than,
                                        SearchSpace& space, std::vector<FoundPlan>& plans,
                                        PlanBounds& bounds) {
  std::vector<Workload> workloads;
  for (const std::size_t i : some) {
    workloads.push_back(space.workload(plans[i].plan));
  }
  std::vector<char> longer(some.size());
  bounds.in_parallel(some.size(), [&](StepBounds& own, std::size_t i) {
    longer[i] = own.takes_longer(workloads[i], than) ? 1 : 0;
  });
  std::vector<std::size_t> rest;
  for (std::size_t i = 0; i < some.size(); ++i) {
    if (longer[i] == 0) {
      rest.push_back(some[i]);
    } else {
      plans[some[i]].bound = std::max(plans[some[i]].bound, than);
    }
  }
  return rest;
}

/// Plays plans in the order of their bounds, but for those whose bound is longer than the step that
/// is wanted of them: wanted(plan), which learn() brings up to what has been played.
template <typename Wanted, typename Learn>
void play_wanted(SearchSpace& space, std::vector<FoundPlan>& plans, PlanBounds& bounds,
                 const PlayPlans& play, const SearchOptions& options, const Wanted& wanted,
                 const Learn& learn) {
  std::vector<std::size_t> waiting;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (plans[i].fits() && !plans[i].played.step && plans[i].played.obstacle.empty()) {
      waiting.push_back(i);
    }
  }
  const auto may_win = [&](std::size_t i) { return plans[i].bound <= wanted(plans[i]); };
  for (;;) {
    const std::vector<std::size_t> batch = next_of(waiting, space, plans, bounds, may_win);
    if (batch.empty()) {
      return;
    }
    std::erase_if(waiting, [&](std::size_t i) {
      return std::find(batch.begin(), batch.end(), i) != batch.end();
    });
    Seconds longest;
    for (const std::size_t i : batch) {
      longest = std::max(longest, wanted(plans[i]));
    }
    const std::vector<std::size_t> rest =
        longest < kAnyStep ? without_longer(batch, longest, space, plans, bounds) : batch;
    std::vector<Workload> workloads;
    for (const std::size_t i : rest) {
      workloads.push_back(space.workload(plans[i].plan));
    }
    std::vector<PlayedPlan> played =
        play(workloads, longest < kAnyStep ? std::optional(longest) : std::nullopt);
    for (std::size_t i = 0; i < played.size(); ++i) {
      FoundPlan& plan = plans[rest[i]];
      plan.tried = true;
      plan.played = std::move(played[i]);
      if (!plan.played.step && plan.played.obstacle.empty()) {
        plan.bound = std::max(plan.bound, longest);  // it was given up then
      }
    }
    learn();
    if (const std::vector<std::size_t> ranked = fastest_first(plans);
        options.progress && !ranked.empty()) {
      const FoundPlan& best = plans[ranked.front()];
      options.progress(
          {static_cast<std::size_t>(std::count_if(
               plans.begin(), plans.end(), [](const FoundPlan& plan) { return plan.tried; })),
           static_cast<std::size_t>(std::count_if(waiting.begin(), waiting.end(), may_win)),
           best.played.step, &best.plan});
    }
  }
}

}  // namespace

void PlanBounds::in_parallel(std::size_t count,
                             const std::function<void(StepBounds&, std::size_t)>& work) {
  /// A thread's, while it works.
  struct Lent {
    PlanBounds& all;
    std::unique_ptr<StepBounds> own;
    explicit Lent(PlanBounds& bounds) : all(bounds) {
      const std::lock_guard lock(all.guard_);
      if (!all.idle_.empty()) {
        own = std::move(all.idle_.back());
        all.idle_.pop_back();
      }
    }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    ~Lent() {
      const std::lock_guard lock(all.guard_);
      all.idle_.push_back(std::move(own));
    }
  };
  for_each_on_threads(
      count, threads_, [&] { return Lent(*this); },
      [&](Lent& lent, std::size_t i) {
        if (lent.own == nullptr) {
          lent.own = std::make_unique<StepBounds>(cluster_);
        }
        work(*lent.own, i);
      },
      progress_);
}

void PlanBounds::fill(SearchSpace& space, std::vector<FoundPlan>& plans,
                      const std::vector<std::size_t>& which) {
  std::vector<std::size_t> missing;
  for (const std::size_t i : which) {
    const std::optional<std::size_t> before = plans[i].overlapped;
    const std::size_t next = before && !plans[*before].is_full ? *before : i;
    if (plans[i].fits() && !plans[i].is_full) {
      missing.push_back(next);
    }
  }
  std::sort(missing.begin(), missing.end());
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  std::vector<Workload> workloads;
  for (const std::size_t i : missing) {
    workloads.push_back(space.workload(plans[i].plan));
  }
  in_parallel(missing.size(), [&](StepBounds& own, std::size_t i) {
    FoundPlan& plan = plans[missing[i]];
    plan.bound = own.bound(workloads[i]);
    plan.is_full = true;
  });
  for (const std::size_t i : missing) {
    for (const std::size_t other : plans[i].less_overlapped) {
      plans[other].bound = std::max(plans[other].bound, plans[i].bound);
    }
  }
}

void fill_up_to(Seconds most, SearchSpace& space, std::vector<FoundPlan>& plans,
                PlanBounds& bounds) {
  for (;;) {
    std::vector<std::size_t> near;
    for (std::size_t i = 0; i < plans.size(); ++i) {
      if (plans[i].fits() && !plans[i].is_full && plans[i].bound <= most) {
        near.push_back(i);
      }
    }
    if (near.empty()) {
      return;
    }
    bounds.fill(space, plans, near);
  }
}

void fill_least(const std::vector<std::vector<std::size_t>>& sets, SearchSpace& space,
                std::vector<FoundPlan>& plans, PlanBounds& bounds) {
  constexpr std::size_t kAhead = 8;  // of a set at once
  const auto is_open = [&](std::size_t i) { return !plans[i].is_full && !plans[i].played.step; };
  const auto value = [&](std::size_t i) {
    return std::pair(plans[i].played.step.value_or(plans[i].bound), i);
  };
  std::vector<std::vector<std::size_t>> left = sets;
  for (std::vector<std::size_t>& set : left) {
    std::erase_if(
        set, [&](std::size_t i) { return !plans[i].fits() || !plans[i].played.obstacle.empty(); });
  }
  for (;;) {
    std::vector<std::size_t> missing;
    for (std::vector<std::size_t>& set : left) {
      std::sort(set.begin(), set.end(),
                [&](std::size_t a, std::size_t b) { return value(a) < value(b); });
      const auto ahead = static_cast<std::ptrdiff_t>(std::min(set.size(), kAhead));
      if (!set.empty() && is_open(set.front())) {
        std::copy_if(set.begin(), set.begin() + ahead, std::back_inserter(missing), is_open);
      }
    }
    if (missing.empty()) {
      return;
    }
    bounds.fill(space, plans, missing);
  }
}

std::vector<FoundPlan> survey(SearchSpace& space, PlanBounds& bounds,
                              const std::function<void(const SearchSize&)>& tell) {
  const ClusterSpec& cluster = space.variants().scenario().cluster;
  const std::vector<SearchPlan> bases = space.legal_plans();
  std::vector<Workload> workloads;
  for (const SearchPlan& plan : bases) {
    workloads.push_back(space.workload(plan));
  }
  std::vector<std::optional<PlanMemory>> memory(bases.size());  // none: the cluster cannot play it
  bounds.in_parallel(bases.size(), [&](StepBounds& own, std::size_t i) {
    if (forced_choice_problems(workloads[i], own.cluster()).empty()) {
      memory[i] = memory_of(workloads[i], cluster);
    }
  });
  std::vector<FoundPlan> plans;
  std::vector<std::size_t> alike;  // by plan: of `computing`
  std::vector<Workload> computing;
  for (std::size_t i = 0; i < bases.size(); ++i) {
    if (!memory[i]) {
      continue;
    }
    std::map<std::pair<TensorOverlap, int>, std::size_t> known;  // by how products are cut
    OverlappedAlike overlapped;
    for (SearchPlan& plan : space.with_overlaps(bases[i])) {
      plans.push_back(
          {.plan = std::move(plan), .memory = memory[i]->peak, .spare = memory[i]->spare});
      alike.push_back(computing.size());
      if (plans.back().fits()) {
        Workload workload = space.workload(plans.back().plan);
        const auto [same, is_new] = known.try_emplace(
            {workload.parallelism.overlap_tensor, workload.parallelism.tensor_chunks},
            computing.size());
        alike.back() = same->second;
        overlapped.add(plans.size() - 1, workload.parallelism);
        if (is_new) {
          computing.push_back(std::move(workload));
        }
      }
    }
    overlapped.tell(plans);
  }
  if (constexpr std::size_t kMany = 1000; tell && computing.size() > kMany) {
    SearchSize size{.can_run = plans.size()};
    size.fit = static_cast<std::size_t>(std::count_if(
        plans.begin(), plans.end(), [](const FoundPlan& plan) { return plan.fits(); }));
    size.time = time_of(computing, size.fit, bounds);
    tell(size);
  }
  std::vector<Seconds> computes(computing.size());
  bounds.in_parallel(computing.size(), [&](StepBounds& own, std::size_t i) {
    computes[i] = own.compute_bound(computing[i]);
  });
  for (std::size_t i = 0; i < plans.size(); ++i) {
    plans[i].bound = plans[i].fits() ? computes[alike[i]] : Seconds{};
  }
  return plans;
}

std::vector<std::size_t> play_best_first(SearchSpace& space, std::vector<FoundPlan>& plans,
                                         PlanBounds& bounds, const PlayPlans& play,
                                         const SearchOptions& options) {
  std::vector<std::size_t> ranked;
  // That of the last of the best, or one near the best.
  const auto wanted = [&](const FoundPlan&) {
    return ranked.size() < options.top
               ? kAnyStep
               : std::max(*plans[ranked[options.top - 1]].played.step,
                          (1 + options.near) * *plans[ranked.front()].played.step);
  };
  play_wanted(space, plans, bounds, play, options, wanted, [&] { ranked = fastest_first(plans); });
  return ranked;
}

std::vector<std::size_t> front_of(const std::vector<FoundPlan>& plans) {
  std::vector<std::size_t> by_step = fastest_first(plans);
  std::stable_sort(by_step.begin(), by_step.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(*plans[a].played.step, plans[a].memory) <
           std::pair(*plans[b].played.step, plans[b].memory);
  });
  std::vector<std::size_t> front;
  for (const std::size_t i : by_step) {
    if (front.empty() || plans[i].memory < plans[front.back()].memory) {
      front.push_back(i);
    }
  }
  return front;
}

std::vector<std::size_t> play_front(SearchSpace& space, std::vector<FoundPlan>& plans,
                                    PlanBounds& bounds, const PlayPlans& play,
                                    const SearchOptions& options) {
  std::vector<std::size_t> front = front_of(plans);
  // That of the fastest plan that takes no more memory: of those on the front the last.
  const auto wanted = [&](const FoundPlan& plan) {
    Seconds least = kAnyStep;
    for (const std::size_t i : front) {
      if (plans[i].memory <= plan.memory) {
        least = std::min(least, *plans[i].played.step);
      }
    }
    return least;
  };
  play_wanted(space, plans, bounds, play, options, wanted, [&] { front = front_of(plans); });
  return front;
}

KnownSteps known_steps(const std::vector<FoundPlan>& plans) {
  KnownSteps known;
  for (const FoundPlan& plan : plans) {
    if (plan.played.step || !plan.played.obstacle.empty()) {
      known.emplace(plan.plan, plan.played.step);
    }
  }
  return known;
}

std::vector<SearchStep> single_changes(SearchSpace& space, PlanBounds& bounds,
                                       const PlayPlans& play, KnownSteps& known) {
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
  std::vector<Seconds> least(changes.size());
  std::vector<Workload> workloads;
  for (const SearchStep& change : changes) {
    workloads.push_back(space.workload(change.plan));
  }
  bounds.in_parallel(changes.size(), [&](StepBounds& own, std::size_t i) {
    const bool possible =
        forced_choice_problems(workloads[i], own.cluster()).empty() && fits(workloads[i], cluster);
    least[i] = possible ? own.bound(workloads[i]) : kAnyStep;
  });
  std::vector<std::size_t> order(changes.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return least[a] < least[b]; });
  constexpr std::size_t kFew = 4;
  std::vector<SearchStep> played;
  for (std::size_t next = 0; next < order.size();) {
    if (least[order[next]] >= kAnyStep ||
        (!played.empty() && played.front().step && least[order[next]] > *played.front().step)) {
      break;
    }
    std::vector<SearchStep> batch;
    for (; next < order.size() && batch.size() < kFew; ++next) {
      batch.push_back(changes[order[next]]);
    }
    for (SearchStep& step : play_some(std::move(batch), space, play, known)) {
      if (step.step) {
        played.push_back(std::move(step));
      }
    }
    std::stable_sort(played.begin(), played.end(), is_faster);
  }
  return played;
}

std::vector<SearchStep> way_to(const SearchPlan& target, SearchSpace& space, const PlayPlans& play,
                               KnownSteps& known) {
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
    tries = play_some(std::move(tries), space, play, known);
    if (std::none_of(tries.begin(), tries.end(), [](const SearchStep& s) { return s.step; })) {
      for (std::size_t i = 0; i < left.size(); ++i) {
        for (std::size_t j = i + 1; j < left.size(); ++j) {
          tries.push_back(changed({left[i], left[j]}));
        }
      }
      std::erase_if(tries, changes_nothing);
      tries = play_some(std::move(tries), space, play, known);
    }
    const auto best = std::min_element(tries.begin(), tries.end(), is_faster);
    const bool stuck = best == tries.end() || !best->step;
    way.push_back(stuck ? play_some({changed(left)}, space, play, known).front()
                        : std::move(*best));
    now = way.back().plan;
  }
  return way;
}

}  // namespace danlu
