// The JSON Schemas and reference pages that are made from the tables of keys.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "sim/base/text.hpp"
#include "sim/cluster/limits.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kNumberPattern = R"([+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?)";

std::string range_text(const KeyRow& row) {
  return fmt::format("{} to {}", limit_text(row, row.minimum), limit_text(row, row.maximum));
}

/// "a bandwidth" without its article.
std::string_view noun(Dimension dimension) {
  const std::string_view name = dimension_name(dimension);
  return name.substr(name.find(' ') + 1);
}

/// Whole numbers without a decimal point.
Json limit(double number) {
  const auto whole = static_cast<std::int64_t>(number);
  return static_cast<double>(whole) == number ? Json(whole) : Json(number);
}

/// The default as JSON; null if there is none.
Json json_default(const KeyRow& row) {
  const std::optional<Value> fallback = fallback_of(row);
  if (!fallback) {
    return nullptr;
  }
  return row.type == KeyType::Count    ? limit(fallback->number)
         : row.type == KeyType::Number ? Json(fallback->number)
         : row.type == KeyType::Flag   ? Json(fallback->number != 0)
                                       : Json(row.fallback);
}

/// One table of keys as nested schemas, one for each section; a method for each type of key.
class SchemaWriter {
 public:
  explicit SchemaWriter(std::span<const KeyRow> keys) : keys_(keys) {}

  Json write(std::string_view title) const {
    Json schema{{"$schema", "http://json-schema.org/draft-07/schema#"}, {"title", title}};
    schema.update(section(""));
    Json required = required_below("");
    if (find_key(keys_, "extends") == nullptr) {
      schema.update(required, true);
    } else {  // what is required may stand in the scenario that this one extends
      schema["if"] = {{"not", {{"required", {"extends"}}}}};
      schema["then"] = std::move(required);
    }
    return schema;
  }

 private:
  /// The names right below a section ("" or "training."), in the order of the table.
  std::vector<std::string> names(const std::string& prefix) const {
    std::vector<std::string> found;
    for (const KeyRow& row : keys_) {
      if (row.path.starts_with(prefix)) {
        const std::string rest = row.path.substr(prefix.size());
        const std::string name = rest.substr(0, rest.find('.'));
        if (std::find(found.begin(), found.end(), name) == found.end()) {
          found.push_back(name);
        }
      }
    }
    return found;
  }

  Json section(const std::string& prefix) const {
    if (names(prefix).front() == "*") {
      return {{"type", "object"}, {"additionalProperties", section_or_short(prefix + "*")}};
    }
    if (names(prefix).front() == "#") {
      Json entry = section(prefix + "#.");
      entry.update(required_below(prefix + "#."), true);
      return {{"type", "array"}, {"items", std::move(entry)}};
    }
    Json properties = Json::object();
    for (const std::string& name : names(prefix)) {
      const KeyRow* row = find_key(keys_, prefix + name);
      properties[name] = row != nullptr ? value(*row) : section_or_short(prefix + name);
    }
    return {{"type", "object"}, {"properties", properties}, {"additionalProperties", false}};
  }

  /// A section; where it has a preset, a kind or a mean, that alone will do (`model: NAME`).
  Json section_or_short(const std::string& path) const {
    Json mapping = section(path + ".");
    if (const KeyRow* row = find_short_form(keys_, path)) {
      return {{"oneOf", {value(*row), mapping}}};
    }
    return mapping;
  }

  /// The required keys at and below a section.
  Json required_below(const std::string& prefix) const {
    Json required = Json::array();
    Json properties = Json::object();
    for (const std::string& name : names(prefix)) {
      if (name == "*" || name == "#") {
        continue;  // there may be none
      }
      const KeyRow* row = find_key(keys_, prefix + name);
      Json inner = row != nullptr ? Json::object() : required_below(prefix + name + ".");
      if (!inner.empty() || (row != nullptr && row->fallback == "required")) {
        required.push_back(name);
      }
      if (!inner.empty()) {
        properties[name] = std::move(inner);
      }
    }
    Json schema = Json::object();
    if (!required.empty()) {
      schema["required"] = std::move(required);
    }
    if (!properties.empty()) {
      schema["properties"] = std::move(properties);
    }
    return schema;
  }

