// A flapping link against the time-out of collectives. NCCL's watchdog aborts what hangs, so that a
// link that comes back in time costs a step the wait, and one that does not ends the job.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "sim/cluster/cluster.hpp"
#include "sim/tasks/plan_step.hpp"

namespace danlu {

/// A communication that was given up: which, for which flap, when the first of its ranks was there,
/// and when that rank's time was over.
struct GivenUp {
  std::string communication;  // "reduce gradients"
  std::string group;          // "data group"
  std::optional<Action> action;
  std::string part;    // Flap::part_name
  bool waits = false;  // not over that part, but for ranks that hang on it
  Seconds began;
  Seconds at;
};

/// The first communication that took longer than `timeout` while a link flapped, as played in
/// `timeline`; none if all ended in time. Every rank has a clock, which starts when the rank is
/// there: what hangs on the link times out, and what waits elsewhere for those ranks does as well.
std::optional<GivenUp> first_given_up(const Cluster& cluster, const StepPlan& plan,
                                      const Timeline& timeline, Seconds timeout);

/// A sentence for each flap that begins when the step is over.
std::vector<std::string> late_flaps(const Cluster& cluster, Seconds end);

}  // namespace danlu
