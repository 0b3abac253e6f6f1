#include "sim/report/faults_report.hpp"

#include <algorithm>
#include <string>

namespace danlu {
namespace {

constexpr double kMinute = 60;
constexpr double kHour = 3600;
constexpr double kDay = 86400;

constexpr std::size_t kColumn = 18;

/// A row with a cell for each report; "-" for those without a campaign.
template <typename Cell>
void add_cells(std::string_view name, std::span<const Report> reports, Page& page,
               const Cell& cell) {
  std::string cells;
  for (const Report& report : reports) {
    cells += fmt::format(" {:>{}}", report.faults ? cell(*report.faults) : "-", kColumn);
  }
  page.line("  {:<20}{}", name, cells);
}

}  // namespace

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

void add_faults_comparison(std::span<const Report> reports, Page& page) {
  if (std::none_of(reports.begin(), reports.end(), [](const Report& r) { return r.faults; })) {
    return;
  }
  page.heading("With faults");
  add_cells("days", reports, page,
            [](const FaultsReport& f) { return figure(f.study.campaign.wall.mean / kDay); });
  add_cells("useful days", reports, page,
            [](const FaultsReport& f) { return figure(f.fault_free.value / kDay); });
  add_cells("ETTR", reports, page,
            [](const FaultsReport& f) { return percent(f.study.campaign.ettr.mean); });
  add_cells("goodput", reports, page, [](const FaultsReport& f) { return percent(f.goodput); });
  add_cells("failures", reports, page,
            [](const FaultsReport& f) { return figure(f.study.campaign.failures.mean); });
  for (const CampaignPart part : kWallParts) {
    const bool any = std::any_of(reports.begin(), reports.end(), [&](const Report& r) {
      return r.faults && r.faults->study.campaign.time[part].value != 0;
    });
    if (any && part != CampaignPart::Useful) {
      add_cells(kCampaignPartNames[static_cast<std::size_t>(part)], reports, page,
                [&](const FaultsReport& f) { return days_text(f.study.campaign.time[part]); });
    }
  }
  if (std::any_of(reports.begin(), reports.end(),
                  [](const Report& r) { return r.faults && r.faults->cost_usd; })) {
    add_cells("cost", reports, page, [](const FaultsReport& f) {
      return f.cost_usd ? fmt::format("{} USD", figure(*f.cost_usd)) : "-";
    });
  }
}

}  // namespace danlu