  Json value(const KeyRow& row) const {
    Json schema = type_of(row);
    schema["description"] = row.type == KeyType::Quantity
                                ? fmt::format("{} ({})", row.text, range_text(row))
                                : row.text;
    if (Json fallback = json_default(row); !fallback.is_null()) {
      schema["default"] = std::move(fallback);
    }
    return schema;
  }

  /// In a scenario a number may be a factor of what lies below it: 2x.
  Json or_factor(Json schema) const {
    if (find_key(keys_, "extends") == nullptr) {
      return schema;
    }
    return {{"anyOf", {std::move(schema), {{"type", "string"}, {"pattern", "^[0-9.eE+-]+x$"}}}}};
  }

  Json type_of(const KeyRow& row) const {
    switch (row.type) {
      case KeyType::Text:
        return {{"type", "string"}, {"minLength", 1}, {"maxLength", kLongestText}};
      case KeyType::Count:
      case KeyType::Number:
        return or_factor({{"type", row.type == KeyType::Count ? "integer" : "number"},
                          {"minimum", limit(row.minimum)},
                          {"maximum", limit(row.maximum)}});
      case KeyType::Quantity:
        return or_factor(
            {{"type", "string"}, {"pattern", fmt::format("^{}$", quantity_pattern(row))}});
      case KeyType::Words: {
        const auto one_of = [](const std::string& words) {
          return words == "true|false" ? Json{{"type", "boolean"}}
                                       : Json{{"enum", split(words, '|')}};
        };
        const auto list_of = [](Json items) {
          return Json{{"type", "array"},
                      {"minItems", 1},
                      {"uniqueItems", true},
                      {"items", std::move(items)}};
        };
        const Json parts = one_of(row.parts);
        return {
            {"anyOf",
             {one_of(row.choices),
              list_of(row.inner.empty() ? parts
                                        : Json{{"anyOf", {parts, list_of(one_of(row.inner))}}})}}};
      }
      case KeyType::Counts: {
        const Json one{
            {"type", "integer"}, {"minimum", limit(row.minimum)}, {"maximum", limit(row.maximum)}};
        const Json list{{"type", "array"}, {"minItems", 1}, {"items", one}};
        return row.single ? Json{{"anyOf", {one, list}}} : list;
      }
      case KeyType::Durations:
        return {{"type", "array"},
                {"minItems", 1},
                {"items",
                 {{"type", "string"}, {"pattern", fmt::format("^{}$", quantity_pattern(row))}}}};
      case KeyType::Interval:
        return {{"type", "string"},
                {"pattern",
                 fmt::format("^({}|[0-9]+ steps?|{})$", row.choices, quantity_pattern(row))}};
      case KeyType::Choice:
        return {{"type", "string"}, {"enum", split(row.choices, '|')}};
      case KeyType::Flag:
        return {{"type", "boolean"}};
      case KeyType::Links:
        return {{"type", "array"},
                {"items", link_schema({{"type", "integer"}, {"minimum", 1}, {"maximum", 1023}},
                                      kLargestNode)}};
      case KeyType::Shares:
        return {{"type", "array"},
                {"items", link_schema({{"type", "number"},
                                       {"minimum", limit(row.minimum)},
                                       {"maximum", limit(row.maximum)}},
                                      kLargestCluster)}};
      case KeyType::Ranges:
        return {{"type", "object"},
                {"propertyNames", {{"pattern", "^(0|[1-9][0-9]*)(-[1-9][0-9]*)?$"}}},
                {"additionalProperties", {{"type", "string"}, {"minLength", 1}}}};
      case KeyType::Numbers:
        return {{"type", "object"},
                {"propertyNames", {{"pattern", "^(0|[1-9][0-9]*)$"}}},
                {"additionalProperties",
                 {{"type", "number"},
                  {"minimum", limit(row.minimum)},
                  {"maximum", limit(row.maximum)}}}};
      case KeyType::Lines:
        return {{"oneOf",
                 {{{"type", "string"}, {"minLength", 1}},
                  {{"type", "array"}, {"minItems", 1}, {"items", {{"type", "string"}}}}}}};
      case KeyType::Sources:
        return {{"type", "object"},
                {"propertyNames", {{"enum", all_paths()}}},
                {"additionalProperties", {{"type", "string"}, {"minLength", 1}}}};
      case KeyType::Swept:
        return {{"type", "object"},
                {"minProperties", 1},
                {"additionalProperties",
                 {{"anyOf",
                   {Json{{"type", "array"}, {"minItems", 1}},
                    Json{{"type", {"string", "number", "boolean"}}}}}}}};
      case KeyType::SweptRows:
        return {{"type", "array"},
                {"minItems", 1},
                {"items", {{"type", "object"}, {"minProperties", 1}}}};
    }
    return {};
  }

