// A flapping link against the time-out of collectives. NCCL's watchdog aborts what hangs, so that a
// link that comes back in time costs a step the wait, and one that does not ends the job.
#pragma once

#include <optional>
#include <string>

#include "sim/cluster/cluster.hpp"
#include "sim/plan/plan_step.hpp"

namespace danlu {

/// A communication that was given up: which, over what, when it began to move data, and when its
/// time was over.
struct GivenUp {
  std::string communication;  // "reduce gradients"
  std::string group;          // "data group"
  int microbatch = -1;
  std::string part;  // Flap::part_name
  Seconds began;
  Seconds at;
};

/// The first communication over a flapping link whose flow took longer than `timeout`, as played in
/// `timeline`; none if all ended in time. The clock starts with the flow, when all its ranks are
/// there.
std::optional<GivenUp> first_given_up(const Cluster& cluster, const StepPlan& plan,
                                      const Timeline& timeline, Seconds timeout);

}  // namespace danlu
