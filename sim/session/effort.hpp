// What takes long or much memory is said before it is begun, with the way out, and refused above a
// limit that the user can raise: of tasks (with messages and slices of traces), or of events of a
// campaign.
#pragma once

#include <string>

#include "sim/cluster/cluster.hpp"
#include "sim/session/options.hpp"

namespace danlu {

/// Announces what will be noticed.
void announce(const Effort& effort, const SessionOptions& options);
/// The same. Throws CannotRun above the limit of tasks ...
void allow_tasks(const Effort& effort, const SessionOptions& options);
/// ... or of events.
void allow_events(const Effort& effort, const SessionOptions& options);

/// Announces what it takes to lay out a cluster: so much for each GPU, and more where each has a
/// link to every other of a large node.
void announce_layout(std::string what, const ClusterSpec& spec, Seconds of_gpu, Bytes of_gpu_memory,
                     const SessionOptions& options);

/// What so many tasks of a step take, planned, played and measured, as seen in steps of 0.1 to 1.2
/// million.
inline constexpr Seconds kTimeOfTask{4e-6};
inline constexpr Bytes kMemoryOfTask{600};
/// What each GPU of a cluster takes that is laid out and folded for a step; up to ten times as long
/// where groups sit in many ways, as with leaves of which the last is not full.
inline constexpr Seconds kTimeOfGpu{9e-6};
inline constexpr Bytes kMemoryOfGpu{1.4e3};
Effort effort_of(std::string what, double tasks, std::vector<std::string> ways_out);

}  // namespace danlu
