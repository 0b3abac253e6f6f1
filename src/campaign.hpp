// From a played step to a campaign: plays the steps of the states that it needs, each in a child,
// then the campaign itself.
#pragma once

#include <string>
#include <vector>

#include "sim/report/report.hpp"
#include "src/simulation.hpp"

namespace danlu {

/// The campaign of a scenario that has one, whose healthy step has been played.
FaultsReport play_campaign(const Scenario& scenario, const Report& healthy,
                           const CommonOptions& common);

/// What the user should know about a campaign that has been played.
std::vector<std::string> campaign_notes(const FaultsReport& faults);

/// Writes the first run of the campaign: a Perfetto trace for .json, a table for .csv.
void write_timeline(const FaultsReport& faults, const std::filesystem::path& file);
/// Throws InputError unless `file` ends in one of these.
void check_timeline(const std::filesystem::path& file);

}  // namespace danlu
