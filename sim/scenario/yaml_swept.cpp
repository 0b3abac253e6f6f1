#include "sim/scenario/yaml_swept.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "sim/base/text.hpp"
#include "sim/scenario/sweep_values.hpp"
#include "sim/scenario/yaml_documents.hpp"

namespace danlu {
namespace {

/// Text that YAML takes for one value, in a list and by itself.
std::string flow_scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  const bool plain = node.Tag() != "!" && !text.empty() &&
                     text.find_first_of(",[]{}\n\"'") == std::string::npos &&
                     text.find(": ") == std::string::npos && text.find(" #") == std::string::npos;
  if (plain) {
    return text;
  }
  std::string out = "\"";
  for (const char c : text) {
    out += c == '\n' ? "\\n" : c == '"' || c == '\\' ? fmt::format("\\{}", c) : std::string(1, c);
  }
  return out + "\"";
}

/// The same of a value of any kind.
std::string flow_text(const YAML::Node& node) {
  if (node.IsScalar()) {
    return flow_scalar(node);
  }
  std::vector<std::string> parts;
  if (node.IsMap()) {
    for (const auto& entry : node) {
      parts.push_back(fmt::format("{}: {}", flow_text(entry.first), flow_text(entry.second)));
    }
    return fmt::format("{{{}}}", fmt::join(parts, ", "));
  }
  for (const YAML::Node& entry : node) {
    parts.push_back(flow_text(entry));
  }
  return node.IsSequence() ? fmt::format("[{}]", fmt::join(parts, ", ")) : "";
}

/// Reads either form. One class: what all parts share is where faults go.
class SweptReader {
 public:
  SweptReader(std::span<const KeyRow> keys, const SourceText& text) : keys_(keys), text_(text) {}

  SweptNode read(const YAML::Node& node, const KeyRow& row) {
    if (!node.IsMap() || node.size() == 0) {
      add(node.Mark(),
          fmt::format("'{}' must map keys to their values, found {}", row.path, kind_of(node)),
          "for example {cluster.gpus: [64, 128], parallelism.tensor: 2..8:x2}");
      return std::move(found_);
    }
    std::vector<std::string> parts;
    for (const auto& [name, value] : entries_of(node)) {
      SweptKey key{.key = name.Scalar(), .values = values_of(name.Scalar(), name.Mark(), value)};
      parts.push_back(fmt::format("{}: [{}]", key.key, fmt::join(key.values, ", ")));
      found_.axes.push_back({.keys = {std::move(key)}, .place = place(name.Mark())});
    }
    found_.text = fmt::format("{{{}}}", fmt::join(parts, ", "));
    return std::move(found_);
  }

  SweptNode read_rows(const YAML::Node& node, const KeyRow& row) {
    constexpr const char* kExample =
        "for example [{cluster.gpus: 64, parallelism.data: 2}, "
        "{cluster.gpus: 128, parallelism.data: 4}]";
    if (!node.IsSequence() || node.size() == 0) {
      add(node.Mark(),
          fmt::format("'{}' must be a list of rows, found {}", row.path, kind_of(node)), kExample);
      return std::move(found_);
    }
    SweptAxis axis{.keys = {}, .place = place(node.Mark())};
    std::set<std::string> rows;
    for (const YAML::Node& entry : node) {
      if (!entry.IsMap() || entry.size() == 0) {
        add(entry.Mark(),
            fmt::format("a row of '{}' must map keys to a value each, found {}", row.path,
                        kind_of(entry)),
            kExample);
      } else if (add_row(entry, axis); !rows.insert(flow_row(axis)).second) {
        add(entry.Mark(), "this row stands there twice", "leave one of the two out");
      }
      if (!found_.faults.empty()) {
        return std::move(found_);  // the rows that follow may miss what this one has
      }
    }
    found_.text = fmt::format("[{}]", fmt::join(texts_, ", "));
    found_.axes.push_back(std::move(axis));
    return std::move(found_);
  }

 private:
  using Entry = std::pair<YAML::Node, YAML::Node>;

  static std::string kind_of(const YAML::Node& node) {
    return node.IsMap() && node.size() == 0 ? "an empty mapping" : node_kind(node);
  }

  void add(const YAML::Mark& mark, std::string message, std::string hint = "") {
    found_.faults.push_back({mark, {std::move(message), std::move(hint)}});
  }
  void add(const YAML::Mark& mark, Complaint complaint) {
    found_.faults.push_back({mark, std::move(complaint)});
  }

  Problem place(const YAML::Mark& mark) const {
    Value at = text_.place(mark);
    return {std::move(at.position), "", "", std::move(at.source_line)};
  }

