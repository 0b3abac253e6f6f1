// What takes long or much memory is said before it is begun, with the way out, and refused above a
// limit that the user can raise: of tasks (with messages and slices of traces), or of events of a
// campaign.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/base/units.hpp"
#include "sim/cluster/cluster.hpp"
#include "src/program.hpp"

namespace danlu {

/// What a piece of work takes of this machine, roughly: it may be half or twice as much.
struct Effort {
  std::string what;  // "gpt3: this step has about 2e+06 tasks and parts of tasks"
  double count = 0;  // of what the limit is of
  Seconds time;
  Bytes memory;
  std::vector<std::string> ways_out{};  // what makes it less: "fewer --gpus"
};

/// Says on stderr what will be noticed. Throws CannotRun above --max-tasks ...
void allow_tasks(const Effort& effort, const CommonOptions& common);
/// ... or --max-events.
void allow_events(const Effort& effort, const CommonOptions& common);
/// Only says it.
void announce(const Effort& effort);

/// Says what it takes to lay out a cluster: so much for each GPU, and more where each has a link to
/// every other of a large node.
void announce_layout(std::string what, const ClusterSpec& spec, Seconds of_gpu,
                     Bytes of_gpu_memory);

/// What a task takes, planned, played and measured, as seen in steps of one to two million.
inline constexpr Seconds kTimeOfTask{6e-6};
inline constexpr Bytes kMemoryOfTask{400};

}  // namespace danlu
