#include "sim/validation/columns.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>

#include "sim/base/text.hpp"
#include "sim/base/units.hpp"

namespace danlu {
namespace {

constexpr std::size_t kMostShown = 20;

/// What is wrong with a cell and what to do about it; no message if nothing is.
struct Fault {
  std::string message;
  std::string hint;
};

Fault number_fault(const ColumnRule& rule, std::string_view cell) {
  const bool whole = rule.kind == ColumnRule::Kind::Count;
  const std::optional<double> value = parse_number(cell);
  if (value && *value >= rule.least && *value <= rule.most &&
      (!whole || *value == std::floor(*value))) {
    return {};
  }
  return {fmt::format("'{}' must be a {} from {:.10g} to {:.10g}, found '{}'", rule.name,
                      whole ? "whole number" : "number", rule.least, rule.most, shown(cell)),
          "leave the cell empty where the number is not known"};
}

Fault fault_of(const ColumnRule& rule, std::string_view cell) {
  using Kind = ColumnRule::Kind;
  switch (rule.kind) {
    case Kind::Count:
    case Kind::Number:
      return number_fault(rule, cell);
    case Kind::Flag:
      if (!parse_flag(cell)) {
        return {fmt::format("'{}' must be {}, found '{}'", rule.name, kFlagWords, shown(cell)), ""};
      }
      break;
    case Kind::Word:
      if (!rule.known(lower_case(cell))) {
        return {fmt::format("'{}' is not understood: '{}'", rule.name, shown(cell)),
                std::string(rule.words)};
      }
      break;
    case Kind::Text:
      break;
  }
  return {};
}

}  // namespace

std::optional<bool> parse_flag(std::string_view text) {
  const std::string word = lower_case(text);
  if (word == "yes" || word == "true" || word == "1") {
    return true;
  }
  return word == "no" || word == "false" || word == "0" ? std::optional(false) : std::nullopt;
}

void check_cells(const CsvTable& table, std::span<const ColumnRule> rules) {
  std::vector<Problem> problems;
  std::size_t found = 0;
  for (const CsvRow& row : table.rows()) {
    for (const ColumnRule& rule : rules) {
      const std::string_view cell = table.cell(row, rule.name);
      if (cell.empty()) {
        continue;
      }
      Fault fault =
          cell.size() > kLongestCell
              ? Fault{fmt::format("'{}' is longer than {} characters", rule.name, kLongestCell), ""}
              : fault_of(rule, cell);
      if (!fault.message.empty() && ++found <= kMostShown) {
        problems.push_back(
            table.problem(row, rule.name, std::move(fault.message), std::move(fault.hint)));
      }
    }
  }
  if (found > kMostShown) {
    problems.push_back({{table.file(), 0, 0},
                        fmt::format("{} more cells are not understood", found - kMostShown),
                        "",
                        ""});
  }
  if (!problems.empty()) {
    throw InputError(std::move(problems));
  }
}

}  // namespace danlu
