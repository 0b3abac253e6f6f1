// A sweep as a document: what was varied, and the points with their figures; and how far it is.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "sim/base/shell_word.hpp"
#include "sim/report/page.hpp"
#include "sim/report/sweep_report.hpp"

namespace danlu {
namespace {

/// "step.mfu" as "mfu", where no other column ends so.
std::string shortest_label(const std::string& key, const std::vector<std::string>& all) {
  const auto end_of_key = [](const std::string& text) { return text.substr(text.rfind('.') + 1); };
  const std::string end = end_of_key(key);
  const auto alike = std::count_if(
      all.begin(), all.end(), [&](const std::string& other) { return end_of_key(other) == end; });
  return alike > 1 ? key : end;
}

Section swept_axes(const SweepReport& sweep) {
  Section section{.key = "axes",
                  .heading = "What varies",
                  .shape = Shape::Table,
                  .columns = {{"key", "key", 24, true},
                              {"values", "values", 0, true},
                              {"together_with", "", 0, true, " ", Shown::OffPage}}};
  for (std::size_t i = 0; i < sweep.axes.size(); ++i) {
    const SweepAxis& axis = sweep.axes[i];
    const std::string& first = sweep.axes[first_together(sweep.axes, i)].key;
    section.rows.push_back(
        {.label = axis.key,
         .cells = {Figure::words(fmt::format("{}", fmt::join(axis.values, ", "))),
                   axis.together ? Figure::words(first) : Figure::absent()},
         .note = axis.together ? fmt::format("together with {}", first) : ""});
  }
  return section;
}

/// "--set cluster.gpus=64 --set ...": what makes the scenario this point.
std::string options_of(const SweepReport& sweep, const SweepPoint& point) {
  std::string options;
  for (std::size_t i = 0; i < sweep.axes.size(); ++i) {
    options += fmt::format("{}--set {}", i == 0 ? "" : " ",
                           shell_word(fmt::format("{}={}", sweep.axes[i].key, point.values[i])));
  }
  return options;
}

Section swept_points(const SweepReport& sweep) {
  Section section{.key = "points",
                  .heading = "Points",
                  .shape = Shape::Table,
                  .columns = {{"point", "", 5, true}},
                  .labels = true,
                  .gap = 2};
  std::vector<std::string> headings = sweep.names;
  for (const SweepAxis& axis : sweep.axes) {
    headings.push_back(axis.key);
  }
  const auto add = [&](std::string_view place, const std::string& heading, std::size_t longest) {
    std::string label = shortest_label(heading, headings);
    const std::size_t width = std::max(label.size(), longest) + 1;
    section.columns.push_back({place, std::move(label), width});
  };
  for (std::size_t i = 0; i < sweep.axes.size(); ++i) {
    std::size_t longest = 0;
    for (const std::string& value : sweep.axes[i].values) {
      longest = std::max(longest, value.size());
    }
    add("", sweep.axes[i].key, longest);
  }
  section.columns.push_back({"options", "options", 0, true, " ", Shown::OffPage});
  section.columns.push_back({"status", "status", 8});
  for (std::size_t i = 0; i < sweep.names.size(); ++i) {
    constexpr std::size_t kFigure = 10;
    add(sweep.places[i], sweep.names[i], kFigure);
  }
  section.columns.push_back({"reason", "reason", 0, true, " ", Shown::OffPage});
  for (std::size_t number = 0; number < sweep.points.size(); ++number) {
    const SweepPoint& point = sweep.points[number];
    Row row{.label = fmt::format("{}", number), .note = point.reason};
    for (const std::string& value : point.values) {
      row.cells.push_back(Figure::words(value));
    }
    row.cells.push_back(Figure::words(options_of(sweep, point)));
    row.cells.push_back(Figure::words(name_of(point.status)));
    row.cells.insert(row.cells.end(), point.figures.begin(), point.figures.end());
    row.cells.push_back(point.reason.empty() ? Figure::absent() : Figure::words(point.reason));
    section.rows.push_back(std::move(row));
  }
  return section;
}

/// The same of those that failed, with the options that repeat it.
Section failed_points(const SweepReport& sweep) {
  Section section{.key = "failed_points",
                  .heading = "Failed",
                  .shape = Shape::Table,
                  .columns = {{"point", "", 5, true},
                              {"options", "", 0, true},
                              {"reason", "", 0, true, " ", Shown::OffPage}},
                  .gap = 2};
  for (std::size_t number = 0; number < sweep.points.size(); ++number) {
    const SweepPoint& point = sweep.points[number];
    if (point.status == SweepPoint::Status::Failed) {
      section.rows.push_back(
          {.label = fmt::format("{}", number),
           .cells = {Figure::words(options_of(sweep, point)), Figure::words(point.reason)},
           .note = point.reason});
    }
  }
  return section;
}

Section swept_counts(const SweepReport& sweep) {
  Section section{.key = "counts", .heading = "", .lead = Lead::Blank};
  std::string words = fmt::format("{} point{}", thousands(double(sweep.points.size())),
                                  sweep.points.size() == 1 ? "" : "s");
  for (const auto& [status, name] : kNames<SweepPoint::Status>) {
    const auto count =
        std::count_if(sweep.points.begin(), sweep.points.end(),
                      [&, is = status](const SweepPoint& p) { return p.status == is; });
    section.rows.push_back(off_page(std::string(name), std::string(name),
                                    Figure::count(static_cast<std::uint64_t>(count))));
    words += count > 0 ? fmt::format(", {} {}", count, name) : "";
  }
  section.rows.push_back(sentence(words, Shown::PageOnly));
  return section;
}

Section swept_scenario(const SweepReport& sweep) {
  return {.heading = "",
          .lead = Lead::None,
          .rows = {off_page("scenario", "scenario", Figure::words(sweep.scenario)),
                   off_page("file", "file", Figure::words(sweep.file))}};
}

}  // namespace

std::size_t first_together(const std::vector<SweepAxis>& axes, std::size_t i) {
  while (axes[i].together) {
    --i;
  }
  return i;
}

bool is_complete(const SweepReport& sweep) {
  return std::none_of(sweep.points.begin(), sweep.points.end(), [](const SweepPoint& point) {
    return point.status == SweepPoint::Status::Failed ||
           point.status == SweepPoint::Status::Missing;
  });
}

Document document_of(const SweepReport& sweep) {
  return {.schema = "danlu.sweep/1",
          .title = fmt::format("Sweep of {}", sweep.scenario),
          .sections = {swept_scenario(sweep), swept_axes(sweep), swept_points(sweep),
                       swept_counts(sweep)}};
}

Document status_of(const SweepReport& sweep) {
  return {.schema = "danlu.sweep-status/1",
          .title = fmt::format("Sweep of {}", sweep.scenario),
          .sections = {swept_scenario(sweep), swept_counts(sweep), failed_points(sweep)}};
}

}  // namespace danlu
