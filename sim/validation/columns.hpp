// What the cells of a table of measurements may hold. A cell that is not understood is an error at
// its line and column, never another value; an empty cell is one that nobody knows.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "sim/base/csv.hpp"

namespace danlu {

struct ColumnRule {
  /// Text is anything of at most kLongestCell characters; a Word is one that `known` knows.
  enum class Kind { Text, Flag, Count, Number, Word };
  std::string_view name;
  Kind kind = Kind::Text;
  double least = 0;  // of a Count or Number
  double most = 0;
  bool (*known)(std::string_view text) = nullptr;  // gets small letters
  std::string_view words;                          // what it knows, for the message
};
inline constexpr std::size_t kLongestCell = 2000;

/// Throws InputError with what is wrong in the columns that have a rule, the first 20 of it.
void check_cells(const CsvTable& table, std::span<const ColumnRule> rules);

/// yes, true and 1; no, false and 0, in letters of any size; nothing else.
std::optional<bool> parse_flag(std::string_view text);
inline constexpr std::string_view kFlagWords = "yes, true, 1 or no, false, 0";

}  // namespace danlu
