#include "sim/report/faults_report.hpp"

#include <string>

#include "sim/report/page.hpp"

namespace danlu {
namespace {}  // namespace

int spare_nodes(const FaultsReport& faults) {
  const SparesSpec& spares = faults.study.plan.spec.spares;
  return spares.hot + spares.cold;
}

double idle_cost_usd(const FaultsReport& faults) {
  const CampaignTime& time = faults.study.campaign.gpu_time;
  return faults.cost_usd.value_or(0) * (time[CampaignPart::Idle] / time.total());
}

std::string days_text(Seconds time) {
  return fmt::format("{} d", figure(time.value / kDay));
}

std::string long_time(Seconds time) {
  const double t = time.value;
  if (t < kMinute) {
    return fmt::format("{:.3g} s", t);
  }
  if (t < kHour) {
    return fmt::format("{:.3g} min", t / kMinute);
  }
  return t < 2 * kDay ? fmt::format("{:.3g} h", t / kHour) : fmt::format("{:.3g} d", t / kDay);
}

FaultsReport measure_faults(CampaignStudy study, double mfu, double price) {
  FaultsReport report;
  const Campaign& campaign = study.campaign;
  const Seconds gpu_time = campaign.gpu_time.total();
  report.fault_free = campaign.time[CampaignPart::Useful];
  report.goodput = mfu * (campaign.gpu_time[CampaignPart::Useful] / gpu_time);
  report.gpu_hours = gpu_time.value / kHour;
  if (price > 0) {
    report.cost_usd = report.gpu_hours * price;
    report.fault_free_cost_usd = report.fault_free.value / kHour * study.job.gpus() * price;
  }
  report.study = std::move(study);
  return report;
}

CampaignDifference campaign_difference(const FaultsReport& base, const FaultsReport& other) {
  const Campaign& from = base.study.campaign;
  const Campaign& to = other.study.campaign;
  CampaignDifference difference{.wall = Seconds{to.wall.mean - from.wall.mean}};
  for (const CampaignPart part : kWallParts) {
    difference.parts[part] = to.time[part] - from.time[part];
  }
  return difference;
}

}  // namespace danlu
