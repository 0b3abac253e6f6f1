// Runs side by side: what differs between their scenarios, their figures, and where the difference
// lies.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "sim/report/faults_report.hpp"
#include "sim/report/page.hpp"
#include "sim/report/plan_text.hpp"
#include "sim/report/sections.hpp"
#include "sim/report/waterfall.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

using Reports = std::span<const Report>;

constexpr std::size_t kColumn = 18;

/// A column for each run, by number.
std::vector<Column> columns_of(Reports reports, std::size_t width = 20) {
  std::vector<Column> columns{{"", "", width, true}};
  for (std::size_t i = 1; i <= reports.size(); ++i) {
    columns.push_back({"", fmt::format("[{}]", i), kColumn});
  }
  return columns;
}

/// A row of figures, one for each run, no wider than their columns.
Row row_of(std::string_view label, Reports reports,
           const std::function<Figure(const Report&)>& figure) {
  Row row{.label = std::string(label)};
  for (const Report& report : reports) {
    row.cells.push_back(figure(report));
    row.cells.back().text.resize(std::min(row.cells.back().text.size(), kColumn));
  }
  return row;
}

bool any_of(Reports reports, const std::function<bool(const Report&)>& is) {
  return std::any_of(reports.begin(), reports.end(), is);
}

// ---- The scenarios.

/// Each scenario with its plan.
Section legend(Reports reports) {
  Section section{.heading = "Scenarios", .lead = Lead::None};
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const Report& report = reports[i];
    const std::string overlap = overlap_line(report.workload);
    const auto add = [&](std::string words, int depth) {
      section.rows.push_back(sentence(std::move(words), Shown::Everywhere, depth));
    };
    add(fmt::format("[{}] {}: {} on {} x {}, {}", i + 1, report.scenario, report.model,
                    thousands(report.gpus), report.gpu, report.cluster),
        0);
    add(fmt::format("{}{}{}", layout_line(report.workload), overlap.empty() ? "" : "; ", overlap),
        2);
    if (std::string experts = experts_line(report.workload); !experts.empty()) {
      add(std::move(experts), 2);
    }
    add(fmt::format("{}; {}", precision_line(report.workload), batch_line(report.workload)), 2);
    if (!report.assumptions.empty()) {
      add(fmt::format("assumed: {}", assumed_text(report)), 2);
    }
  }
  section.rows.push_back(off_page("base", "base", Figure::words(reports.front().scenario)));
  return section;
}

/// The keys that differ, a column for each scenario; the page has those of the presets last.
Section differences(Reports reports) {
  const std::vector<DifferentSetting> settings = different_settings(reports);
  Section all{.key = "settings",
              .heading = "What differs",
              .shape = Shape::Lists,
              .lead = settings.empty() ? Lead::None : Lead::Heading,
              .columns = columns_of(reports),
              .labels = true,
              .empty = "no key differs"};
  std::vector<Row> followers;
  for (const DifferentSetting& setting : settings) {
    Row row{.key = setting.key, .label = setting.key};
    for (const std::string& text : setting.texts) {
      row.cells.push_back(Figure::words(text));
    }
    std::size_t& width = all.columns.front().width;
    width = std::max(width, setting.key.size());
    if (setting.follows) {
      followers.push_back(row);
      followers.back().key.clear();
      followers.back().shown = Shown::PageOnly;
      row.note = "from a preset";
      row.shown = Shown::OffPage;
    }
    all.rows.push_back(std::move(row));
  }
  if (!followers.empty()) {
    all.rows.push_back(
        sentence("and from the presets, among others (danlu show has all):", Shown::PageOnly));
    all.rows.insert(all.rows.end(), followers.begin(), followers.end());
  }
  return all;
}

// ---- Their figures.

Section figures(Reports reports) {
  Section section{
      .heading = "Figures", .lead = Lead::Blank, .columns = columns_of(reports), .labels = true};
  const auto add = [&](std::string_view label, const std::function<Figure(const Report&)>& figure) {
    section.rows.push_back(row_of(label, reports, figure));
  };
  add("GPUs", [](const Report& r) { return Figure::count(r.gpus); });
  add("tokens per step", [](const Report& r) {
    const double tokens = r.workload.tokens_per_step();
    return Figure::number(tokens, thousands(tokens));
  });
  add("step time", [](const Report& r) { return Figure::time(r.step.time); });
  add("tokens/s per GPU", [](const Report& r) {
    const double tokens = r.step.tokens_per_second / r.gpus;
    return Figure::number(tokens, figure(tokens), "1/s");
  });
  add("MFU", [](const Report& r) { return Figure::share(r.step.mfu); });
  add("MBU", [](const Report& r) { return Figure::share(r.step.mbu); });
  add("overlap",
      [](const Report& r) { return Figure::share(r.step.all_communication.overlap_ratio()); });
  add("bubble", [](const Report& r) { return Figure::share(r.step.bubble_fraction); });
  add("memory", [](const Report& r) {
    Figure peak = Figure::size(r.memory.use.peak());
    peak.text += r.memory.fits() ? "" : ", no fit";
    return peak;
  });
  return section;
}

