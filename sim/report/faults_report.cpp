#include "sim/report/faults_report.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

namespace danlu {
namespace {

constexpr double kMinute = 60;
constexpr double kHour = 3600;
constexpr double kDay = 86400;

/// What one fault costs.
std::string each(Seconds time) {
  return time.value < 100 * kMinute ? fmt::format("{:.3g} min", time.value / kMinute)
                                    : fmt::format("{:.3g} h", time.value / kHour);
}

std::string spread(const CampaignStatistic& of, double unit, std::string_view name) {
  return of.stddev > 0 ? fmt::format("from {:.4g} to {:.4g}{} in nine of ten runs", of.p5 / unit,
                                     of.p95 / unit, name)
                       : "";
}

void add_outcome(const FaultsReport& faults, Page& page) {
  const Campaign& campaign = faults.study.campaign;
  const bool whole = !faults.study.plan.horizon;
  page.line("  {:<22} {:>12}   {}", whole ? "the run takes" : "played",
            days_text(Seconds{campaign.wall.mean}),
            whole ? spread(campaign.wall, kDay, " days") : "of wall time");
  if (faults.study.plan.step) {
    page.line("  {:<22} {:>12}   as given, not as simulated", "step",
              fmt::format("{:.4g} s", faults.study.job.step.value));
  }
  page.line("  {:<22} {:>12}   the same steps, nothing failing and nothing saved", "without faults",
            days_text(faults.fault_free));
  page.line("  {:<22} {:>12}   {}", "ETTR", percent(campaign.ettr.mean),
            fmt::format("useful time over all time, +- {} (standard error)",
                        percent(campaign.ettr.stderr_of_mean)));
  page.line("  {:<22} {:>12}   MFU of everything paid for, {} included", "goodput",
            percent(faults.goodput),
            fmt::format("{} spare nodes",
                        faults.study.plan.spec.spares.hot + faults.study.plan.spec.spares.cold));
  const double failures = campaign.failures.mean;
  page.line(
      "  {:<22} {:>12}   {}{}", "failures", figure(failures),
      failures > 0 ? fmt::format("one every {}", long_time(Seconds{campaign.wall.mean / failures}))
                   : "",
      campaign.failures.stddev > 0 ? fmt::format("; {}", spread(campaign.failures, 1, "")) : "");
  if (faults.cost_usd) {
    page.line("  {:<22} {:>12}   {} USD without faults", "cost",
              fmt::format("{} USD", figure(*faults.cost_usd)), figure(*faults.fault_free_cost_usd));
  } else {
    page.line("  {:<22} {:>12}   no price known: set cluster.price", "cost", "-");
  }
}

void add_time(const Campaign& campaign, Page& page) {
  page.line("");
  page.line("  Where the days went{}",
            campaign.trials > 1 ? fmt::format(" (mean of {} runs)", campaign.trials) : "");
  const Seconds whole{campaign.wall.mean};
  Seconds sum;
  for (const CampaignPart part : kWallParts) {
    const Seconds time = campaign.time[part];
    sum += time;
    if (time.value != 0) {
      page.line("    {:<20} {:>10} {:>8}  {}", kCampaignPartNames[static_cast<std::size_t>(part)],
                days_text(time), percent(time / whole), bar(time / whole));
    }
  }
  page.line("    {:<20} {:>10} {:>8}", "sum", days_text(sum), percent(sum / whole));
}

/// Causes by what they cost, the dearest first.
std::vector<std::size_t> by_loss(const Campaign& campaign) {
  std::vector<std::size_t> order(campaign.faults_by_cause.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return campaign.lost_by_cause[a].total() > campaign.lost_by_cause[b].total();
  });
  return order;
}

void add_causes(const FaultsReport& faults, Page& page) {
  const Campaign& campaign = faults.study.campaign;
  const std::vector<FaultCause>& causes = faults.study.plan.spec.causes;
  const double all = campaign.failures.mean;
  page.line("");
  page.line("  {:<34} {:>9} {:>8} {:>10} {:>10}", "By cause", "faults", "share", "lost", "each");
  for (const std::size_t i : by_loss(campaign)) {
    const double count = campaign.faults_by_cause[i].mean;
    const double stopped = campaign.stops_by_cause[i];
    const Seconds lost = campaign.lost_by_cause[i].total();
    page.line("    {:<32} {:>9} {:>8} {:>10} {:>10}", causes[i].name, figure(count),
              stopped > 0 ? percent(stopped / all) : "-", days_text(lost),
              count > 0 ? each(lost / count) : "");
  }
  if (campaign.unnoticed > 0) {
    page.line(
        "    {} corruptions of a run are not noticed by its end: what was trained since "
        "counts as useful, and is worthless",
        figure(campaign.unnoticed));
  }
}

/// How much a failure may cost for an ETTR of 90 %, against what it costs.
void add_allowance(const CampaignStudy& study, Page& page) {
  constexpr double kGoal = 0.9;
  const Campaign& campaign = study.campaign;
  double failures = 0;
  Seconds lost;
  for (std::size_t i = 0; i < study.plan.spec.causes.size(); ++i) {
    if (campaign.stops_by_cause[i] > 0) {
      failures += campaign.stops_by_cause[i];
      lost += campaign.lost_by_cause[i].total();
    }
  }
  if (failures < 1) {
    return;
  }
  const Seconds other = Seconds{campaign.wall.mean} - campaign.time[CampaignPart::Useful] - lost;
  const Seconds allowed = Seconds{campaign.wall.mean} * (1 - kGoal) - other;
  page.line("");
  if (allowed.value > 0) {
    page.line(
        "  A failure costs {:.3g} min; ETTR is above {:.0f} % while it costs less than {:.3g} "
        "min.",
        lost.value / failures / kMinute, 100 * kGoal, allowed.value / failures / kMinute);
  } else {
    page.line("  A failure costs {:.3g} min; what else is lost keeps ETTR below {:.0f} %.",
              lost.value / failures / kMinute, 100 * kGoal);
  }
}

void add_checkpoint(const FaultsReport& faults, Page& page) {
  const CampaignStudy& study = faults.study;
  const CheckpointFile& file = study.plan.file;
  if (study.campaign.tiers.empty()) {
    return;
  }
  const CheckpointTier& tier = study.campaign.tiers.back();
  page.line("");
  page.line("  Checkpoints: {} in a run; {} in {} ({}), training stands still for {}",
            count_text(study.campaign.checkpoints.back()), to_text(file.size), to_text(file.write),
            file.write_limit, to_text(tier.blocking));
  for (std::size_t i = 0; i + 1 < study.campaign.tiers.size(); ++i) {
    const CheckpointTier& faster = study.campaign.tiers[i];
    page.line("    and in {}: {} in a run, every {}, standing still for {}", faster.name,
              count_text(study.campaign.checkpoints[i]),
              long_time(interval_of(faster, study.job.step, study.plan.spec.semantics.whole_steps)),
              to_text(faster.blocking));
  }
  if (study.campaign.begun_anew > 0) {
    page.line(
        "    {:.2f} times in a run no checkpoint was left that could be used, and training began "
        "anew",
        study.campaign.begun_anew);
  }
  if (!study.interval) {
    return;
  }
  const IntervalStudy& interval = *study.interval;
  page.line("    {:<20} {:>10}", "interval", long_time(interval.used));
  if (interval.formula) {
    page.line("    {:<20} {:>10}   by formula; by trying {}", "best", long_time(*interval.formula),
              long_time(interval.best));
    double highest = 0;
    for (const IntervalTrial& point : interval.curve) {
      highest = std::max(highest, point.ettr);
    }
    for (const IntervalTrial& point : interval.curve) {
      page.line("    {:>20} {:>10}   {}", long_time(point.interval), percent(point.ettr),
                point.ettr >= highest ? "best" : "");
    }
  }
}

void add_what_if(const CampaignStudy& study, Page& page) {
  if (study.what_if.empty()) {
    return;
  }
  page.line("");
  page.line("  {:<40} {:>10} {:<8} {:>8}", "What would help", "saves", "", "ETTR");
  for (const WhatIf& remedy : study.what_if) {
    page.line("    {:<38} {:>10} {:<8} {:>8}", remedy.name, days_text(remedy.saved),
              study.campaign.trials > 1
                  ? fmt::format("+- {:.2g}", remedy.stderr_of_saved.value / kDay)
                  : "",
              percent(remedy.ettr));
  }
}

void add_assumptions(const FaultsPlan& plan, Page& page) {
  if (plan.assumptions.empty()) {
    return;
  }
  page.line("");
  page.line("  This rests on assumptions of the preset:");
  for (const std::string& assumption : plan.assumptions) {
    page.line("    {}", assumption);
  }
}

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

void add_faults(const FaultsReport& faults, Page& page) {
  const FaultsPlan& plan = faults.study.plan;
  page.heading(fmt::format("Faults{}{}", plan.name.empty() ? "" : " as of ", plan.name));
  add_outcome(faults, page);
  add_time(faults.study.campaign, page);
  add_causes(faults, page);
  add_allowance(faults.study, page);
  add_checkpoint(faults, page);
  add_what_if(faults.study, page);
  add_assumptions(plan, page);
}

}  // namespace danlu
