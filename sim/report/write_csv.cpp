// Documents as one CSV table for spreadsheets, a line for each figure: the values of JSON with
// their units. `key` is the figure's place in JSON, empty for figures that JSON does not have.
#include <fmt/format.h>

#include <cmath>

#include "sim/base/csv.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

class CsvWriter {
 public:
  std::string text = "scenario,key,section,row,figure,value,unit,note\n";

  void add(const Document& document) {
    for (const Section& section : document.sections) {
      std::size_t number = 0;
      for (const Row& row : section.rows) {
        if (row.shown != Shown::PageOnly) {
          add_row(document, section, row, number);
          number += row.is_sentence() ? 0 : 1;
        }
      }
    }
  }

 private:
  void add_row(const Document& document, const Section& section, const Row& row,
               std::size_t number) {
    const auto line = [&](std::string_view key, std::string_view figure, const std::string& value,
                          std::string_view unit, std::string_view note) {
      text += fmt::format("{},{},{},{},{},{},{},{}\n", csv_cell(document.title), csv_cell(key),
                          csv_cell(section.heading), csv_cell(name_of(row)), csv_cell(figure),
                          value, csv_cell(unit), csv_cell(note));
    };
    const std::string_view note = row.shown == Shown::Beside ? "" : std::string_view(row.note);
    if (row.is_sentence()) {
      line("", "", "", "", note);
    }
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      const Figure& cell = row.cells[i];
      const bool plain = section.columns.empty();
      if (!plain && section.columns[i + 1].shown == Shown::PageOnly) {
        continue;
      }
      line(key_of(section, row, i, number), plain ? "" : name_of(section.columns[i + 1]),
           csv_value(cell.value), cell.unit, i == 0 ? note : "");
    }
  }

  /// "step.time_s", "communication.0.time_s"; "" for a figure that is not in JSON.
  static std::string key_of(const Section& section, const Row& row, std::size_t cell,
                            std::size_t number) {
    if (section.shape == Shape::Lists) {
      return row.key.empty() ? "" : fmt::format("{}.{}.{}", section.key, row.key, cell);
    }
    const bool is_array = section.shape == Shape::Table || section.shape == Shape::List;
    const bool is_keyed = section.shape == Shape::Groups || section.shape == Shape::Table;
    const std::string_view column = is_keyed ? section.columns[cell + 1].key : std::string_view();
    if ((is_keyed && column.empty()) || (!is_keyed && cell > 0) || (!is_array && row.key.empty())) {
      return "";
    }
    return joined_key(joined_key(section.key, is_array ? fmt::format("{}", number) : row.key),
                      column);
  }
};

}  // namespace

std::string csv_value(const FigureValue& value) {
  if (const auto* const flag = std::get_if<bool>(&value)) {
    return *flag ? "true" : "false";
  }
  if (const auto* const whole = std::get_if<std::uint64_t>(&value)) {
    return fmt::format("{}", *whole);
  }
  if (const auto* const number = std::get_if<double>(&value)) {
    return std::isfinite(*number) ? fmt::format("{}", *number) : "";
  }
  const auto* const words = std::get_if<std::string>(&value);
  return words != nullptr ? csv_cell(*words) : "";
}

std::string write_csv(std::span<const Document> documents, bool /*colour*/) {
  CsvWriter writer;
  for (const Document& document : documents) {
    writer.add(document);
  }
  return writer.text;
}

}  // namespace danlu