  static std::string quantity_pattern(const KeyRow& row) {
    return fmt::format("{} *({})", kNumberPattern, join(unit_names(row.dimension), "|"));
  }

  /// Two of so many GPUs and a third value.
  static Json link_schema(const Json& third, int gpus) {
    const Json gpu{{"type", "integer"}, {"minimum", 0}, {"maximum", gpus - 1}};
    return {{"type", "array"},
            {"items", {gpu, gpu, third}},
            {"minItems", 3},
            {"additionalItems", false}};
  }

  /// Every key and every section: what a source may be given for.
  std::vector<std::string> all_paths() const {
    std::vector<std::string> paths;
    for (const KeyRow& row : keys_) {
      for (std::size_t dot = row.path.find('.');; dot = row.path.find('.', dot + 1)) {
        const std::string path = row.path.substr(0, dot);
        if (std::find(paths.begin(), paths.end(), path) == paths.end()) {
          paths.push_back(path);
        }
        if (dot == std::string::npos) {
          break;
        }
      }
    }
    return paths;
  }

  std::span<const KeyRow> keys_;
};

/// What may stand at a key, in a few words.
std::string value_text(const KeyRow& row) {
  switch (row.type) {
    case KeyType::Text:
      return "text";
    case KeyType::Count:
      return "whole number, " + range_text(row);
    case KeyType::Number:
      return "number, " + range_text(row);
    case KeyType::Quantity:
      return fmt::format("{}, {}", noun(row.dimension), range_text(row));
    case KeyType::Choice:
      return fmt::format("`{}`", fmt::join(split(row.choices, '|'), "`, `"));
    case KeyType::Flag:
      return "`true`, `false`";
    case KeyType::Words:
      return fmt::format("`{}`, list of `{}`{}", fmt::join(split(row.choices, '|'), "`, `"),
                         fmt::join(split(row.parts, '|'), "`, `"),
                         row.inner.empty() ? ""
                                           : fmt::format(" and of lists of `{}`",
                                                         fmt::join(split(row.inner, '|'), "`, `")));
    case KeyType::Counts:
      return (row.single ? "whole number or list of them, " : "list of whole numbers, ") +
             range_text(row);
    case KeyType::Durations:
      return "list of durations, " + range_text(row);
    case KeyType::Interval:
      return fmt::format("duration, `N steps`, `{}`", fmt::join(split(row.choices, '|'), "`, `"));
    case KeyType::Links:
      return "list of `[GPU, GPU, count]`";
    case KeyType::Shares:
      return "list of `[GPU, GPU, share]`, " + range_text(row);
    case KeyType::Ranges:
      return "mapping of `node` or `first-last` to text";
    case KeyType::Numbers:
      return "mapping of numbers to numbers, " + range_text(row);
    case KeyType::Lines:
      return "block of lines, or a list of them";
    case KeyType::Sources:
      return "mapping";
    case KeyType::Swept:
      return "mapping of keys to lists or ranges of values";
    case KeyType::SweptRows:
      return "list of mappings of keys to values";
  }
  return "";
}

