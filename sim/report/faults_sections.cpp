// The sections of a campaign.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/report/faults_report.hpp"
#include "sim/report/page.hpp"
#include "sim/report/sections.hpp"

namespace danlu {
namespace {

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

std::string part_key(CampaignPart part) {
  return std::string(name_of(part));
}

/// A duration as people say it, in seconds for machines.
Figure about(Seconds time) {
  return Figure::number(time.value, long_time(time), "s");
}

Figure quantity(double value) {
  return Figure::number(value, figure(value));
}

/// What a statistic has, by key.
std::vector<std::pair<std::string, double>> parts_of(const CampaignStatistic& of) {
  return {{"mean", of.mean},     {"stderr", of.stderr_of_mean},
          {"stddev", of.stddev}, {"min", of.min},
          {"p5", of.p5},         {"p25", of.p25},
          {"p50", of.p50},       {"p75", of.p75},
          {"p95", of.p95},       {"max", of.max}};
}

/// A row for each part of a statistic, off the page.
template <typename Make>
void add_statistic(std::string_view key, std::string_view label, const CampaignStatistic& of,
                   const Make& make, std::vector<Row>& rows) {
  for (const auto& [name, value] : parts_of(of)) {
    rows.push_back({.key = fmt::format("{}.{}", key, name),
                    .label = fmt::format("{}, {}", label, name),
                    .cells = {make(value)},
                    .shown = Shown::OffPage});
  }
}

/// How long the run takes, and would take without faults.
void add_durations(const FaultsReport& faults, std::vector<Row>& rows) {
  const CampaignStudy& study = faults.study;
  const Campaign& campaign = study.campaign;
  const bool whole = !study.plan.horizon;
  add_statistic(
      "wall_time_s", "wall time", campaign.wall,
      [](double value) { return Figure::days(Seconds{value}); }, rows);
  Row& wall = *std::find_if(rows.begin(), rows.end(),
                            [](const Row& row) { return row.key == "wall_time_s.mean"; });
  wall.label = whole ? "the run takes" : "played";
  wall.note = whole ? spread(campaign.wall, kDay, " days") : "of wall time";
  wall.shown = Shown::Everywhere;
  rows.push_back({.key = "step_s",
                  .label = "step",
                  .cells = {Figure::number(study.job.step.value,
                                           fmt::format("{:.4g} s", study.job.step.value), "s")},
                  .note = study.plan.step ? "as given, not as simulated" : "as simulated",
                  .shown = study.plan.step ? Shown::Everywhere : Shown::OffPage});
  rows.push_back({.key = "fault_free_s",
                  .label = "without faults",
                  .cells = {Figure::days(faults.fault_free)},
                  .note = "the same steps, nothing failing and nothing saved"});
}

constexpr double kRounding = 1e-12;  // less is what adding up leaves

/// How much of its time is useful, and what failed.
void add_success(const FaultsReport& faults, std::vector<Row>& rows) {
  const CampaignStudy& study = faults.study;
  const Campaign& campaign = study.campaign;
  const double failures = campaign.failures.mean;
  rows.push_back({.key = "ettr",
                  .label = "ETTR",
                  .cells = {Figure::share(campaign.ettr.mean)},
                  .note = fmt::format("useful time over all time{}",
                                      campaign.trials == 1 ? ", of one run"
                                      : campaign.ettr.stderr_of_mean > kRounding
                                          ? fmt::format(", +- {} (standard error)",
                                                        percent(campaign.ettr.stderr_of_mean))
                                          : ", the same in all runs")});
  add_statistic(
      "ettr_distribution", "ETTR", campaign.ettr, [](double value) { return Figure::share(value); },
      rows);
  rows.push_back({.key = "goodput",
                  .label = "goodput",
                  .cells = {Figure::share(faults.goodput)},
                  .note = fmt::format("MFU of everything paid for, {} spare node{} included",
                                      spare_nodes(faults), spare_nodes(faults) == 1 ? "" : "s")});
  rows.push_back(
      {.key = "failures",
       .label = "failures",
       .cells = {quantity(failures)},
       .note = fmt::format(
           "{}{}",
           failures > 0
               ? fmt::format("one every {}", long_time(Seconds{campaign.wall.mean / failures}))
               : "",
           campaign.failures.stddev > 0 ? fmt::format("; {}", spread(campaign.failures, 1, ""))
                                        : "")});
  add_statistic("failures_distribution", "failures", campaign.failures, quantity, rows);
  rows.push_back(
      off_page("unnoticed_corruptions", "unnoticed corruptions", quantity(campaign.unnoticed)));
  rows.push_back(off_page("begun_anew", "begun anew", quantity(campaign.begun_anew)));
  rows.push_back(off_page("left_out", "listed faults left out", quantity(campaign.left_out)));
  rows.push_back(
      off_page("steps", "useful steps", Figure::number(campaign.steps, thousands(campaign.steps))));
}

void add_cost(const FaultsReport& faults, std::vector<Row>& rows) {
  rows.push_back({.key = "cost_usd",
                  .label = "cost",
                  .cells = {Figure::amount(faults.cost_usd, "USD")},
                  .note = faults.cost_usd ? "" : "no price known: set cluster.price"});
  Row free{.key = "fault_free_cost_usd",
           .label = "cost without faults",
           .cells = {Figure::amount(faults.fault_free_cost_usd, "USD")},
           .shown = Shown::Beside};
  if (faults.fault_free_cost_usd) {
    const double idle = idle_cost_usd(faults);
    free.note = fmt::format(
        "{} without faults{}", free.cells[0].text,
        idle > 0 ? fmt::format(" and idle nodes, which cost {}", Figure::amount(idle, "USD").text)
                 : "");
  }
  rows.push_back(std::move(free));
  rows.push_back(
      off_page("gpu_hours", "GPU-hours",
               Figure::number(faults.gpu_hours, thousands(faults.gpu_hours), "GPU-hours")));
}

Section outcome(const FaultsReport& faults) {
  const FaultsPlan& plan = faults.study.plan;
  const Campaign& campaign = faults.study.campaign;
  const std::string& name = plan.name;
  Section section{.key = "faults",
                  .heading = fmt::format("Faults{}{}", name.empty() ? "" : " as of ", name),
                  .columns = figure_columns(22, 12)};
  std::vector<Row>& rows = section.rows;
  rows.push_back(off_page("name", "preset", name.empty() ? Figure::absent() : Figure::words(name)));
  rows.push_back(off_page("trials", "trials", Figure::count(campaign.trials)));
  rows.push_back(off_page("seed", "seed", {plan.spec.seed, fmt::format("{}", plan.spec.seed), ""}));
  rows.push_back(off_page("finished", "finished trials", Figure::count(campaign.finished)));
  add_durations(faults, rows);
  add_success(faults, rows);
  add_cost(faults, rows);
  return section;
}

/// Where the days went, as a part of `faults`.
Section days_by_part(const Campaign& campaign) {
  const std::string heading =
      fmt::format("Where the days went{}",
                  campaign.trials > 1 ? fmt::format(" (mean of {} runs)", campaign.trials) : "");
  Section section{.key = "faults.time_s",
                  .heading = heading,
                  .level = 2,
                  .lead = Lead::Blank,
                  .columns = {{"", heading, 22, true}, {"", "", 10}, {"", "", 8}},
                  .labels = true,
                  .bars = true,
                  .gap = 2};
  const Seconds whole{campaign.wall.mean};
  Seconds sum;
  for (const CampaignPart part : kWallParts) {
    const Seconds time = campaign.time[part];
    sum += time;
    section.rows.push_back({.key = part_key(part),
                            .label = part_key(part),
                            .cells = {Figure::days(time), Figure::share(time / whole)},
                            .depth = 1,
                            .shown = time.value != 0 ? Shown::Everywhere : Shown::OffPage});
  }
  section.rows.push_back(
      {.label = "sum", .cells = {Figure::days(sum), Figure::share(sum / whole)}, .depth = 1});
  return section;
}

/// Seconds by part that the page leaves out.
Section parts_off_page(std::string key, std::string heading) {
  return {.key = std::move(key),
          .heading = std::move(heading),
          .level = 2,
          .lead = Lead::None,
          .columns = figure_columns(22, 10)};
}

void add_part(CampaignPart part, Seconds time, Section& section) {
  section.rows.push_back(off_page(part_key(part), part_key(part), Figure::days(time)));
}

Section lost(const Campaign& campaign) {
  Section section = parts_off_page("faults.lost_s", "What was lost");
  for (const CampaignPart part : kWallParts) {
    if (part != CampaignPart::Useful) {
      add_part(part, campaign.time[part], section);
    }
  }
  return section;
}

Section gpu_time(const Campaign& campaign) {
  Section section = parts_off_page("faults.gpu_time_s", "Where the GPUs' time went");
  for (const CampaignPart part : campaign.gpu_time.parts.ids()) {
    add_part(part, campaign.gpu_time[part], section);
  }
  return section;
}

/// What a slow part costs, where that depends on which it is.
std::vector<std::string> slow_parts_texts(const FaultsPlan& plan) {
  std::vector<std::string> texts;
  for (const CauseId cause : plan.spec.causes.ids()) {
    if (plan.spec.causes[cause].slowdown_of.empty()) {
      continue;
    }
    const SlowParts* least = nullptr;
    const SlowParts* most = nullptr;
    int sorts = 0;
    for (const SlowParts& parts : plan.slow_parts) {
      if (parts.cause == cause) {
        least = least == nullptr || parts.slowdown < least->slowdown ? &parts : least;
        most = most == nullptr || parts.slowdown > most->slowdown ? &parts : most;
        ++sorts;
      }
    }
    texts.push_back(fmt::format(
        "{}: steps take {:.4g} ({}) to {:.4g} ({}) times as long, by which of {} sorts of part is "
        "slow; {:.4g} in the mean of all parts",
        plan.spec.causes[cause].name, least->slowdown, least->played, most->slowdown, most->played,
        sorts, plan.spec.causes[cause].slowdown));
  }
  return texts;
}

/// Listed faults that a run leaves out.
std::string left_out_text(const CampaignStudy& study) {
  const std::vector<FaultEvent>& events = study.plan.spec.events;
  const double left_out = study.campaign.left_out;
  const std::string what =
      fmt::format("of the {} listed event{}{}", events.size(), events.size() == 1 ? "" : "s",
                  left_out == std::floor(left_out) ? "" : " in the mean of all runs");
  return fmt::format("{}: {:.3g} found the job down, or {} out of it, and {} left out", what,
                     left_out, left_out == 1 ? "its node" : "their nodes",
                     left_out == 1 ? "was" : "were");
}

/// Every sort of part that was played slow, for machines.
Section slow_parts(const FaultsPlan& plan) {
  Section section{.key = "faults.slow_parts",
                  .heading = "Slow parts",
                  .shape = Shape::Table,
                  .level = 2,
                  .lead = Lead::None,
                  .columns = {{"cause", "cause"},
                              {"played", "played"},
                              {"parts", "parts"},
                              {"sorts", "sorts"},
                              {"slowdown", "slowdown"}}};
  for (const SlowParts& parts : plan.slow_parts) {
    section.rows.push_back({.label = plan.spec.causes[parts.cause].name,
                            .cells = {Figure::words(parts.played), Figure::count(parts.parts),
                                      Figure::count(parts.sorts), quantity(parts.slowdown)},
                            .shown = Shown::OffPage});
  }
  return section;
}

Section by_cause(const CampaignStudy& study) {
  const Campaign& campaign = study.campaign;
  Section section{.key = "faults.by_cause",
                  .heading = "By cause",
                  .shape = Shape::Table,
                  .level = 2,
                  .lead = Lead::Blank,
                  .columns = {{"cause", "By cause", 34, true},
                              {.key = "component", .shown = Shown::OffPage},
                              {.key = "components", .shown = Shown::OffPage},
                              {.key = "effect", .shown = Shown::OffPage},
                              {.key = "slowdown", .shown = Shown::OffPage}},
                  .labels = true,
                  .first_by = "lost_s"};
  static constexpr std::array<std::string_view, 10> kStatistic{
      "faults.mean", "faults.stderr", "faults.stddev", "faults.min", "faults.p5",
      "faults.p25",  "faults.p50",    "faults.p75",    "faults.p95", "faults.max"};
  section.columns.push_back({kStatistic[0], "faults", 9});
  for (std::size_t i = 1; i < kStatistic.size(); ++i) {
    section.columns.push_back({.key = kStatistic[i], .shown = Shown::OffPage});
  }
  section.columns.insert(section.columns.end(), {{.key = "stops", .shown = Shown::OffPage},
                                                 {"", "share", 8},
                                                 {"lost_s", "lost", 10},
                                                 {"", "each", 10}});
  for (const CauseId i : study.plan.spec.causes.ids()) {
    const FaultCause& cause = study.plan.spec.causes[i];
    const bool slows = cause.effect == FaultCause::Effect::Degrade && std::isfinite(cause.slowdown);
    const Seconds lost = campaign.lost_by_cause[i].total();
    const double faults = campaign.faults_by_cause[i].mean;
    const double stops = campaign.stops_by_cause[i];
    Row row{.label = cause.name,
            .cells = {Figure::words(cause.component), quantity(cause.count),
                      Figure::words(name_of(cause.effect)),
                      slows ? quantity(cause.slowdown) : Figure::absent()},
            .depth = 1};
    for (const auto& [name, value] : parts_of(campaign.faults_by_cause[i])) {
      row.cells.push_back(quantity(value));
    }
    row.cells.insert(row.cells.end(),
                     {quantity(stops),
                      stops > 0 ? Figure::share(stops / campaign.failures.mean) : Figure::absent(),
                      Figure::days(lost),
                      faults > 0 ? Figure::number(lost.value / faults, each(lost / faults), "s")
                                 : Figure::absent("")});
    section.rows.push_back(std::move(row));
  }
  for (std::string& text : slow_parts_texts(study.plan)) {
    section.rows.push_back(sentence(std::move(text), Shown::Everywhere, 1));
  }
  if (campaign.left_out > 0) {
    section.rows.push_back(sentence(left_out_text(study), Shown::Everywhere, 1));
  }
  if (campaign.unnoticed > 0) {
    section.rows.push_back(sentence(
        fmt::format("{} corruptions of a run are not noticed by its end: what was trained since "
                    "counts as useful, and is worthless",
                    figure(campaign.unnoticed)),
        Shown::Everywhere, 1));
  }
  return section;
}

/// How much a failure may cost for an ETTR of 90 %, against what it costs.
Section allowance(const CampaignStudy& study) {
  constexpr double kGoal = 0.9;
  const Campaign& campaign = study.campaign;
  Section section{.heading = "What a failure may cost", .level = 2, .lead = Lead::Blank};
  double failures = 0;
  Seconds lost;
  for (const CauseId i : study.plan.spec.causes.ids()) {
    if (campaign.stops_by_cause[i] > 0) {
      failures += campaign.stops_by_cause[i];
      lost += campaign.lost_by_cause[i].total();
    }
  }
  if (failures < 1) {
    return section;
  }
  const Seconds other = Seconds{campaign.wall.mean} - campaign.time[CampaignPart::Useful] - lost;
  const Seconds allowed = Seconds{campaign.wall.mean} * (1 - kGoal) - other;
  const std::string cost = each(lost / failures);
  section.rows.push_back(sentence(
      allowed.value > 0
          ? fmt::format("A failure costs {}; ETTR is above {:.0f} % while it costs less than {}.",
                        cost, 100 * kGoal, each(allowed / failures))
          : fmt::format("A failure costs {}; what else is lost keeps ETTR below {:.0f} %.", cost,
                        100 * kGoal)));
  return section;
}

// ---- Checkpoints.

/// The interval of a tier in useful time.
Seconds interval_in(const CheckpointTier& tier, const CampaignStudy& study) {
  return interval_of(tier, study.job.step, study.plan.spec.semantics.whole_steps);
}

/// What the page says of checkpoints, tier by tier.
std::vector<Row> checkpoint_sentences(const CampaignStudy& study) {
  const Campaign& campaign = study.campaign;
  const CheckpointFile& file = study.plan.file;
  std::vector<Row> rows{sentence(
      fmt::format("Checkpoints: {} in a run; {} in {} ({}), training stands still for {}",
                  count_text(campaign.checkpoints.back()), to_text(file.size), to_text(file.write),
                  file.write_limit, to_text(campaign.tiers.back().blocking)))};
  for (const TierId i : IdRange(TierId{0}, campaign.tiers.last_id())) {
    const CheckpointTier& faster = campaign.tiers[i];
    rows.push_back(
        sentence(fmt::format("and in {}: {} in a run, every {}, standing still for {}", faster.name,
                             count_text(campaign.checkpoints[i]),
                             long_time(interval_in(faster, study)), to_text(faster.blocking)),
                 Shown::Everywhere, 1));
  }
  if (campaign.begun_anew > 0) {
    rows.push_back(
        sentence(fmt::format("{:.2f} times in a run no checkpoint was left that could be used, and "
                             "training began anew",
                             campaign.begun_anew),
                 Shown::Everywhere, 1));
  }
  return rows;
}

Section checkpoint(const CampaignStudy& study) {
  const Campaign& campaign = study.campaign;
  const CheckpointFile& file = study.plan.file;
  Section section{
      .key = "faults.checkpoint", .heading = "Checkpoints", .level = 2, .lead = Lead::Blank};
  if (campaign.tiers.empty()) {
    return section;
  }
  const CheckpointTier& tier = campaign.tiers.back();
  section.columns = figure_columns(22, 10);
  section.rows = checkpoint_sentences(study);
  section.rows.push_back(off_page("bytes", "size", Figure::size(file.size)));
  section.rows.push_back(off_page("write_s", "write", Figure::time(file.write)));
  section.rows.push_back(off_page("blocking_s", "standing still", Figure::time(tier.blocking)));
  section.rows.push_back(off_page("persist_s", "persisting", Figure::time(tier.persist)));
  section.rows.push_back(off_page("slowdown", "slowdown", quantity(tier.slowdown)));
  section.rows.push_back(off_page("count", "in a run", quantity(campaign.checkpoints.back())));
  const std::optional<IntervalStudy>& interval = study.interval;
  const bool searched = interval && interval->formula;
  const std::string by_formula =
      draws_faults(study.plan.spec) ? "by formula" : "by formula, for as many at random times";
  section.rows.push_back({.key = "interval_s",
                          .label = "interval",
                          .cells = {interval ? about(interval->used) : Figure::absent()},
                          .shown = interval ? Shown::Everywhere : Shown::OffPage});
  section.rows.push_back({.key = "best_interval_formula_s",
                          .label = "best",
                          .cells = {searched ? about(*interval->formula) : Figure::absent()},
                          .note = searched ? by_formula : "",
                          .shown = searched ? Shown::Everywhere : Shown::OffPage});
  section.rows.push_back(
      {.key = "best_interval_simulated_s",
       .label = "best by trying",
       .cells = {searched ? about(interval->best) : Figure::absent()},
       .note = searched ? fmt::format("; by trying {}", long_time(interval->best)) : "",
       .shown = searched ? Shown::Beside : Shown::OffPage});
  std::for_each(section.rows.begin() + 1, section.rows.end(), [](Row& row) { row.depth = 1; });
  return section;
}

/// ETTR by interval, where the best was looked for.
Section interval_curve(const CampaignStudy& study) {
  Section section{.key = "faults.checkpoint.curve",
                  .heading = "ETTR by interval",
                  .shape = Shape::Table,
                  .level = 2,
                  .lead = Lead::None,
                  .columns = {{.width = 22, .shown = Shown::PageOnly},
                              {.key = "interval_s", .label = "interval", .shown = Shown::OffPage},
                              {"ettr", "ETTR", 10},
                              {.key = "ettr_stderr", .shown = Shown::OffPage}}};
  if (!study.interval || !study.interval->formula) {
    return section;
  }
  double highest = 0;
  for (const IntervalTrial& point : study.interval->curve) {
    highest = std::max(highest, point.ettr);
  }
  for (const IntervalTrial& point : study.interval->curve) {
    section.rows.push_back({.label = long_time(point.interval),
                            .cells = {about(point.interval), Figure::share(point.ettr),
                                      Figure::share(point.stderr_of_ettr)},
                            .note = point.ettr >= highest ? "best" : "",
                            .depth = 1});
  }
  return section;
}

Section tiers(const CampaignStudy& study) {
  Section section{.key = "faults.checkpoint.tiers",
                  .heading = "Tiers",
                  .shape = Shape::Table,
                  .level = 2,
                  .lead = Lead::None,
                  .columns = {{"name", "tier"},
                              {"count", "count"},
                              {"interval_s", "interval"},
                              {"blocking_s", "blocking"},
                              {"persist_s", "persist"},
                              {"slowdown", "slowdown"}}};
  for (const TierId i : study.campaign.tiers.ids()) {
    const CheckpointTier& tier = study.campaign.tiers[i];
    const Seconds interval = interval_in(tier, study);
    section.rows.push_back({.label = tier.name,
                            .cells = {quantity(study.campaign.checkpoints[i]),
                                      interval < kNever ? about(interval) : Figure::absent(),
                                      Figure::time(tier.blocking), Figure::time(tier.persist),
                                      quantity(tier.slowdown)},
                            .shown = Shown::OffPage});
  }
  return section;
}

// ---- What would help, and what it rests on.

Section what_if(const CampaignStudy& study) {
  Section section{.key = "faults.what_if",
                  .heading = "What would help",
                  .shape = Shape::Table,
                  .level = 2,
                  .lead = Lead::Blank,
                  .columns = {{"remedy", "What would help", 40, true},
                              {"saved_s", "saves", 10},
                              {"saved_stderr_s", "", 8, true},
                              {.key = "wall_s", .shown = Shown::OffPage},
                              {"ettr", "ETTR", 8}},
                  .labels = true};
  for (const WhatIf& remedy : study.what_if) {
    section.rows.push_back(
        {.label = remedy.name,
         .cells = {Figure::days(remedy.saved),
                   Figure::number(
                       remedy.stderr_of_saved.value,
                       study.campaign.trials > 1 &&
                               (remedy.stderr_of_saved.value > 0 || draws_faults(study.plan.spec))
                           ? fmt::format("+- {:.2g}", remedy.stderr_of_saved.value / kDay)
                           : "",
                       "s"),
                   Figure::days(remedy.wall), Figure::share(remedy.ettr)},
         .depth = 1});
  }
  return section;
}

Section assumptions(const FaultsPlan& plan) {
  Section section{.key = "faults.assumptions",
                  .heading = "Assumptions of the preset",
                  .shape = Shape::List,
                  .level = 2,
                  .lead = Lead::Blank};
  if (!plan.assumptions.empty()) {
    section.rows.push_back(sentence("This rests on assumptions of the preset:", Shown::PageOnly));
  }
  for (const std::string& assumption : plan.assumptions) {
    section.rows.push_back({.cells = {Figure::words(assumption)}, .depth = 1});
  }
  return section;
}

}  // namespace

std::vector<Section> faults_sections(const std::optional<FaultsReport>& faults) {
  if (!faults) {
    return {{.key = "faults", .heading = "Faults"}};
  }
  const CampaignStudy& study = faults->study;
  std::vector<Section> sections{outcome(*faults),     days_by_part(study.campaign),
                                lost(study.campaign), gpu_time(study.campaign),
                                by_cause(study),      slow_parts(study.plan),
                                allowance(study),     checkpoint(study)};
  if (!study.campaign.tiers.empty()) {
    sections.push_back(interval_curve(study));
    sections.push_back(tiers(study));
  }
  sections.push_back(what_if(study));
  sections.push_back(assumptions(study.plan));
  return sections;
}

}  // namespace danlu
