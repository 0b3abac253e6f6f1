// A pool of processes that play: SimGrid allows one engine in a process, and what goes wrong in one
// play leaves the others alone. A process is a copy of its parent, so it has at hand what was built
// before, and sends back one Played through a pipe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "sim/tasks/task_graph.hpp"

namespace danlu {

/// What one play came to.
struct Played {
  enum class Outcome : std::uint8_t { Ended, Hung, Failed, TooLong, OutOfMemory };

  Outcome outcome = Outcome::Ended;
  Timeline timeline{};  // where only the end is asked for, without the times of tasks
  std::string why{};    // it did not end; or what is to be said of how it did

  bool ended() const { return outcome == Outcome::Ended; }
};

/// When a play ended. Throws CannotRun where it hung, std::bad_alloc where it was out of memory,
/// InternalError where it failed or took too long.
Seconds end_of(const Played& played);

struct PoolOptions {
  int processes = 0;                          // at once; 0: as many as there are processors
  std::optional<double> patience;             // seconds, after which a play takes too long
  std::function<void(std::size_t)> before{};  // called in this process before a play is started
  std::function<void(std::size_t)> after{};   // in this process, when so many plays have ended
  std::function<bool()> go_on{};              // in this process: whether another may be started
  std::function<void(std::size_t, const Played&)> take{};  // in this process, of each, by number
};

/// Calls play(0) to play(count - 1), each in a process of its own; results in order. Where `go_on`
/// says no, these are of the plays that were started by then. What a play throws, and what kills
/// its process, is its outcome. Call it where no other thread runs, since a process has only the
/// one that made it. Throws std::system_error when no process can be made, what load_engine()
/// throws, and what the functions of `options` throw; no process outlives the call.
std::vector<Played> play_in_processes(std::size_t count, const PoolOptions& options,
                                      const std::function<Played(std::size_t)>& play);

}  // namespace danlu
