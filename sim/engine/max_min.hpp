// Plays a task graph without SimGrid, as often as one likes in a process and several times as
// fast: for what ranks many plans. What is printed is played by SimGrid; a property test holds both
// to 1e-12 (tests/property/max_min_test.cpp).
//
// The bandwidth is shared as SimGrid shares it: weighted max-min fairness by progressive filling.
// All rates grow together until a link is full, which is the one of the least
//
//     capacity left / sum of the weights of its flows that still grow;
//
// its flows keep that rate, and the others go on (Bertsekas and Gallager, Data Networks, 6.5.2).
// Only links that can feel a change, directly or through flows they share, are filled anew.
#pragma once

#include <optional>
#include <vector>

#include "sim/tasks/task_graph.hpp"

namespace danlu {

struct MaxMinOptions {
  std::vector<RankClassId> dead{};  // their tasks never start
  std::optional<Seconds> until{};   // where it has not ended by then, it is given up
  bool all_shared = false;          // no flow goes on alone (lone_flows.hpp), which tests ask for
};

/// Plays an acyclic graph in this process; none where it was given up. Throws InternalError as
/// simulate() does, and for a cycle, whose tasks never end.
std::optional<Timeline> play_max_min(const TaskGraph& graph, const MaxMinOptions& options = {});

}  // namespace danlu
