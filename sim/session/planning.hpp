// From a scenario to the plan of its step: what shows only once the machine is built, and what is
// too much to be planned or played.
#pragma once

#include "sim/report/report.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/options.hpp"
#include "sim/tasks/plan_step.hpp"

namespace danlu {

/// All that is to be said of a scenario before it is played: throws InputError where an algorithm
/// or protocol that it asks for can carry out nothing of its step; the memory that its plan needs.
MemoryReport check_scenario(const Scenario& scenario);

/// Announces a cluster that takes long to be laid out and folded.
void announce_cluster(const Scenario& scenario, const SessionOptions& options);

/// The plan of the scenario's step. Announces what is large; throws CannotRun above the limit, and
/// what check_scenario() throws.
StepPlan plan_within_limits(const Scenario& scenario, const Cluster& cluster,
                            const SessionOptions& options,
                            Disturbed disturbed = Disturbed::BySegment);

}  // namespace danlu
