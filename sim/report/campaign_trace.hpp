// One run of a campaign for Perfetto (Chrome trace JSON) and as CSV. Times in the trace are
// microseconds of the run's wall clock.
//
//   job        | train | checkpoint | train ... X detection | waiting | restart | train
//   saves              |  persist  |
//   slow parts   |  degraded  |
//   repairs                                     |  repair .............. |
#pragma once

#include "sim/base/text_sink.hpp"
#include "sim/campaign/campaign.hpp"

namespace danlu {

/// The events of a trial that kept them.
void write_campaign_trace(const CampaignTrial& trial, const FaultsSpec& faults,
                          const TextSink& out);
void write_campaign_csv(const CampaignTrial& trial, const FaultsSpec& faults, const TextSink& out);

}  // namespace danlu
