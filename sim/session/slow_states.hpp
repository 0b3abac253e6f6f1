// What steps take in the slow states of a campaign: with a slow GPU, NIC or scale-up link, and
// while a checkpoint is written. Each is played once, however many parts and causes it tells of.
#pragma once

#include "sim/campaign/faults_plan.hpp"
#include "sim/cluster/cluster.hpp"
#include "sim/fold/fold.hpp"
#include "sim/report/report.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/options.hpp"

namespace danlu {

/// Fills in the slowdowns of the plan's states that are to be played, over the `healthy` step,
/// whose fold is `fold`. Throws CannotRun where that were more plays than the user allows.
void play_states(const Scenario& scenario, const Cluster& cluster, const Fold& fold,
                 const Report& healthy, FaultsPlan& plan, const SessionOptions& options);

}  // namespace danlu
