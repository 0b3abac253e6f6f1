// Inside sim/report: the part of a report that tells of a campaign.
#pragma once

#include <array>
#include <span>
#include <string>

#include "sim/report/page.hpp"
#include "sim/report/report.hpp"

namespace danlu {

/// Campaigns side by side; runs without one have none to show.
void add_faults_comparison(std::span<const Report> reports, Page& page);

/// How the days of one campaign become those of another, by name; where both are campaigns.
void add_faults_waterfall(const Report& base, const Report& other, Page& page);

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

/// "50.22 d", "0.0113 d".
std::string days_text(Seconds time);
/// A duration as people say it: "3.1 h", "54 d".
std::string long_time(Seconds time);

}  // namespace danlu
