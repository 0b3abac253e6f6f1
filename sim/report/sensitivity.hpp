// What a step would gain from more of each resource, and from each switch of its plan that is off.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/units.hpp"

namespace danlu {

/// By how much a resource is more, for elasticities.
inline constexpr double kLittleMore = 1.01;
inline constexpr double kTwice = 2;

/// What more of a resource would make of the step, as played.
struct ResourceGain {
  std::string_view key;
  std::string_view name;
  Seconds little_more;  // the step with kLittleMore times as much
  Seconds twice;        // with kTwice times as much

  /// 0.3: 1 % more of it makes the step 0.3 % shorter.
  double elasticity(Seconds step) const;
};

/// What one change of the plan would make of the step, as played.
struct Saving {
  std::string change;  // "parallelism.overlap.tensor=full"
  Seconds step;        // with it
};

struct Sensitivity {
  std::vector<ResourceGain> resources;
  Seconds all_little_more;          // the step with kLittleMore times as much of all of them
  std::vector<Saving> switches;     // that are off, could be on and fit; shortest step first
  std::vector<Saving> with_memory;  // the same of those that fit only with twice the HBM

  /// Of all resources together: one, but for what is no figure of the cluster (NCCL's constants).
  double together(Seconds step) const;
  /// Sum of their elasticities.
  double sum(Seconds step) const;
};

}  // namespace danlu