/// What 1 % more of each resource is worth in each run, where that was asked for.
Section elasticities(Reports reports) {
  Section section{.heading = "Elasticities: 1 % more of it makes the step so many per cent shorter",
                  .columns = columns_of(reports, 22),
                  .labels = true};
  if (!reports.front().sensitivity) {
    return section;
  }
  const std::vector<ResourceGain>& all = reports.front().sensitivity->resources;
  for (std::size_t i = 0; i < all.size(); ++i) {
    section.rows.push_back(row_of(all[i].name, reports, [&](const Report& r) {
      return elasticity_figure(r.sensitivity->resources[i].elasticity(r.step.time));
    }));
  }
  section.rows.push_back(row_of("sum", reports, [](const Report& r) {
    return elasticity_figure(r.sensitivity->sum(r.step.time));
  }));
  return section;
}

/// "4.266 of 8.268 s": both in the unit of the whole.
std::string part_of_whole(Seconds part, Seconds whole) {
  for (const auto& [unit, name] : {std::pair(1.0, "s"), {1e-3, "ms"}, {1e-6, "us"}}) {
    if (whole.value >= unit) {
      return fmt::format("{} of {} {}", figure(part.value / unit), figure(whole.value / unit),
                         name);
    }
  }
  return fmt::format("{} of {}", to_text(part), to_text(whole));
}

Section communication(Reports reports) {
  Section section{
      .heading = "Communication: exposed of total", .columns = columns_of(reports), .empty = ""};
  for (const Named<Axis>& axis : kNames<Axis>) {
    if (any_of(reports,
               [&](const Report& r) { return r.step.by_kind[axis.value].time > Seconds{}; })) {
      section.rows.push_back(row_of(axis.name, reports, [&](const Report& r) {
        const KindOverlap& overlap = r.step.by_kind[axis.value];
        return overlap.time == Seconds{}
                   ? Figure::absent()
                   : Figure::number(overlap.exposed.value,
                                    part_of_whole(overlap.exposed, overlap.time), "s");
      }));
    }
  }
  return section;
}

Section breakdown(Reports reports) {
  Section section{.heading = "Where the time goes", .columns = columns_of(reports)};
  for (const Named<TimePart>& part : kNames<TimePart>) {
    const auto time = [&](const Report& r) { return r.step.breakdown[part.value]; };
    if (any_of(reports, [&](const Report& r) { return time(r) != Seconds{}; })) {
      section.rows.push_back(row_of(part_name(part.name), reports,
                                    [&](const Report& r) { return Figure::time(time(r)); }));
    }
  }
  return section;
}

/// What the tokens of a run take, nothing failing; scenarios without training.tokens have none.
Section whole_runs(Reports reports) {
  Section section{.heading = "Whole run, nothing failing", .columns = columns_of(reports)};
  if (!any_of(reports, [](const Report& r) { return r.run.has_value(); })) {
    return section;
  }
  const auto add = [&](std::string_view label,
                       const std::function<Figure(const RunReport&)>& figure) {
    section.rows.push_back(row_of(label, reports, [&](const Report& r) {
      return r.run ? figure(*r.run) : Figure::absent();
    }));
  };
  add("tokens", [](const RunReport& r) { return Figure::number(r.tokens, thousands(r.tokens)); });
  add("days", [](const RunReport& r) { return Figure::amount(r.days, "days"); });
  add("GPU-years", [](const RunReport& r) { return Figure::amount(r.gpu_years, "GPU-years"); });
  add("energy", [](const RunReport& r) { return Figure::amount(r.energy_mwh, "MWh"); });
  add("of the GPUs", [](const RunReport& r) { return Figure::amount(r.gpu_energy_mwh, "MWh"); });
  add("cost", [](const RunReport& r) { return Figure::amount(r.cost_usd, "USD"); });
  return section;
}

