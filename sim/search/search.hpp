// The best plan of a space, for certain: plans are played in the order of their bounds (bound.hpp),
// and when the next bound is above the best step found, no plan that is left can be better.
//
//   legal plans -> those that fit in memory -> by bound -> played in batches until none can win
//
// Most plans lose by what their compute takes alone, which is a bound too, and one for all that
// differ in what runs beside what. The others get their bounds in full when they are asked for:
// when such a plan is the next to be played, or is counted or drawn as the best of some. Of plans
// that differ in whether sends and sums of gradients run beside compute first the one where they
// do, since the others wait for the same and more.
//
// So is the front of step and memory: a plan's memory is known before it is played, and it is not
// on the front once a plan that takes no more has a step below its bound.
//
// Batches have a size of their own, so that the result is the same for any number of processes.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "sim/base/threads.hpp"
#include "sim/base/units.hpp"
#include "sim/search/bound.hpp"
#include "sim/search/space.hpp"

namespace danlu {

/// What a play came to.
struct PlayedPlan {
  std::optional<Seconds> step{};  // none: it takes longer than was wanted, or
  std::string obstacle{};         // why it cannot be played
};
/// Plays steps; of one that takes longer than `wanted` no time is asked for.
using PlayPlans = std::function<std::vector<PlayedPlan>(std::span<const Workload>,
                                                        std::optional<Seconds> wanted)>;

struct SearchProgress {
  std::size_t played = 0;            // plans
  std::size_t left = 0;              // that may still win, at most
  std::optional<Seconds> best;       // so far, ...
  const SearchPlan* plan = nullptr;  // ... and its plan
};

struct SearchOptions {
  std::size_t top = 10;  // so many best plans are certain
  double near = 0.01;    // and all that take so much longer than the best at most
  std::function<void(const SearchProgress&)> progress{};
};

/// A plan that can run.
struct FoundPlan {
  SearchPlan plan;
  Bytes memory;          // that a GPU holds at most
  Bytes spare;           // of memory, with the reserve left free; below 0: does not fit
  Seconds bound;         // of those that fit
  bool is_full = false;  // that bound; else it is of less: compute alone, or `overlapped`
  bool tried = false;    // to be played
  // The place of the plan that differs only in that sends and sums of gradients run beside compute,
  // where they do not in this one: its bound is none longer. And those of which this is that plan.
  std::optional<std::size_t> overlapped{};
  std::vector<std::size_t> less_overlapped{};
  PlayedPlan played{};

  bool fits() const { return spare >= Bytes{}; }
};

/// Bounds plans on several threads. One class, since each thread's StepBounds keep what plans have
/// in common, from call to call.
class PlanBounds {
 public:
  /// `threads` 0: as many as there are processors.
  PlanBounds(const ClusterSpec& cluster, int threads, CountProgress progress = {})
      : cluster_(cluster), threads_(threads), progress_(std::move(progress)) {}

  /// Calls work(StepBounds of its thread, i) for each i below `count`.
  void in_parallel(std::size_t count, const std::function<void(StepBounds&, std::size_t)>& work);
  /// Those of the plans that fit get their bounds in full, or longer ones that are not: of one that
  /// may lose by the bound of another, that comes first.
  void fill(SearchSpace& space, std::vector<FoundPlan>& plans,
            const std::vector<std::size_t>& which);

 private:
  const ClusterSpec& cluster_;
  int threads_;
  CountProgress progress_;                           // of the plans of a call
  std::mutex guard_;                                 // of idle_
  std::vector<std::unique_ptr<StepBounds>> idle_{};  // that no thread has
};

/// How much there is to look at.
struct SearchSize {
  std::size_t can_run = 0, fit = 0;  // plans
  Seconds time;                      // that they take, by the clock; by a few of them, so roughly
};

/// Every plan of the space that can run on the cluster, with its memory and its bound by compute
/// alone, in the order of their values. `tell` is told of many, before most of that is done.
std::vector<FoundPlan> survey(SearchSpace& space, PlanBounds& bounds,
                              const std::function<void(const SearchSize&)>& tell = {});

/// All of these plans that may have a step of `most` get their bounds in full.
void fill_up_to(Seconds most, SearchSpace& space, std::vector<FoundPlan>& plans,
                PlanBounds& bounds);

/// Of each of these sets of plans the one with the least step, or bound where it was not played,
/// has that in full, and so have all that might be it.
void fill_least(const std::vector<std::vector<std::size_t>>& sets, SearchSpace& space,
                std::vector<FoundPlan>& plans, PlanBounds& bounds);

/// Plays plans until the best are certain. Returns the places of those that were played, fastest
/// first; of equals the first in `plans`.
std::vector<std::size_t> play_best_first(SearchSpace& space, std::vector<FoundPlan>& plans,
                                         PlanBounds& bounds, const PlayPlans& play,
                                         const SearchOptions& options);

/// The front of step and memory: of the plans that were played those of which no other has a
/// shorter step and takes no more memory, or as long a step and less memory; of plans alike in both
/// the first. Their places, fastest first.
std::vector<std::size_t> front_of(const std::vector<FoundPlan>& plans);

/// The front of all plans that fit: plays what may be on it and has not been played.
std::vector<std::size_t> play_front(SearchSpace& space, std::vector<FoundPlan>& plans,
                                    PlanBounds& bounds, const PlayPlans& play,
                                    const SearchOptions& options);

/// A plan on the way from one to another.
struct SearchStep {
  std::vector<std::size_t> axes;  // that change
  SearchPlan plan;
  std::optional<Seconds> step{};  // none: it does not fit or run
};

/// Plans that were played to their end, or could not be; those that are played for what follows are
/// added.
using KnownSteps = std::map<SearchPlan, std::optional<Seconds>>;
KnownSteps known_steps(const std::vector<FoundPlan>& plans);

/// Of the plans that differ from the scenario's own in one axis, those that fit, fastest first; the
/// fastest is certain.
std::vector<SearchStep> single_changes(SearchSpace& space, PlanBounds& bounds,
                                       const PlayPlans& play, KnownSteps& known);

/// From the scenario's own plan to another: of the changes that are left each time the one that
/// saves most; two at once where none alone can run and fits, or else all that are left.
std::vector<SearchStep> way_to(const SearchPlan& target, SearchSpace& space, const PlayPlans& play,
                               KnownSteps& known);

}  // namespace danlu
