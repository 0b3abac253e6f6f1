// The straight line: a scenario, its cluster, the plan of its step, the timeline of the plan, and
// the report of all that, with its campaign.
#pragma once

#include "sim/cluster/cluster.hpp"
#include "sim/report/report.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/options.hpp"
#include "sim/tasks/plan_step.hpp"
#include "sim/tasks/task_graph.hpp"

namespace danlu {

/// A played scenario. Where rounds of it were counted (SessionOptions::count_rounds), plan and
/// timeline are of the others (Timeline::rounds), the report is of the whole step.
struct Simulation {
  Scenario scenario;
  Cluster cluster;
  StepPlan plan;
  Timeline timeline;
  Report report;
};

/// Plays a scenario in processes of its own (play_in_processes() says where it may be called).
/// Whether the plan fits in memory is for the reader of the report: it is played all the same.
/// Throws CannotRun where a limit, this machine's memory, a step that hangs or a campaign without
/// an end is in the way, and InputError where a forced algorithm or protocol cannot be used.
Simulation simulate(const Scenario& scenario, const SessionOptions& options = {});
/// The same, for who may try again: throws std::bad_alloc where this machine's memory is in the
/// way.
Simulation simulate_if_memory(const Scenario& scenario, const SessionOptions& options = {});

}  // namespace danlu
