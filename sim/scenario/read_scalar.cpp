// One value of a file against its row: is it what the row says, and what is it in base units?
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "sim/base/text.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {
namespace {

using Wrong = std::optional<Complaint>;

Wrong read_name(const KeyRow& row, const Value& value) {
  const std::vector<std::string_view> pieces = characters(value.text);
  if (value.text.find_first_not_of(' ') == std::string::npos) {
    return Complaint{fmt::format("'{}' is empty", row.path), ""};
  }
  if (pieces.size() > kLongestText) {
    return Complaint{fmt::format("'{}' must have at most {} characters, found {}", row.path,
                                 kLongestText, pieces.size()),
                     ""};
  }
  if (!std::all_of(pieces.begin(), pieces.end(), is_printable)) {
    return Complaint{fmt::format("'{}' holds a control character: {}", row.path, quote(value.text)),
                     "it must be one line of plain text"};
  }
  return std::nullopt;
}

/// Keeps the number if it lies in the row's range; an absent one is too large for any.
Wrong read_range(const KeyRow& row, Value& value, std::optional<double> number,
                 std::string hint = "") {
  if (!number || *number < row.minimum || *number > row.maximum) {
    return Complaint{
        fmt::format("'{}' must lie between {} and {}, found {}", row.path,
                    limit_text(row, row.minimum), limit_text(row, row.maximum), quote(value.text)),
        std::move(hint)};
  }
  value.number = *number;
  return std::nullopt;
}

Wrong read_count(const KeyRow& row, Value& value) {
  const std::string& text = value.text;
  const std::string message =
      fmt::format("'{}' must be a whole number, found {}", row.path, quote(text));
  const std::size_t first = text.starts_with('-') ? 1 : 0;
  if (text.size() == first || text.find_first_not_of("0123456789", first) != std::string::npos) {
    return Complaint{message, "digits only, for example 64"};
  }
  if (text.size() > first + 1 && text[first] == '0') {
    return Complaint{message, "write it without the leading 0"};
  }
  constexpr double kFew = 4;  // values, whose meanings the row tells
  return read_range(row, value, parse_number(text),
                    row.maximum - row.minimum < kFew ? row.text : "");
}

/// Whether `text` is a number beyond what a double holds.
bool is_huge(std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc::result_out_of_range && stop == end;
}

Wrong read_number(const KeyRow& row, Value& value) {
  const std::optional<double> number = parse_number(value.text);
  if (!number && !is_huge(value.text)) {
    return Complaint{fmt::format("'{}' must be a number, found {}", row.path, quote(value.text)),
                     "for example 0.5 or 1e9, without a unit"};
  }
  return read_range(row, value, number);
}

Wrong read_quantity(const KeyRow& row, Value& value) {
  const std::optional<ParsedQuantity> parsed = parse_quantity(value.text, row.dimension);
  if (!parsed) {
    const bool bare = parse_number(value.text).has_value();
    const std::string meant = with_known_unit(value.text, row.dimension);
    const std::optional<ParsedQuantity> near = parse_quantity(meant, row.dimension);
    const bool fits = near && near->value >= row.minimum && near->value <= row.maximum;
    return Complaint{bare ? fmt::format("'{}' needs a unit, found {}", row.path, quote(value.text))
                          : fmt::format("'{}' must be {} with its unit, found {}", row.path,
                                        dimension_name(row.dimension), quote(value.text)),
                     fits ? fmt::format("did you mean '{}'?", meant)
                          : fmt::format("units: {}", accepted_units(row.dimension))};
  }
  const double other = parsed->in_bits ? parsed->value * 8 : parsed->value / 8;
  std::string hint;
  if (row.dimension == Dimension::Bandwidth && other >= row.minimum && other <= row.maximum) {
    hint = parsed->in_bits ? "b is bits: did you mean bytes (B)?"
                           : "B is bytes: did you mean bits (b)?";
  }
  return read_range(row, value, parsed->value, std::move(hint));
}

Wrong read_choice(const KeyRow& row, Value& value) {
  const std::vector<std::string_view> choices = split(row.choices, '|');
  const auto found = std::find(choices.begin(), choices.end(), value.text);
  if (found == choices.end()) {
    const std::string_view near = nearest(value.text, choices);
    return Complaint{fmt::format("'{}' must be one of {}, found {}", row.path,
                                 fmt::join(choices, ", "), quote(value.text)),
                     near.empty() ? "" : fmt::format("did you mean '{}'?", near)};
  }
  return std::nullopt;
}

/// A list has been read by what it holds.
Wrong read_words(const KeyRow& row, const Value& value) {
  const std::vector<std::string_view> choices = split(row.choices, '|');
  const std::vector<std::string_view> parts = split(row.parts, '|');
  if (value.text.starts_with('[') ||
      std::find(choices.begin(), choices.end(), value.text) != choices.end()) {
    return std::nullopt;
  }
  const bool part = std::find(parts.begin(), parts.end(), value.text) != parts.end();
  const std::string_view near = nearest(value.text, choices);
  return Complaint{fmt::format("'{}' must be one of {}, or a list of {}, found {}", row.path,
                               fmt::join(choices, ", "), fmt::join(parts, ", "), quote(value.text)),
                   part            ? fmt::format("as a list: [{}]", value.text)
                   : !near.empty() ? fmt::format("did you mean '{}'?", near)
                                   : ""};
}

Wrong read_flag(const KeyRow& row, Value& value) {
  if (value.text == "true" || value.text == "false") {
    value.number = value.text == "true" ? 1 : 0;
    return std::nullopt;
  }
  constexpr std::array<std::string_view, 7> kYes{"yes", "Yes", "on", "On", "True", "TRUE", "1"};
  constexpr std::array<std::string_view, 7> kNo{"no", "No", "off", "Off", "False", "FALSE", "0"};
  const bool yes = std::find(kYes.begin(), kYes.end(), value.text) != kYes.end();
  const bool no = std::find(kNo.begin(), kNo.end(), value.text) != kNo.end();
  return Complaint{fmt::format("'{}' must be true or false, found {}", row.path, quote(value.text)),
                   yes  ? "write true"
                   : no ? "write false"
                        : ""};
}

/// The number of steps in "250 steps".
std::optional<double> steps_of(std::string_view text) {
  const std::size_t blank = text.find(' ');
  if (blank == std::string_view::npos ||
      (text.substr(blank + 1) != "steps" && text.substr(blank + 1) != "step")) {
    return std::nullopt;
  }
  const std::string_view digits = text.substr(0, blank);
  const bool whole = digits.find_first_not_of("0123456789") == std::string_view::npos;
  return whole ? parse_number(digits) : std::nullopt;
}

Wrong read_interval(const KeyRow& row, Value& value) {
  const std::vector<std::string_view> words = split(row.choices, '|');
  if (std::find(words.begin(), words.end(), value.text) != words.end()) {
    return std::nullopt;
  }
  if (const std::optional<double> steps = steps_of(value.text)) {
    value.number = *steps;
    value.in_steps = true;
    constexpr double kMostSteps = 1e9;
    return *steps >= 1 && *steps <= kMostSteps
               ? std::nullopt
               : Wrong(Complaint{fmt::format("'{}' must lie between 1 and {} steps, found {}",
                                             row.path, kMostSteps, quote(value.text)),
                                 ""});
  }
  if (!parse_quantity(value.text, Dimension::Duration)) {
    return Complaint{fmt::format("'{}' must be a duration, a number of steps, or one of {}, found "
                                 "{}",
                                 row.path, fmt::join(words, ", "), quote(value.text)),
                     "for example 30 min, or 100 steps"};
  }
  return read_quantity(row, value);
}

}  // namespace

