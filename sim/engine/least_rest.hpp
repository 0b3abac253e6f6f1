// How much longer a step lasts at least once a task of it starts: the longest way from there to the
// end of the graph, each task at the least that it can take.
//
//   rest(task) = least(task) + the largest rest of what waits for it
//
// So a step that is wanted up to some time is given up as soon as now + rest is past that, long
// before the time has come: a pipeline that has lost a second at the beginning never gets it back.
//
// Nothing takes less than its least: a pass alone, whose exchanges slow no compute and whose host
// is never late; a flow at the rate that the tightest of its links gives to it alone.
#pragma once

#include "sim/tasks/task_graph.hpp"

namespace danlu {

/// By task, itself alone: the least that it can take.
IdVector<TaskId, Seconds> least_times(const TaskGraph& graph);

/// By task, from its start on, itself included. Throws InternalError for a cycle.
IdVector<TaskId, Seconds> least_rests(const TaskGraph& graph);

}  // namespace danlu
