// How the days of one campaign become those of another.
#include "sim/report/faults_report.hpp"
#include "sim/report/waterfall.hpp"

namespace danlu {

CampaignDifference campaign_difference(const FaultsReport& base, const FaultsReport& other) {
  const Campaign& from = base.study.campaign;
  const Campaign& to = other.study.campaign;
  CampaignDifference difference{.wall = Seconds{to.wall.mean - from.wall.mean}};
  for (const CampaignPart part : kWallParts) {
    difference.parts[part] = to.time[part] - from.time[part];
  }
  return difference;
}

void add_faults_waterfall(const Report& base, const Report& other, Page& page) {
  if (!base.faults || !other.faults) {
    return;
  }
  const CampaignDifference against = campaign_difference(*base.faults, *other.faults);
  Waterfall waterfall{.what = "days",
                      .from = Seconds{base.faults->study.campaign.wall.mean},
                      .to = Seconds{other.faults->study.campaign.wall.mean}};
  for (const CampaignPart part : kWallParts) {
    waterfall.parts.emplace_back(kCampaignPartNames[static_cast<std::size_t>(part)],
                                 against.parts[part]);
  }
  page.heading(fmt::format("With faults, from {} to {}", base.scenario, other.scenario));
  add_waterfall(
      waterfall, [](Seconds time) { return days_text(time); }, page);
}

}  // namespace danlu
