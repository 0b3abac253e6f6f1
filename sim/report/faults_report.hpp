// Inside sim/report: what a report tells of a campaign, and how it says days.
#pragma once

#include <array>
#include <string>

#include "sim/report/report.hpp"

namespace danlu {

/// A campaign against another: seconds by part, which add up to the difference of wall times.
struct CampaignDifference {
  CampaignTime parts;
  Seconds wall;
};
CampaignDifference campaign_difference(const FaultsReport& base, const FaultsReport& other);

/// The intervals of a campaign that follow one another on the wall clock; they add up to it.
inline constexpr std::array kWallParts{CampaignPart::Useful,    CampaignPart::Slowed,
                                       CampaignPart::Shrunk,    CampaignPart::Checkpoint,
                                       CampaignPart::Redone,    CampaignPart::Stalled,
                                       CampaignPart::Detection, CampaignPart::Waiting,
                                       CampaignPart::Restart,   CampaignPart::Maintenance};

/// Nodes that stand by beside those of the job.
int spare_nodes(const FaultsReport& faults);
/// What of the cost is for nodes that stand idle, spares above all; nothing without a price.
double idle_cost_usd(const FaultsReport& faults);

/// "50.22 d", "0.0113 d".
std::string days_text(Seconds time);
/// A duration as people say it: "3.1 h", "54 d".
std::string long_time(Seconds time);

}  // namespace danlu
