#include "sim/scenario/sweep_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "sim/base/text.hpp"
#include "sim/scenario/sweep_spec.hpp"

namespace danlu {
namespace {

std::optional<double> as_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  return whole && std::isfinite(number) ? std::optional(number) : std::nullopt;
}

/// Cut at the commas outside of brackets, braces and quotes.
std::vector<std::string> cut_values(std::string_view text) {
  std::vector<std::string> values(1);
  int depth = 0;
  char quoted = 0;
  for (const char c : text) {
    if (quoted != 0) {
      quoted = c == quoted ? 0 : quoted;
    } else if (c == '"' || c == '\'') {
      quoted = c;
    } else {
      depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
    }
    if (c == ',' && depth == 0 && quoted == 0) {
      values.emplace_back();
    } else {
      values.back() += c;
    }
  }
  return values;
}

/// Whole numbers without a point or an exponent, which a count may not have.
std::string range_value(double value) {
  constexpr double kExact = 1e15;
  return value == std::round(value) && std::abs(value) < kExact ? fmt::format("{:.0f}", value)
                                                                : fmt::format("{:.12g}", value);
}

/// The values of "a..b", "a..b:step" or "a..b:xFACTOR"; none where `text` is no range.
std::optional<TypedValues> range_of(const std::string& text) {
  const std::size_t dots = text.find("..");
  const std::optional<double> from = as_number(std::string_view(text).substr(0, dots));
  if (dots == std::string::npos || !from) {
    return std::nullopt;
  }
  const std::size_t colon = text.find(':', dots);
  const std::string_view all = text;
  const std::optional<double> to = as_number(all.substr(dots + 2, colon - dots - 2));
  std::string_view by = colon == std::string::npos ? "1" : all.substr(colon + 1);
  const bool factor = by.starts_with('x');
  by.remove_prefix(factor ? 1 : 0);
  const std::optional<double> step = as_number(by);
  const bool grows = step && *step > (factor ? 1 : 0) && (!factor || *from > 0);
  if (!to || !grows || *to < *from) {
    return TypedValues{
        {},
        Complaint{fmt::format("expected a range that rises, found '{}'", shown(text)),
                  "for example 64..512:x2 (by a factor) or 2..8:2 (by a step)"}};
  }
  constexpr double kRounding = 1e-9;
  TypedValues range;
  double value = *from;
  for (std::size_t i = 1; value <= *to + kRounding * std::abs(*to); ++i) {
    range.values.push_back(range_value(value));
    if (range.values.size() > kMostPoints) {
      return TypedValues{
          {},
          Complaint{fmt::format("'{}' has more than {} values", shown(text), kMostPoints),
                    "a larger step, or several sweeps"}};
    }
    value = factor ? value * *step : *from + static_cast<double>(i) * *step;
  }
  return range;
}

/// Takes the unit behind the number that `piece` begins with away; "": there is none. Nothing where
/// it begins with no number.
std::optional<std::string_view> take_unit(std::string_view& piece) {
  const std::size_t end = std::min(piece.find_first_not_of("+-.0123456789"), piece.size());
  if (!as_number(piece.substr(0, end))) {
    return std::nullopt;
  }
  std::string_view unit = piece.substr(end);
  unit.remove_prefix(std::min(unit.find_first_not_of(' '), unit.size()));
  piece = piece.substr(0, end);
  return unit;
}

/// What is wrong with a range whose numbers have a unit, "300..700:100 W"; none where `text` is
/// none.
std::optional<TypedValues> range_with_unit(std::string_view text) {
  const std::size_t dots = text.find("..");
  if (dots == std::string_view::npos) {
    return std::nullopt;
  }
  const std::size_t colon = std::min(text.find(':', dots), text.size());
  std::string_view from = text.substr(0, dots);
  std::string_view to = text.substr(dots + 2, colon - dots - 2);
  std::string_view by = colon < text.size() ? text.substr(colon + 1) : "1";
  const std::string_view factor = by.starts_with('x') ? "x" : "";
  by.remove_prefix(factor.size());
  std::string_view unit;
  for (std::string_view* piece : {&from, &to, &by}) {
    const std::optional<std::string_view> its = take_unit(*piece);
    if (!its || !(its->empty() || unit.empty() || *its == unit)) {
      return std::nullopt;
    }
    unit = its->empty() ? unit : *its;
  }
  if (unit.empty()) {
    return std::nullopt;
  }
  std::optional<TypedValues> range = range_of(fmt::format("{}..{}:{}{}", from, to, factor, by));
  if (!range || range->wrong) {
    return range;
  }
  constexpr std::size_t kMost = 8;  // of a hint
  std::string list;
  for (std::size_t i = 0; i < std::min(range->values.size(), kMost); ++i) {
    list += fmt::format("{}{} {}", i > 0 ? "," : "", range->values[i], unit);
  }
  return TypedValues{{},
                     Complaint{fmt::format("a range is of bare numbers, found '{}'", shown(text)),
                               fmt::format("list the values: {}{}", list,
                                           range->values.size() > kMost ? ",..." : "")}};
}

}  // namespace

TypedValues typed_values(const std::string& text) {
  TypedValues typed;
  for (std::string& value : cut_values(text)) {
    if (value.find_first_not_of(' ') == std::string::npos) {
      return {{},
              Complaint{fmt::format("'{}' has an empty value", shown(text)),
                        "values are separated by single commas"}};
    }
    std::optional<TypedValues> range = range_with_unit(value);
    if (!range) {
      range = range_of(value);
    }
    if (range) {
      if (range->wrong) {
        return *range;
      }
      typed.values.insert(typed.values.end(), range->values.begin(), range->values.end());
    } else {
      typed.values.push_back(std::move(value));
    }
  }
  return typed;
}

std::optional<Complaint> stands_twice(std::string_view key, std::vector<std::string> values) {
  std::sort(values.begin(), values.end());
  const auto twice = std::adjacent_find(values.begin(), values.end());
  if (twice == values.end()) {
    return std::nullopt;
  }
  return Complaint{fmt::format("{} has the value '{}' twice", shown(key), shown(*twice)),
                   "leave one of the two out"};
}

bool keys_overlap(std::string_view a, std::string_view b) {
  const std::string_view shorter = a.size() < b.size() ? a : b;
  const std::string_view longer = a.size() < b.size() ? b : a;
  return longer.starts_with(shorter) &&
         (longer.size() == shorter.size() || longer[shorter.size()] == '.');
}

}  // namespace danlu
