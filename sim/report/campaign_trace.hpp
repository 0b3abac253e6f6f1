// One run of a campaign for Perfetto (Chrome trace JSON) and as CSV. Times in the trace are
// microseconds of the run's wall clock.
//
//   job        | train | checkpoint | train ... X detection | waiting | restart | train
//   saves              |  persist  |
//   slow parts   |  degraded  |
//   repairs                                     |  repair .............. |
#pragma once

#include <string>

#include "sim/campaign/campaign.hpp"

namespace danlu {

/// The events of a trial that kept them.
std::string campaign_trace(const CampaignTrial& trial, const FaultsSpec& faults);
std::string campaign_csv(const CampaignTrial& trial, const FaultsSpec& faults);

}  // namespace danlu