std::string default_text(const KeyRow& row) {
  if (row.fallback.empty()) {
    return "";
  }
  return row.fallback == "required" ? "required" : fmt::format("`{}`", row.fallback);
}

std::string section_of(const KeyRow& row) {
  const std::size_t dot = row.path.find('.');
  return dot == std::string::npos ? "" : row.path.substr(0, dot);
}

std::string in_table(std::string_view text) {
  return fmt::format("{}", fmt::join(split(text, '|'), "\\|"));
}

std::string units_table(std::span<const KeyRow> keys) {
  std::string rows;
  for (const Dimension dimension : {Dimension::Size, Dimension::Bandwidth, Dimension::Duration,
                                    Dimension::ComputeRate, Dimension::Power, Dimension::Price}) {
    const bool used = std::any_of(keys.begin(), keys.end(),
                                  [&](const KeyRow& row) { return row.dimension == dimension; });
    if (used) {
      rows +=
          fmt::format("| {} | `{}` |\n", noun(dimension), fmt::join(unit_names(dimension), "`, `"));
    }
  }
  if (rows.empty()) {
    return "";
  }
  return fmt::format(
      "\n## Units\n\nA number with a unit: `400 Gbps`, `1.5 us`. B is bytes and b is bits; k, M, "
      "G, T "
      "are powers of 1000, Ki, Mi, Gi, Ti of 1024.\n\n| Quantity | Units |\n| --- | --- |\n{}",
      rows);
}

}  // namespace

std::string limit_text(const KeyRow& row, double number) {
  if (row.dimension == Dimension::Number) {
    return fmt::format("{:.12g}", number);
  }
  std::string_view best;
  double best_factor = 0;
  for (const std::string_view unit : unit_names(row.dimension)) {
    const auto one = parse_quantity(fmt::format("1 {}", unit), row.dimension);
    const double factor = one && !one->in_bits && !unit.ends_with("iB") ? one->value : 0;
    const bool fits = factor > best_factor && factor <= std::max(number, 1.0);
    if (fits) {
      best = unit;
      best_factor = factor;
    }
  }
  return fmt::format("{:.4g} {}", number / best_factor, best);
}

std::string exact_text(const KeyRow& row, double number) {
  if (row.dimension == Dimension::Number) {
    return fmt::format("{}", number);
  }
  std::string best;
  double best_factor = 0;
  for (const std::string_view unit : unit_names(row.dimension)) {
    const ParsedQuantity one =
        parse_quantity(fmt::format("1 {}", unit), row.dimension).value_or(ParsedQuantity{});
    std::string text = fmt::format("{} {}", number / one.value, unit);
    const bool exact =
        parse_quantity(text, row.dimension).value_or(ParsedQuantity{}).value == number;
    if (!one.in_bits && exact &&
        (best.empty() || text.size() < best.size() ||
         (text.size() == best.size() && one.value > best_factor))) {
      best = std::move(text);
      best_factor = one.value;
    }
  }
  return best;
}

std::string json_schema(std::span<const KeyRow> keys, std::string_view title) {
  return SchemaWriter(keys).write(title).dump(2) + "\n";
}

std::string reference_page(std::span<const KeyRow> keys, std::string_view title,
                           std::string_view introduction) {
  std::vector<std::string> sections{""};  // the keys without a section come first
  for (const KeyRow& row : keys) {
    if (std::find(sections.begin(), sections.end(), section_of(row)) == sections.end()) {
      sections.push_back(section_of(row));
    }
  }
  std::string page = fmt::format("# {}\n\n{}\n", title, introduction);
  for (const std::string& section : sections) {
    page += section.empty() ? "\n" : fmt::format("\n## {}\n\n", section);
    page += "| Key | Value | Default | Meaning |\n| --- | --- | --- | --- |\n";
    for (const KeyRow& row : keys) {
      if (section_of(row) == section) {
        page += fmt::format("| `{}` | {} | {} | {} |\n", row.path, in_table(value_text(row)),
                            default_text(row), in_table(row.text));
      }
    }
  }
  return page + units_table(keys);
}

}  // namespace danlu
