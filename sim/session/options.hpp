// What a program that plays scenarios may ask for, and what it is told meanwhile. The library
// itself writes nothing and ends nothing.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "sim/base/units.hpp"
#include "sim/tasks/plan_step.hpp"
#include "sim/tasks/task_graph.hpp"

namespace danlu {

/// What a piece of work takes of this machine, roughly: it may be half or twice as much.
struct Effort {
  std::string what;  // "gpt3: this step has about 2e+06 tasks and parts of tasks"
  double count = 0;  // of what the limit is of
  Seconds time;
  Bytes memory{};
  Bytes file{};  // that is written, where that is what it takes; then no memory
  std::vector<std::string> ways_out{};  // what makes it less: "fewer --gpus"

  std::string text() const;  // `what`, "which take about 12 s and 800 MB of memory"
  std::string hint() const;  // the ways out, as one line
};

/// The most of something that is played, and in the user's words what raises that.
struct EffortLimit {
  double most = 0;
  std::string raised;
};

struct SessionOptions {
  /// Of a step, messages of a collective, slices of a trace.
  EffortLimit tasks{2e6, "a larger SessionOptions::tasks plays more"};
  /// Of a campaign, all its runs together.
  EffortLimit events{1e8, "a larger SessionOptions::events plays more"};
  int processes = 0;         // that play at once; 0: as many as there are processors
  bool simgrid_log = false;  // SimGrid's own log, on stderr
  /// Rounds of a step that repeat are counted (sim/tasks/rounds.hpp); else every task is played, as
  /// traces and drawings need it.
  bool count_rounds = true;

  // What is called, where it is set. `announce` and `log` may be called in the processes that play.
  std::function<void(const Effort&)> announce;             // before what will be noticed
  std::function<void(const std::string&)> log;             // a line about what is being done
  std::function<void(std::size_t, std::size_t)> progress;  // so many rows of so many are played
  std::function<void(const StepPlan&)> planned;            // before the step is played; may throw
  std::function<void(const StepPlan&, const Timeline&)> played;

  void say(const std::string& line) const {
    if (log) {
      log(line);
    }
  }
};

}  // namespace danlu
