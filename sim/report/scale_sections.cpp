#include <fmt/format.h>

#include <algorithm>

#include "sim/base/shell_word.hpp"
#include "sim/base/text.hpp"
#include "sim/report/page.hpp"
#include "sim/report/plan_text.hpp"
#include "sim/report/scale_report.hpp"
#include "sim/report/sections.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

const Report* first_report(const ScaleReport& scale) {
  for (const ScaledPlan& size : scale.sizes) {
    if (size.best) {
      return &size.best->report;
    }
  }
  return nullptr;
}

Section heading(const ScaleReport& scale) {
  Section section{.heading = "", .lead = Lead::None};
  const auto add = [&](std::string words) { section.rows.push_back(sentence(std::move(words))); };
  if (const Report* report = first_report(scale)) {
    add(fmt::format("{} on {}, {}", report->model, report->gpu, report->cluster));
    add(fmt::format("batch {} sequences of {} tokens for every number of GPUs",
                    thousands(report->workload.training.global_batch),
                    thousands(report->workload.training.sequence_length)));
    add(report->faults ? "days and cost are the campaign's, with its faults"
        : report->run
            ? "days and cost are of training.tokens, without faults"
            : "without training.tokens the front is of one step: its time, and its GPU hours");
  }
  if (!scale.own_obstacle.empty()) {
    add(fmt::format("the scenario as it stands {}", scale.own_obstacle));
  }
  section.rows.push_back(off_page("scenario", "scenario", Figure::words(scale.scenario)));
  section.rows.push_back(off_page("file", "file", Figure::words(scale.file)));
  section.rows.push_back(off_page("wall_s", "wall", Figure::time(scale.wall)));
  return section;
}

Figure days_of(const Report& report) {
  return report.faults || report.run ? Figure::days(totals_of(report).time) : Figure::absent();
}

bool has_price(const Report& report) {
  return report.faults ? report.faults->cost_usd.has_value()
                       : report.run && report.run->cost_usd.has_value();
}

std::vector<Figure> cells_of(const RankedPlan& plan, const Report& least, bool on_front) {
  const Report& report = plan.report;
  const double tokens = report.step.tokens_per_second;
  const double scaling = least.step.time / report.step.time * least.gpus / report.gpus;
  const double cost = totals_of(report).cost;
  return {Figure::time(report.step.time),
          Figure::number(tokens, figure(tokens), "1/s"),
          Figure::share(report.step.mfu),
          Figure::share(scaling),
          days_of(report),
          report.faults ? Figure::share(report.faults->goodput) : Figure::absent(),
          Figure::number(cost, figure(cost), has_price(report) ? "USD" : "h"),
          Figure::flag(on_front),
          Figure::words(plan.options),
          Figure::words(plan.plan),
          Figure::words(on_front ? "front" : "")};
}

Section sizes(const ScaleReport& scale) {
  const Report* least = first_report(scale);
  const auto shown = [&](bool there) { return there ? Shown::Everywhere : Shown::OffPage; };
  const bool whole = least != nullptr && (least->faults || least->run);
  Section section{.key = "gpus",
                  .heading = "The best plan for each number of GPUs",
                  .shape = Shape::Table,
                  .columns = {{"gpus", "GPUs", 9, true},
                              {"step_s", "step", 10},
                              {"tokens_per_s", "tokens/s", 11},
                              {"mfu", "MFU", 8},
                              {"scaling", "scaling", 9},
                              {.key = "days", .label = "days", .width = 9, .shown = shown(whole)},
                              {.key = "goodput",
                               .label = "goodput",
                               .width = 9,
                               .shown = shown(least != nullptr && least->faults)},
                              {"cost", least != nullptr && has_price(*least) ? "USD" : "GPU h", 12},
                              {.key = "on_front", .shown = Shown::OffPage},
                              {.key = "options", .shown = Shown::OffPage},
                              {.key = "plan", .shown = Shown::OffPage},
                              {"", "", 0, true, "  ", Shown::PageOnly}},
                  .labels = true,
                  .empty = "none"};
  const std::vector<bool> on_front = front_of(scale.sizes);
  for (std::size_t i = 0; i < scale.sizes.size(); ++i) {
    const ScaledPlan& size = scale.sizes[i];
    if (size.best) {
      section.rows.push_back(
          {.label = thousands(size.gpus), .cells = cells_of(*size.best, *least, on_front[i])});
      section.rows.push_back(sentence(size.best->plan, Shown::PageOnly, 3));
    } else {
      section.rows.push_back(sentence(fmt::format("{}: {}", thousands(size.gpus), size.obstacle)));
    }
  }
  section.rows.push_back(sentence(
      "scaling: tokens a second and GPU against the first line; front: no other number of GPUs is "
      "both faster and cheaper",
      Shown::PageOnly));
  return section;
}

Section to_run(const ScaleReport& scale) {
  Section section{.heading = "To run those on the front", .lead = Lead::Heading};
  const std::vector<bool> on_front = front_of(scale.sizes);
  for (std::size_t i = 0; i < scale.sizes.size(); ++i) {
    const ScaledPlan& size = scale.sizes[i];
    if (on_front[i]) {
      section.rows.push_back(
          sentence(fmt::format("danlu run {} {}", shell_word(scale.file), size.best->options)));
    }
  }
  return section;
}

}  // namespace

RunTotals totals_of(const Report& report) {
  if (report.faults) {
    const FaultsReport& faults = *report.faults;
    return {Seconds{faults.study.campaign.wall.mean}, faults.cost_usd.value_or(faults.gpu_hours)};
  }
  if (report.run) {
    return {Seconds{report.run->days * kDay}, report.run->cost_usd.value_or(report.run->gpu_hours)};
  }
  return {report.step.time, report.step.time.value * report.gpus / kHour};
}

std::vector<bool> front_of(const std::vector<ScaledPlan>& sizes) {
  std::vector<bool> on_front;
  for (const ScaledPlan& one : sizes) {
    on_front.push_back(one.best && std::none_of(sizes.begin(), sizes.end(), [&](const auto& other) {
                         if (!other.best) {
                           return false;
                         }
                         const RunTotals own = totals_of(one.best->report);
                         const RunTotals its = totals_of(other.best->report);
                         return its.time <= own.time && its.cost <= own.cost &&
                                (its.time < own.time || its.cost < own.cost);
                       }));
  }
  return on_front;
}

Document document_of(const ScaleReport& scale) {
  Document document{.schema = "danlu.search-gpus/1",
                    .title = fmt::format("How many GPUs: {}", scale.scenario)};
  document.sections = {heading(scale), sizes(scale), to_run(scale)};
  for (const ScaledPlan& size : scale.sizes) {
    if (size.best) {
      document.runs.push_back(document_of(size.best->report));
    }
  }
  return document;
}

}  // namespace danlu