Wrong read_scalar(const KeyRow& row, Value& value) {
  switch (row.type) {
    case KeyType::Text:
      return read_name(row, value);
    case KeyType::Count:
    case KeyType::Counts:
      return read_count(row, value);
    case KeyType::Number:
      return read_number(row, value);
    case KeyType::Quantity:
    case KeyType::Durations:
      return read_quantity(row, value);
    case KeyType::Choice:
      return read_choice(row, value);
    case KeyType::Words:
      return read_words(row, value);
    case KeyType::Flag:
      return read_flag(row, value);
    case KeyType::Interval:
      return read_interval(row, value);
    case KeyType::Links:
    case KeyType::Shares:
    case KeyType::Numbers:
    case KeyType::Ranges:
    case KeyType::Sources:
    case KeyType::Lines:
    case KeyType::Swept:
    case KeyType::SweptRows:
      break;
  }
  check(false, "a value that is no scalar");
  return std::nullopt;
}

std::vector<std::string_view> words_in(std::string_view list) {
  std::vector<std::string_view> words;
  int depth = 0;
  std::size_t begin = 1;
  for (std::size_t i = 1; i < list.size(); ++i) {
    depth += list[i] == '[' ? 1 : 0;
    if (depth == 0 && (list[i] == ',' || i + 1 == list.size())) {
      words.push_back(list.substr(begin, i - begin));
      words.back().remove_prefix(words.back().find_first_not_of(' '));
      begin = i + 1;
    }
    depth -= list[i] == ']' ? 1 : 0;
  }
  return words;
}

}  // namespace danlu
