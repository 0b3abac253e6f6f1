#include "sim/report/document.hpp"

#include <algorithm>

#include "sim/report/faults_report.hpp"
#include "sim/report/page.hpp"
#include "sim/report/sections.hpp"

namespace danlu {
namespace {

/// "busiest.peak_utilisation" as "busiest peak utilisation".
std::string as_words(std::string_view key) {
  std::string name = part_name(key);
  std::replace(name.begin(), name.end(), '.', ' ');
  return name;
}

}  // namespace

Figure Figure::absent(std::string text) {
  return {{}, std::move(text), ""};
}
Figure Figure::flag(bool value) {
  return {value, value ? "yes" : "no", ""};
}
Figure Figure::count(std::uint64_t number) {
  return {number, thousands(static_cast<double>(number)), ""};
}
Figure Figure::count(int number) {
  return count(static_cast<std::uint64_t>(number));
}
Figure Figure::words(std::string_view text) {
  return {std::string(text), std::string(text), ""};
}
Figure Figure::number(double value, std::string text, std::string_view unit) {
  return {value, std::move(text), unit};
}
Figure Figure::amount(const std::optional<double>& value, std::string_view unit) {
  return value ? number(*value, fmt::format("{} {}", figure(*value), unit), unit) : absent();
}
Figure Figure::share(double fraction) {
  return {fraction, percent(fraction), ""};
}
Figure Figure::share(const std::optional<double>& fraction) {
  return fraction ? share(*fraction) : absent(percent(fraction));
}
Figure Figure::time(Seconds time) {
  return {time.value, to_text(time), "s"};
}
Figure Figure::days(Seconds time) {
  return {time.value, days_text(time), "s"};
}
Figure Figure::size(Bytes bytes) {
  return {bytes.value, to_text(bytes), "bytes"};
}

Row part_row(std::string key, std::string label, Seconds time, Seconds whole) {
  return {.key = std::move(key),
          .label = std::move(label),
          .cells = {Figure::time(time), Figure::share(time / whole)},
          .shown = time == Seconds{} ? Shown::OffPage : Shown::Everywhere};
}

Row off_page(std::string key, std::string label, Figure figure) {
  return {.key = std::move(key),
          .label = std::move(label),
          .cells = {std::move(figure)},
          .shown = Shown::OffPage};
}

Row sentence(std::string words, Shown shown, int depth) {
  return {.note = std::move(words), .depth = depth, .shown = shown};
}

std::vector<Column> figure_columns(std::size_t label, std::size_t value, std::size_t share) {
  std::vector<Column> columns{{"", "", label, true}, {"", "value", value}};
  if (share > 0) {
    columns.push_back({"", "share", share});
  }
  return columns;
}

std::string joined_key(std::string key, std::string_view more) {
  key += key.empty() || more.empty() ? "" : ".";
  return key += more;
}

std::vector<std::pair<std::string, Figure>> figures_of(const Document& document) {
  std::vector<std::pair<std::string, Figure>> figures;
  for (const Section& section : document.sections) {
    const bool groups = section.shape == Shape::Groups;
    if (!groups && section.shape != Shape::Figures) {
      continue;
    }
    for (const Row& row : section.rows) {
      if (row.key.empty() || row.cells.empty()) {
        continue;
      }
      const std::string place = joined_key(section.key, row.key);
      for (std::size_t i = 0; i < (groups ? row.cells.size() : 1); ++i) {
        const std::string_view column = groups ? section.columns[i + 1].key : std::string_view();
        if (!groups || !column.empty()) {
          figures.emplace_back(joined_key(place, column), row.cells[i]);
        }
      }
    }
  }
  return figures;
}

std::vector<const Row*> in_reading_order(const Section& section) {
  std::vector<const Row*> rows;
  for (const Row& row : section.rows) {
    rows.push_back(&row);
  }
  const auto by = std::find_if(
      section.columns.begin(), section.columns.end(),
      [&](const Column& c) { return !section.first_by.empty() && c.key == section.first_by; });
  if (by != section.columns.end()) {
    const auto cell = static_cast<std::size_t>(by - section.columns.begin()) - 1;
    const auto sentences = std::stable_partition(
        rows.begin(), rows.end(), [](const Row* row) { return !row->is_sentence(); });
    std::stable_sort(rows.begin(), sentences, [&](const Row* a, const Row* b) {
      return std::get<double>(a->cells[cell].value) > std::get<double>(b->cells[cell].value);
    });
  }
  return rows;
}

std::string name_of(const Row& row) {
  return row.label.empty() ? as_words(row.key) : row.label;
}
std::string name_of(const Column& column) {
  return column.label.empty() ? as_words(column.key) : column.label;
}

Document document_of(const Report& report) {
  Document document{.schema = "danlu.run/1", .title = report.scenario};
  for (std::vector<Section> sections : {heading_sections(report),
                                        step_sections(report),
                                        communication_sections(report),
                                        sensitivity_sections(report.sensitivity, report.step.time),
                                        run_sections(report),
                                        faults_sections(report.faults),
                                        {simulation_section(report)}}) {
    std::move(sections.begin(), sections.end(), std::back_inserter(document.sections));
  }
  return document;
}

Document brief(Document document) {
  std::erase_if(document.sections,
                [](const Section& section) { return !section.key.starts_with("verdict"); });
  return document;
}

Document on_page(Document document, std::string_view key) {
  for (Section& section : document.sections) {
    if (section.key == key) {
      for (Row& row : section.rows) {
        row.shown = Shown::Everywhere;
      }
    }
  }
  return document;
}

}  // namespace danlu
