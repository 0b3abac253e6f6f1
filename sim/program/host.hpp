// How long the host of a rank takes to launch a program, segment by segment (host.hpp of
// sim/workload). A segment starts no sooner than all of it is launched:
//
//   start of i = max(its stream is free, what it waits for is done, host's clock after launch of i)
#pragma once

#include <vector>

#include "sim/program/play.hpp"
#include "sim/workload/host.hpp"

namespace danlu {

Launches launches_of(const Program& program, const HostSpec& spec);

/// Whether the GPU never waits for a host that began one launch sooner, however little exchanges
/// take: then nothing of the host needs to be played. `compute` is by segment, nothing for
/// exchanges.
bool keeps_up(const Program& program, const Launches& launches,
              const std::vector<Seconds>& compute);

}  // namespace danlu
