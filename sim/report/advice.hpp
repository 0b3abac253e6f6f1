// Changes of a plan that are worth a try. What they come to is for a player to say: sim/ does not
// play here.
#pragma once

#include <string>
#include <vector>

#include "sim/report/report.hpp"

namespace danlu {

/// Settings that together change a plan.
struct Change {
  std::vector<std::string> settings;  // "parallelism.tensor=8"
  Workload workload;                  // with them

  /// One setting, or several as options that can be pasted: "--set parallelism.tensor=8 --set
  /// parallelism.data=4", with the number of replicas that follows.
  std::string text() const;
};

/// Single changes that address what the step loses most time by, of those that can run and
/// fit; at most a handful. Empty where little is lost.
std::vector<Change> speed_changes(const Report& report, const ClusterSpec& cluster);

/// Every switch of a plan that is off and could be on: it can run, and fits in memory.
std::vector<Change> switch_changes(const Workload& workload, const ClusterSpec& cluster);

/// Changes with which a plan fits that does not: those of fewest settings first, none that holds
/// another with something added, tensor groups inside a node unless nothing else fits. Where a
/// dozen fit, none of more settings is looked for.
std::vector<Change> memory_changes(const Workload& workload, const ClusterSpec& cluster);

}  // namespace danlu
