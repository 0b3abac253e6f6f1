// What a report begins with: does it fit, what limits the step, the plan in words, what it rests
// on.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/report/faults_report.hpp"
#include "sim/report/page.hpp"
#include "sim/report/plan_text.hpp"
#include "sim/report/sections.hpp"
#include "sim/report/verdict.hpp"

namespace danlu {
namespace {

/// What the one change would save that was played, and how much of the step that is.
std::string saving_text(const Report& report) {
  if (!report.saving) {
    return report.untried.empty() ? "" : fmt::format(" (no change tried: {})", report.untried);
  }
  const Seconds saved = report.step.time - report.saving->step;
  return fmt::format(": {} would save {} ({})", report.saving->change, to_text(saved),
                     percent(saved / report.step.time));
}

std::string cost_text(const std::optional<double>& dollars) {
  return dollars ? fmt::format(", {} USD", figure(*dollars)) : "";
}

/// As the sections below have it, in days where it is days.
std::string run_length(Seconds time) {
  return time.value >= kDay ? days_text(time) : long_time(time);
}

/// Whether it fits, what limits the step, and the figures that people ask for first.
Section verdict(const Report& report) {
  const StepReport& step = report.step;
  Section section{.key = "verdict", .heading = "Verdict", .lead = Lead::None};
  section.rows = {
      off_page("fits", "", Figure::flag(report.memory.fits())),
      {.key = "memory", .cells = {Figure::words(fits_text(report.memory))}},
      off_page("limited_by", "", Figure::words(limit_text(step))),
      sentence(fmt::format("limited by {}{}", limit_text(step), saving_text(report)),
               Shown::PageOnly),
      sentence(fmt::format("step {}, MFU {}, {} tokens/s per GPU", to_text(step.time),
                           percent(step.mfu), figure(step.tokens_per_second / report.gpus)),
               Shown::PageOnly)};
  if (report.trust) {
    section.rows.push_back(
        sentence(fmt::format("validated: {}", trust_text(*report.trust)), Shown::PageOnly));
  }
  if (report.memory_trust) {
    section.rows.push_back(
        sentence(fmt::format("memory validated: {}",
                             memory_trust_text(*report.memory_trust, report.memory.use.peak(),
                                               report.memory.capacity)),
                 Shown::PageOnly));
  }
  if (report.run) {
    section.rows.push_back(
        sentence(fmt::format("whole run {}{}", run_length(Seconds{report.run->days * kDay}),
                             cost_text(report.run->cost_usd)),
                 Shown::PageOnly));
  }
  if (report.faults) {
    const Campaign& campaign = report.faults->study.campaign;
    const int standing_by = spare_nodes(*report.faults);
    const int nodes = (report.gpus + report.gpus_per_node - 1) / report.gpus_per_node;
    section.rows.push_back(sentence(
        fmt::format(
            "with faults {}{}{}, ETTR {}, goodput {}", run_length(Seconds{campaign.wall.mean}),
            cost_text(report.faults->cost_usd),
            standing_by > 0 ? fmt::format(" ({} spare nodes beside {})", standing_by, nodes) : "",
            percent(campaign.ettr.mean), percent(report.faults->goodput)),
        Shown::PageOnly));
  }
  return section;
}

Section limits(const StepReport& step) {
  Section section{.key = "verdict.limits",
                  .heading = "What the step spends its time on",
                  .shape = Shape::Table,
                  .level = 2,
                  .lead = Lead::None,
                  .columns = {{"key", "key"}, {"name", "name"}, {"share", "share"}}};
  for (const StepLimit& limit : limits_of(step)) {
    section.rows.push_back({.label = std::string(limit.key),
                            .cells = {Figure::words(limit.name), Figure::share(limit.share)},
                            .shown = Shown::OffPage});
  }
  return section;
}

Section saving(const Report& report) {
  const std::optional<Saving>& saving = report.saving;
  Section section{
      .key = "verdict.saving", .heading = "What would save most", .level = 2, .lead = Lead::None};
  if (saving) {
    section.rows = {off_page("change", "", Figure::words(saving->change)),
                    off_page("step_s", "step with it", Figure::time(saving->step)),
                    off_page("saved_s", "saved", Figure::time(report.step.time - saving->step))};
  }
  return section;
}

Section trust(const std::optional<Trust>& trust) {
  Section section{.key = "verdict.validated",
                  .heading = "Published runs like this one",
                  .level = 2,
                  .lead = Lead::None};
  if (!trust) {
    return section;
  }
  const auto count = [&](int number) {
    return trust->runs > 0 ? Figure::count(number) : Figure::absent();
  };
  section.rows = {
      off_page("likeness", "", Figure::words(name_of(trust->likeness))),
      off_page("gpu", "GPU", Figure::words(trust->gpu)),
      off_page("framework", "",
               trust->framework.empty() ? Figure::absent() : Figure::words(trust->framework)),
      off_page("kind", "", Figure::words(trust->kind)),
      off_page("own_figures", "own figures of the GPU", Figure::flag(trust->own_figures)),
      off_page("runs", "", Figure::count(trust->runs)),
      off_page("in_sample", "with their publishers' runs in the fits",
               Figure::count(trust->in_sample)),
      off_page("fewest_gpus", "fewest GPUs", count(trust->fewest_gpus)),
      off_page("most_gpus", "most GPUs", count(trust->most_gpus)),
      off_page("median_abs_error", "median error", Figure::share(trust->median_abs)),
      off_page("p90_abs_error", "90th percentile", Figure::share(trust->p90_abs)),
      off_page("mean_error", "mean error", Figure::share(trust->mean))};
  return section;
}

Section memory_trust(const Report& report) {
  const std::optional<MemoryTrust>& trust = report.memory_trust;
  Section section{.key = "verdict.validated_memory",
                  .heading = "Published peaks of memory of such plans",
                  .level = 2,
                  .lead = Lead::None};
  if (!trust) {
    return section;
  }
  const Bytes peak = report.memory.use.peak();
  section.rows = {
      off_page("likeness", "", Figure::words(name_of(trust->likeness))),
      off_page("framework", "",
               trust->framework.empty() ? Figure::absent() : Figure::words(trust->framework)),
      off_page("kind", "", Figure::words(trust->kind)),
      off_page("peaks", "", Figure::count(trust->peaks)),
      off_page("median_abs_error", "median error", Figure::share(trust->median_abs)),
      off_page("p90_abs_error", "90th percentile", Figure::share(trust->p90_abs)),
      off_page("mean_error", "mean error", Figure::share(trust->mean)),
      off_page("p90_times", "nine of ten are at most so many times what is simulated",
               trust->p90_times ? Figure::number(*trust->p90_times, figure(*trust->p90_times))
                                : Figure::absent()),
      off_page("may_need_bytes", "so much of this plan",
               trust->p90_times ? Figure::size(trust->may_need(peak)) : Figure::absent()),
      off_page("fits_within_error_only", "",
               Figure::flag(fits_within_error_only(*trust, peak, report.memory.capacity)))};
  return section;
}

/// A list of words, each a line that begins with `label`.
Section list_of(std::string key, std::string heading, const std::vector<std::string>& items,
                std::string_view label = "", Shown shown = Shown::Everywhere) {
  Section section{.key = std::move(key),
                  .heading = std::move(heading),
                  .shape = Shape::List,
                  .lead = Lead::None,
                  .indent = 0};
  for (const std::string& item : items) {
    section.rows.push_back(
        {.label = std::string(label), .cells = {Figure::words(item)}, .shown = shown});
  }
  return section;
}

Section hints(const Report& report) {
  Section section =
      list_of("verdict.hints", "How it would fit", report.memory_hints, "", Shown::OffPage);
  section.level = 2;
  return section;
}

Section remedies(const Remedies& remedies) {
  Section section{.key = "verdict.remedies",
                  .heading = fmt::format("Changes with which it would fit ({} of {} played)",
                                         remedies.played.size(), remedies.found),
                  .shape = Shape::Table,
                  .level = 2,
                  .lead = Lead::None,
                  .columns = {{"change", "change", 0, true},
                              {"peak_bytes", "peak", 10},
                              {"verdict", "verdict", 8},
                              {"step_s", "step", 10}},
                  .labels = true};
  for (const Remedy& remedy : remedies.played) {
    section.rows.push_back(
        {.label = remedy.change,
         .cells = {Figure::size(remedy.memory.use.peak()), Figure::words(remedy.memory.verdict()),
                   remedy.step ? Figure::time(*remedy.step) : Figure::absent()},
         .shown = Shown::OffPage});
  }
  return section;
}

Section scenario(const Report& report) {
  Section section{.heading = "Scenario",
                  .lead = Lead::Blank,
                  .rows = {sentence(fmt::format("{} ({:.4g} B parameters) on {} x {}, {}",
                                                report.model, report.parameters / 1e9,
                                                thousands(report.gpus), report.gpu, report.cluster),
                                    Shown::PageOnly)},
                  .indent = 0};
  for (auto& [key, value] : std::vector<std::pair<std::string, Figure>>{
           {"scenario", Figure::words(report.scenario)},
           {"model", Figure::words(report.model)},
           {"parameters", Figure::number(report.parameters, thousands(report.parameters))},
           {"topology", Figure::words(report.cluster)},
           {"gpu", Figure::words(report.gpu)},
           {"gpus", Figure::count(report.gpus)}}) {
    section.rows.push_back(off_page(key, "", value));
  }
  return section;
}

Section plan(const Workload& workload) {
  Section section{.key = "plan", .heading = "Plan", .lead = Lead::None, .indent = 0};
  std::vector<std::pair<std::string, std::string>> lines{{"layout", layout_line(workload)}};
  if (workload.model.experts.count > 0) {
    lines.emplace_back("experts", experts_line(workload));
  }
  lines.emplace_back("overlap", overlap_line(workload));
  lines.emplace_back("precision", precision_line(workload));
  lines.emplace_back("batch", batch_line(workload));
  for (const auto& [key, line] : lines) {
    section.rows.push_back({.key = key,
                            .cells = {Figure::words(line)},
                            .shown = line.empty() ? Shown::OffPage : Shown::Everywhere});
  }
  return section;
}

/// What the scenario makes worse, by key: "nics.3 0.5, gpus.5 1.4"; no row if it is whole.
Section damage(const Report& report) {
  constexpr std::string_view kSection = "degraded.";
  constexpr std::size_t kMost = 8;
  std::vector<std::string> parts;
  for (const ReportSetting& setting : report.settings) {
    if (setting.from_user && setting.key.starts_with(kSection)) {
      parts.push_back(fmt::format("{} {}", setting.key.substr(kSection.size()), setting.text));
    }
  }
  const std::size_t more = parts.size() - std::min(parts.size(), kMost);
  parts.resize(parts.size() - more);
  Section section{.heading = "Degraded", .lead = Lead::None, .indent = 0};
  if (!parts.empty()) {
    section.rows.push_back(
        sentence(fmt::format("degraded: {}{}", fmt::join(parts, ", "),
                             more > 0 ? fmt::format(" and {} more", more) : "")));
  }
  return section;
}

Section assumptions(const Report& report) {
  Section section{.key = "assumed",
                  .heading = "Assumed",
                  .shape = Shape::Table,
                  .lead = Lead::None,
                  .columns = {{"key", "key"}, {"value", "value"}, {"reason", "reason"}},
                  .indent = 0};
  for (const ReportAssumption& assumed : report.assumptions) {
    section.rows.push_back({.label = assumed.key,
                            .cells = {Figure::words(assumed.text), Figure::words(assumed.reason)},
                            .shown = Shown::OffPage});
  }
  if (!section.rows.empty()) {
    section.rows.push_back(
        sentence(fmt::format("assumed: {}", assumed_text(report)), Shown::PageOnly));
  }
  return section;
}

Section overrides(const Report& report) {
  Section section =
      list_of("overrides", "Changed on the command line", report.overrides, "", Shown::OffPage);
  if (!section.rows.empty()) {
    section.rows.push_back(
        sentence(fmt::format("changed: {}", fmt::join(report.overrides, ", ")), Shown::PageOnly));
  }
  return section;
}

}  // namespace

std::vector<Section> heading_sections(const Report& report) {
  return {verdict(report),
          limits(report.step),
          saving(report),
          trust(report.trust),
          memory_trust(report),
          hints(report),
          remedies(report.remedies),
          scenario(report),
          plan(report.workload),
          list_of("notes", "Notes", report.notes, "note"),
          damage(report),
          assumptions(report),
          overrides(report)};
}

}  // namespace danlu
