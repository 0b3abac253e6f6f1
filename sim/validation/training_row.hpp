// One row of a table of training runs, read by column.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/csv.hpp"
#include "sim/base/text.hpp"
#include "sim/base/units.hpp"
#include "sim/validation/columns.hpp"

namespace danlu {

/// Of a table that check_cells() found nothing wrong in, and which outlives it.
class TrainingRow {
 public:
  TrainingRow(const CsvTable& table, const CsvRow& row) : table_(&table), row_(&row) {}

  int line() const { return row_->line; }
  std::string_view cell(std::string_view column) const { return table_->cell(*row_, column); }
  bool has(std::string_view column) const { return !cell(column).empty(); }
  /// In small letters.
  std::string words(std::string_view column) const { return lower_case(cell(column)); }
  bool says(std::string_view column, std::string_view word) const {
    return words(column).find(word) != std::string::npos;
  }
  /// 0 where the cell is empty.
  double number(std::string_view column) const { return parse_number(cell(column)).value_or(0); }
  int count(std::string_view column, int fallback) const {
    return has(column) ? static_cast<int>(number(column)) : fallback;
  }

 private:
  const CsvTable* table_;
  const CsvRow* row_;
};

/// What the rules make of a row for one section of a scenario.
struct RowSection {
  std::string yaml;
  std::vector<std::string> reasons;  // why it cannot be simulated
  std::vector<std::string> remarks;  // what had to be taken for granted

  void line(std::string text) { yaml += std::move(text) + "\n"; }
  void refuse(std::string reason) { reasons.push_back(std::move(reason)); }
};

}  // namespace danlu
