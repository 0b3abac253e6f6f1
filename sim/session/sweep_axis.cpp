#include "sim/session/sweep_axis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"

namespace danlu {
namespace {

[[noreturn]] void refuse_axis(std::string message, std::string hint) {
  throw InputError(Problem{{"--over", 0, 0}, std::move(message), std::move(hint), ""});
}

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
std::optional<std::vector<std::string>> range_of(const std::string& text) {
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
    refuse_axis(fmt::format("expected a range that rises, found '{}'", shown(text)),
                "for example 64..512:x2 (by a factor) or 2..8:2 (by a step)");
  }
  constexpr double kRounding = 1e-9;
  std::vector<std::string> values;
  double value = *from;
  for (std::size_t i = 1; value <= *to + kRounding * std::abs(*to); ++i) {
    values.push_back(range_value(value));
    if (values.size() > kMostPoints) {
      refuse_axis(fmt::format("'{}' has more than {} values", shown(text), kMostPoints),
                  "a larger step, or several sweeps");
    }
    value = factor ? value * *step : *from + static_cast<double>(i) * *step;
  }
  return values;
}

/// Whether one key is the other, or a section that it lies in.
bool overlap(std::string_view a, std::string_view b) {
  const std::string_view shorter = a.size() < b.size() ? a : b;
  const std::string_view longer = a.size() < b.size() ? b : a;
  return longer.starts_with(shorter) &&
         (longer.size() == shorter.size() || longer[shorter.size()] == '.');
}

}  // namespace

SweepAxis read_sweep_axis(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == text.size()) {
    refuse_axis(fmt::format("expected KEY=VALUES, found '{}'", shown(text)),
                "for example --over cluster.gpus=64..512:x2");
  }
  SweepAxis axis{.key = std::string(text.substr(0, equals)), .values = {}};
  for (std::string& value : cut_values(text.substr(equals + 1))) {
    if (value.find_first_not_of(' ') == std::string::npos) {
      refuse_axis(fmt::format("'{}' has an empty value", shown(text)),
                  "values are separated by single commas");
    }
    if (std::optional<std::vector<std::string>> range = range_of(value)) {
      axis.values.insert(axis.values.end(), range->begin(), range->end());
    } else {
      axis.values.push_back(std::move(value));
    }
  }
  std::vector<std::string> sorted = axis.values;
  std::sort(sorted.begin(), sorted.end());
  if (const auto twice = std::adjacent_find(sorted.begin(), sorted.end()); twice != sorted.end()) {
    refuse_axis(fmt::format("{} has the value '{}' twice", shown(axis.key), shown(*twice)),
                "leave one of the two out");
  }
  return axis;
}

std::vector<SweepAxis> read_sweep_axes(const std::vector<std::string>& texts,
                                       const std::vector<std::string>& overrides) {
  std::vector<SweepAxis> axes;
  double points = 1;
  for (const std::string& text : texts) {
    SweepAxis axis = read_sweep_axis(text);
    for (const SweepAxis& other : axes) {
      if (overlap(axis.key, other.key)) {
        refuse_axis(fmt::format("{} and {} say the same", shown(other.key), shown(axis.key)),
                    "give all values of a key in one --over");
      }
    }
    for (const std::string& override_text : overrides) {
      const std::string key = override_text.substr(0, override_text.find('='));
      if (overlap(axis.key, key)) {
        refuse_axis(fmt::format("{} contradicts --set {}", shown(axis.key), shown(key)),
                    "leave one of the two out");
      }
    }
    points *= static_cast<double>(axis.values.size());
    axes.push_back(std::move(axis));
  }
  if (points > static_cast<double>(kMostPoints)) {
    refuse_axis(fmt::format("{:.0f} points are more than {}", points, kMostPoints),
                "fewer values, or several sweeps");
  }
  return axes;
}

}  // namespace danlu
