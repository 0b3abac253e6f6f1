// Playing graphs in tests. SimGrid allows one engine in a process, so a test that plays more than
// once does it in children.
#pragma once

#include <functional>
#include <string>

#include "sim/collective/pattern.hpp"
#include "sim/engine/engine.hpp"
#include "sim/tasks/task_graph.hpp"

namespace danlu::testing {

/// What `work` returns, worked out in a forked child. Throws std::runtime_error with the message of
/// whatever `work` threw, or when the child died.
std::string run_in_child(const std::function<std::string()>& work);

/// The bytes of a timeline: equal if and only if two timelines are equal bit for bit.
std::string to_bytes(const Timeline& timeline);

/// simulate() in a child.
Timeline play(const TaskGraph& graph, const EngineOptions& options = {});

/// Adds one flow over `channel` that starts `latency` after the tasks in `after`.
TaskId add_flow(TaskGraph& graph, std::optional<ChannelId> channel, Bytes bytes,
                Seconds latency = {}, const std::vector<TaskId>& after = {});

/// One collective in steady state on an otherwise idle cluster.
TaskGraph one_collective(const Cluster& cluster, const Pattern& pattern, CollectiveOp op,
                         Bytes bytes);

}  // namespace danlu::testing
