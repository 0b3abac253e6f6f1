// Runs side by side: what differs between their scenarios, their figures, and where the difference
// lies.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "sim/report/faults_report.hpp"
#include "sim/report/page.hpp"
#include "sim/report/plan_text.hpp"
#include "sim/report/waterfall.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

constexpr std::size_t kColumn = 18;

void add_columns(std::string_view name, std::span<const Report> reports, Page& page,
                 const std::function<std::string(const Report&)>& value) {
  std::string cells;
  for (const Report& report : reports) {
    cells += fmt::format(" {:>{}}", value(report).substr(0, kColumn), kColumn);
  }
  page.line("  {:<20}{}", name, cells);
}

void add_step_waterfall(const Report& base, const Report& other, Page& page) {
  const Difference against = difference(base, other);
  Waterfall waterfall{.what = "step", .from = base.step.time, .to = other.step.time};
  for (std::size_t i = 0; i < kTimeParts; ++i) {
    waterfall.parts.emplace_back(part_name(kTimePartNames[i]), against.parts.parts[i]);
  }
  page.heading(fmt::format("From {} to {}", base.scenario, other.scenario));
  add_waterfall(
      waterfall, [](Seconds time) { return to_text(time); }, page);
}

/// Each scenario with its plan, then the keys that set them apart.
void add_legend(std::span<const Report> reports, Page& page) {
  page.title("Side by side");
  for (std::size_t i = 0; i < reports.size(); ++i) {
    const Report& report = reports[i];
    page.line("  [{}] {}: {} on {} x {}, {}", i + 1, report.scenario, report.model,
              thousands(report.gpus), report.gpu, report.cluster);
    const std::string overlap = overlap_line(report.workload);
    page.line("      {}{}{}", layout_line(report.workload), overlap.empty() ? "" : "; ", overlap);
    page.line("      {}; {}", precision_line(report.workload), batch_line(report.workload));
    if (!report.assumptions.empty()) {
      page.line("      assumed: {}", assumed_text(report));
    }
  }
}

/// The keys that differ, a column for each scenario.
void add_differences(std::span<const Report> reports, Page& page) {
  const std::vector<DifferentSetting> settings = different_settings(reports);
  if (settings.empty()) {
    page.line("  no key differs");
    return;
  }
  page.heading("What differs");
  std::size_t width = 20;
  for (const DifferentSetting& setting : settings) {
    width = std::max(width, setting.key.size());
  }
  std::string numbers;
  for (std::size_t i = 1; i <= reports.size(); ++i) {
    numbers += fmt::format(" {:>{}}", fmt::format("[{}]", i), kColumn);
  }
  page.line("  {:<{}}{}", "", width, numbers);
  const auto add_rows = [&](bool follows) {
    for (const DifferentSetting& setting : settings) {
      if (setting.follows != follows) {
        continue;
      }
      std::string cells;
      for (const std::string& text : setting.texts) {
        cells += fmt::format(" {:>{}}", text, kColumn);
      }
      page.line("  {:<{}}{}", setting.key, width, cells);
    }
  };
  add_rows(false);
  if (std::any_of(settings.begin(), settings.end(),
                  [](const DifferentSetting& setting) { return setting.follows; })) {
    page.line("  and from the presets, among others (danlu show has all):");
    add_rows(true);
  }
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

}  // namespace

std::string text_comparison(std::span<const Report> reports, bool colour) {
  Page page(colour);
  add_legend(reports, page);
  add_differences(reports, page);
  page.line("");
  std::size_t number = 0;
  add_columns("", reports, page, [&](const Report&) { return fmt::format("[{}]", ++number); });
  add_columns("GPUs", reports, page, [](const Report& r) { return thousands(r.gpus); });
  add_columns("tokens per step", reports, page,
              [](const Report& r) { return thousands(r.workload.tokens_per_step()); });
  add_columns("step time", reports, page, [](const Report& r) { return to_text(r.step.time); });
  add_columns("tokens/s per GPU", reports, page,
              [](const Report& r) { return figure(r.step.tokens_per_second / r.gpus); });
  add_columns("MFU", reports, page, [](const Report& r) { return percent(r.step.mfu); });
  add_columns("overlap", reports, page,
              [](const Report& r) { return percent(r.step.all_communication.overlap_ratio()); });
  add_columns("bubble", reports, page,
              [](const Report& r) { return percent(r.step.bubble_fraction); });
  add_columns("memory", reports, page, [](const Report& r) {
    return fmt::format("{}{}", to_text(r.memory.use.peak()), r.memory.fits() ? "" : ", no fit");
  });
  page.heading("Communication: exposed of total");
  for (std::size_t k = 0; k < kCommunicationKinds; ++k) {
    const bool present = std::any_of(reports.begin(), reports.end(), [&](const Report& r) {
      return r.step.by_kind[k].time > Seconds{};
    });
    if (present) {
      add_columns(kCommunicationKindNames[k], reports, page, [&](const Report& r) {
        const KindOverlap& overlap = r.step.by_kind[k];
        return overlap.time == Seconds{} ? "-" : part_of_whole(overlap.exposed, overlap.time);
      });
    }
  }
  page.heading("Where the time goes");
  for (std::size_t i = 0; i < kTimeParts; ++i) {
    const bool present = std::any_of(reports.begin(), reports.end(), [&](const Report& r) {
      return r.step.breakdown.parts[i] != Seconds{};
    });
    if (!present) {
      continue;
    }
    add_columns(part_name(kTimePartNames[i]), reports, page,
                [&](const Report& r) { return to_text(r.step.breakdown.parts[i]); });
  }
  add_faults_comparison(reports, page);
  for (const Report& other : reports.subspan(1)) {
    add_step_waterfall(reports.front(), other, page);
    for (const std::string& choice : turned_choices(reports.front(), other)) {
      page.line("  carried out otherwise: {}", choice);
    }
    add_faults_waterfall(reports.front(), other, page);
  }
  return page.take();
}

}  // namespace danlu