/// Campaigns side by side; runs without one have none to show.
Section campaigns(Reports reports) {
  Section section{.heading = "With faults", .columns = columns_of(reports)};
  if (!any_of(reports, [](const Report& r) { return r.faults.has_value(); })) {
    return section;
  }
  const auto add = [&](std::string_view label,
                       const std::function<Figure(const FaultsReport&)>& figure) {
    section.rows.push_back(row_of(label, reports, [&](const Report& r) {
      return r.faults ? figure(*r.faults) : Figure::absent();
    }));
  };
  const auto in_days = [](Seconds time) {
    return Figure::number(time.value / kDay, figure(time.value / kDay), "days");
  };
  add("days", [&](const FaultsReport& f) { return in_days({f.study.campaign.wall.mean}); });
  add("useful days", [&](const FaultsReport& f) { return in_days(f.fault_free); });
  add("ETTR", [](const FaultsReport& f) { return Figure::share(f.study.campaign.ettr.mean); });
  add("goodput", [](const FaultsReport& f) { return Figure::share(f.goodput); });
  if (any_of(reports, [](const Report& r) { return r.faults && spare_nodes(*r.faults) > 0; })) {
    add("spare nodes", [](const FaultsReport& f) {
      return Figure::number(spare_nodes(f), fmt::format("{}", spare_nodes(f)));
    });
  }
  add("failures", [](const FaultsReport& f) {
    const double failures = f.study.campaign.failures.mean;
    return Figure::number(failures, figure(failures));
  });
  for (const CampaignPart part : kWallParts) {
    const bool any = any_of(reports, [&](const Report& r) {
      return r.faults && r.faults->study.campaign.time[part].value != 0;
    });
    if (any && part != CampaignPart::Useful) {
      add(name_of(part),
          [&](const FaultsReport& f) { return Figure::days(f.study.campaign.time[part]); });
    }
  }
  if (any_of(reports, [](const Report& r) { return r.faults && r.faults->cost_usd; })) {
    add("cost", [](const FaultsReport& f) { return Figure::amount(f.cost_usd, "USD"); });
    if (any_of(reports, [](const Report& r) { return r.faults && idle_cost_usd(*r.faults) > 0; })) {
      add("of it idle nodes", [](const FaultsReport& f) {
        return f.cost_usd ? Figure::amount(idle_cost_usd(f), "USD") : Figure::absent();
      });
    }
  }
  return section;
}

// ---- Where the difference lies.

/// From the step of one run to that of another.
Section step_difference(const std::string& key, const Report& base, const Report& other) {
  const Difference against = difference(base, other);
  Section section{.key = key,
                  .heading = fmt::format("From {} to {}", base.scenario, other.scenario),
                  .columns = waterfall_columns()};
  Waterfall waterfall{.what = "step",
                      .key = "step_s",
                      .from = base.step.time,
                      .to = other.step.time,
                      .figure = Figure::time};
  for (const auto& [part, name] : kNames<TimePart>) {
    waterfall.parts.push_back(
        {fmt::format("parts_s.{}", name), part_name(name), against.parts[part]});
  }
  section.rows = waterfall_rows(waterfall);
  section.rows.insert(section.rows.begin(),
                      off_page("scenario", "to", Figure::words(other.scenario)));
  for (const std::string& choice : turned_choices(base, other)) {
    section.rows.push_back(sentence(fmt::format("carried out otherwise: {}", choice)));
  }
  return section;
}

/// How the days of one campaign become those of another; null in JSON unless both are campaigns.
Section days_difference(const std::string& key, const Report& base, const Report& other) {
  Section section{
      .key = key + ".faults",
      .heading = fmt::format("With faults, from {} to {}", base.scenario, other.scenario),
      .columns = waterfall_columns()};
  if (!base.faults || !other.faults) {
    return section;
  }
  const CampaignDifference against = campaign_difference(*base.faults, *other.faults);
  Waterfall waterfall{.what = "days",
                      .key = "wall_s",
                      .from = Seconds{base.faults->study.campaign.wall.mean},
                      .to = Seconds{other.faults->study.campaign.wall.mean},
                      .figure = Figure::days};
  for (const CampaignPart part : kWallParts) {
    const std::string_view name = name_of(part);
    waterfall.parts.push_back(
        {fmt::format("time_s.{}", name), std::string(name), against.parts[part]});
  }
  section.rows = waterfall_rows(waterfall);
  return section;
}

}  // namespace

Document comparison_of(Reports reports) {
  Document document{.schema = "danlu.compare/1", .title = "Side by side"};
  document.sections = {legend(reports),        differences(reports), figures(reports),
                       communication(reports), breakdown(reports),   elasticities(reports),
                       whole_runs(reports),    campaigns(reports)};
  for (std::size_t i = 1; i < reports.size(); ++i) {
    const std::string key = fmt::format("differences.{}", i - 1);
    document.sections.push_back(step_difference(key, reports.front(), reports[i]));
    document.sections.push_back(days_difference(key, reports.front(), reports[i]));
  }
  for (const Report& report : reports) {
    document.runs.push_back(document_of(report));
  }
  return document;
}

}  // namespace danlu
