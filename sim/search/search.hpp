// The best plan of a space, for certain: plans are played in the order of their bounds (bound.hpp),
// and when the next bound is above the best step found, no plan that is left can be better.
//
//   legal plans -> those that fit in memory -> by bound -> played in batches until none can win
//
// So is the front of step and memory: a plan's memory is known before it is played, and it is not
// on the front once a plan that takes no more has a step below its bound.
//
// Batches have a size of their own, so that the result is the same for any number of processes.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "sim/base/units.hpp"
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
  int threads = 0;       // that check and bound plans; 0: as many as there are processors
  std::function<void(const SearchProgress&)> progress{};
};

/// A plan that can run.
struct FoundPlan {
  SearchPlan plan;
  Bytes memory;        // that a GPU holds at most
  Bytes spare;         // of memory, with the reserve left free; below 0: does not fit
  Seconds bound;       // of those that fit
  bool tried = false;  // to be played
  PlayedPlan played{};

  bool fits() const { return spare >= Bytes{}; }
};

/// Every plan of the space that can run on the cluster, with its memory and bound, in the order of
/// their values.
std::vector<FoundPlan> survey(SearchSpace& space, const SearchOptions& options);

/// Plays plans until the best are certain. Returns the places of those that were played, fastest
/// first; of equals the first in `plans`.
std::vector<std::size_t> play_best_first(SearchSpace& space, std::vector<FoundPlan>& plans,
                                         const PlayPlans& play, const SearchOptions& options);

/// The front of step and memory: of the plans that were played those of which no other has a
/// shorter step and takes no more memory, or as long a step and less memory; of plans alike in both
/// the first. Their places, fastest first.
std::vector<std::size_t> front_of(const std::vector<FoundPlan>& plans);

/// The front of all plans that fit: plays what may be on it and has not been played.
std::vector<std::size_t> play_front(SearchSpace& space, std::vector<FoundPlan>& plans,
                                    const PlayPlans& play, const SearchOptions& options);

/// A plan on the way from one to another.
struct SearchStep {
  std::vector<std::size_t> axes;  // that change
  SearchPlan plan;
  std::optional<Seconds> step{};  // none: it does not fit or run
};

/// Of the plans that differ from the scenario's own in one axis, those that fit, fastest first; the
/// fastest is certain.
std::vector<SearchStep> single_changes(SearchSpace& space, const PlayPlans& play,
                                       const SearchOptions& options);

/// From the scenario's own plan to another: of the changes that are left each time the one that
/// saves most; two at once where none alone can run and fits, or else all that are left.
std::vector<SearchStep> way_to(const SearchPlan& target, SearchSpace& space, const PlayPlans& play);

}  // namespace danlu
