// From a played step to a campaign: plays the steps of the states that it needs, then the campaign
// itself.
#pragma once

#include <string>
#include <vector>

#include "sim/base/text_sink.hpp"
#include "sim/cluster/cluster.hpp"
#include "sim/fold/fold.hpp"
#include "sim/report/report.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/options.hpp"

namespace danlu {

/// The campaign of a scenario that has one, whose healthy step has been played on `cluster`. Throws
/// CannotRun where a state hangs, a limit is in the way, or runs do not get to their end.
FaultsReport play_campaign(const Scenario& scenario, const Cluster& cluster, const Fold& fold,
                           const Report& healthy, const SessionOptions& options);

/// What the user should know about a campaign that has been played.
std::vector<std::string> campaign_notes(const FaultsReport& faults);

/// Writes the first run of a campaign: a table, or a trace for Perfetto.
void write_timeline(const FaultsReport& faults, bool csv, const TextSink& out);

}  // namespace danlu
