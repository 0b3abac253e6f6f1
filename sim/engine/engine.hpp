// Plays a task graph on SimGrid. SimGrid only shares bandwidth: every link is a zero-latency
// SimGrid link, every channel one bypass route between two hosts of an Empty zone that lists each
// link as often as its weight, and every communication one flow over its channel. Compute, latency
// and dependencies are timers and counters of our own.
//
//   ready  -> compute:        timer(duration)                    -> done
//             (that of a throttled GPU, or beside collectives that take a share of it: until the
//             integral of its speed is what is to be done)
//          -> communication:  timer(latency) -> flow -> signal   -> done
//   done   -> record the end, count down the successors, start those at zero
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/tasks/task_graph.hpp"

namespace danlu {

struct EngineOptions {
  std::vector<RankClassId> dead;  // their tasks never start
  bool simgrid_log = false;       // let SimGrid's own log through
};

/// Plays the graph; every task not held up by dead ranks has finished. SimGrid allows one engine
/// per process, so a second call throws InternalError; callers fork. Throws InternalError when the
/// graph has a cycle, a channel without links carries bytes, or a task never ends (naming the
/// first), and what load_engine() throws.
Timeline simulate(const TaskGraph& graph, const EngineOptions& options = {});

/// Loads SimGrid, which most of a short command's start would go to (docs/develop/speed.md): not
/// before something is played. simulate() does so itself; who forks calls this before, so that
/// every process has it. Throws InputError where the library cannot be loaded: danlu is not whole.
void load_engine();

}  // namespace danlu