  /// Those of a mapping whose key may vary, each once.
  std::vector<Entry> entries_of(const YAML::Node& map) {
    std::vector<Entry> entries;
    std::set<std::string> seen;
    for (const auto& entry : map) {
      const YAML::Mark mark = entry.first.Mark();
      if (!entry.first.IsScalar() || entry.first.Scalar().empty()) {
        add(mark, fmt::format("a key must be a word, found {}", kind_of(entry.first)));
        continue;
      }
      const std::string& key = entry.first.Scalar();
      const bool known = find_key(keys_, key) != nullptr || is_section_of(keys_, key) ||
                         find_numbers(keys_, key) != nullptr;
      if (!seen.insert(key).second) {
        add(mark, fmt::format("duplicate key {}", quote(key)), "the key already stands above");
      } else if (key == "extends" || keys_overlap(key, "sweep")) {
        add(mark, fmt::format("{} cannot vary", quote(key)), "it says what is swept, or of what");
      } else if (!known) {
        add(mark, *wrong_value(key, "0"));
      } else {
        entries.emplace_back(entry.first, entry.second);
      }
    }
    return entries;
  }

  /// What is wrong with a value, as --set has it, of a key.
  std::optional<Complaint> wrong_value(const std::string& key, const std::string& value) const {
    std::vector<Problem> problems;
    (void)read_values(value, "", keys_, key, problems);
    return problems.empty() ? std::nullopt
                            : std::optional(Complaint{std::move(problems.front().message),
                                                      std::move(problems.front().hint)});
  }

  std::vector<std::string> values_of(const std::string& key, const YAML::Mark& key_mark,
                                     const YAML::Node& node) {
    if (node.IsScalar()) {
      TypedValues typed = typed_values(node.Scalar());
      if (std::optional<Complaint> wrong = typed.wrong ? typed.wrong : wrong_typed(key, typed)) {
        add(node.Mark(), std::move(*wrong));
      }
      return std::move(typed.values);
    }
    if (!node.IsSequence() || node.size() == 0) {
      add(node.IsNull() ? key_mark : node.Mark(),
          fmt::format("'{}' must have a list of values, found {}", key, kind_of(node)),
          "for example [2, 4], 2..8:x2 or [{tensor: 2, data: 4}, {tensor: 4}]");
      return {};
    }
    std::vector<std::string> values;
    for (const YAML::Node& entry : node) {
      values.push_back(value_of(key, key_mark, entry));
    }
    if (std::optional<Complaint> twice = stands_twice(key, values)) {
      add(node.Mark(), std::move(*twice));
    }
    return values;
  }

  /// A range may have thousands of numbers, which are held against the row that is found once.
  std::optional<Complaint> wrong_typed(const std::string& key, const TypedValues& typed) const {
    const KeyRow* const found = find_key(keys_, key);
    const bool counts =
        found != nullptr && (found->type == KeyType::Count || found->type == KeyType::Number);
    KeyRow row = found != nullptr ? *found : KeyRow{};
    row.path = key;
    for (const std::string& text : typed.values) {
      Value value{.text = text};
      std::optional<Complaint> wrong =
          counts && parse_number(text) ? read_scalar(row, value) : wrong_value(key, text);
      if (wrong) {
        return wrong;
      }
    }
    return stands_twice(key, typed.values);
  }

  std::string value_of(const std::string& key, const YAML::Mark& key_mark, const YAML::Node& node) {
    std::string text = flow_text(node);
    if (node.IsNull()) {
      add(key_mark, fmt::format("'{}' has no value", key));
    } else if (std::optional<Complaint> wrong = wrong_value(key, text)) {
      add(node.Mark(), std::move(*wrong));
    }
    return text;
  }

  /// All rows have the keys of the first.
  void add_row(const YAML::Node& map, SweptAxis& axis) {
    const bool first = axis.keys.empty();
    const std::vector<Entry> entries = entries_of(map);
    for (const auto& [name, node] : entries) {
      const std::string& key = name.Scalar();
      const auto place = std::find_if(axis.keys.begin(), axis.keys.end(),
                                      [&](const SweptKey& one) { return one.key == key; });
      if (first) {
        axis.keys.push_back({key, {value_of(key, name.Mark(), node)}});
      } else if (place == axis.keys.end()) {
        add(name.Mark(), fmt::format("the first row has no {}", quote(key)),
            "all rows have the same keys");
      } else {
        place->values.push_back(value_of(key, name.Mark(), node));
      }
    }
    for (const SweptKey& key : axis.keys) {
      if (found_.faults.empty() && key.values.size() <= texts_.size()) {
        add(map.Mark(), fmt::format("this row has no {}, which the first has", quote(key.key)),
            "all rows have the same keys");
      }
    }
  }

  /// The last row as YAML, which is kept.
  std::string flow_row(const SweptAxis& axis) {
    std::vector<std::string> parts;
    for (const SweptKey& key : axis.keys) {
      parts.push_back(fmt::format("{}: {}", key.key, key.values.empty() ? "" : key.values.back()));
    }
    texts_.push_back(fmt::format("{{{}}}", fmt::join(parts, ", ")));
    return texts_.back();
  }

  std::span<const KeyRow> keys_;
  const SourceText& text_;
  SweptNode found_;
  std::vector<std::string> texts_;  // of the rows
};

}  // namespace

SweptNode read_swept(const YAML::Node& node, const KeyRow& row, std::span<const KeyRow> keys,
                     const SourceText& text) {
  return SweptReader(keys, text).read(node, row);
}

SweptNode read_swept_rows(const YAML::Node& node, const KeyRow& row, std::span<const KeyRow> keys,
                          const SourceText& text) {
  return SweptReader(keys, text).read_rows(node, row);
}

}  // namespace danlu
