// From YAML text to Values: the walk along the table of keys.
#include <fmt/format.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <set>

#include "sim/base/text.hpp"
#include "sim/scenario/source_text.hpp"
#include "sim/scenario/values.hpp"
#include "sim/scenario/yaml_documents.hpp"
#include "sim/scenario/yaml_links.hpp"
#include "sim/scenario/yaml_swept.hpp"

namespace danlu {
namespace {

/// Walks one document along a table of keys. One class: a method for each type of key, which
/// recurse into each other.
class ValuesReader {
 public:
  ValuesReader(const std::string& yaml, std::string file, std::span<const KeyRow> keys,
               std::vector<Problem>& problems)
      : file_(file), text_(yaml, std::move(file)), keys_(keys), problems_(problems) {}

  Values read(const std::string& yaml, std::string_view under) {
    if (!under.empty()) {
      text_.take_as_value();
    }
    values_.set_section("", Value{.position = {file_, 0, 0}});
    const std::optional<YAML::Node> root = parse(yaml);
    if (!root) {
      values_.set_wrong("");
    } else if (root->IsNull()) {
      add(YAML::Mark::null_mark(),
          text_.is_value() ? "the value is empty" : "the file holds no keys");
      values_.set_wrong("");
    } else if (!text_.is_value() && !root->IsMap()) {
      add(root->Mark(), fmt::format("expected a mapping of keys, found {}", node_kind(*root)),
          "write key: value");
      values_.set_wrong("");
    } else {
      read_node(*root, std::string(under), root->Mark());
    }
    return std::move(values_);
  }

 private:
  /// The only document of the text; empty after a problem.
  std::optional<YAML::Node> parse(const std::string& yaml) {
    if (const std::optional<SourceText::Fault> fault = text_.fault()) {
      add(fault->mark, fault->message, fault->hint);
      return std::nullopt;
    }
    const std::string text = yaml + "\n#";  // lets the library see that a quote is open at the end
    try {
      if (const std::optional<YAML::Mark> second = second_document(text)) {
        add(*second, "expected one YAML document, found more text",
            "a file holds one mapping of keys");
        return std::nullopt;
      }
      return YAML::Load(text);
    } catch (const YAML::DeepRecursion& error) {
      add(error.mark, "brackets or blocks are nested too deeply");
    } catch (const YAML::Exception& error) {
      add(error.mark, "not valid YAML: " + error.msg, syntax_hint(error.msg));
    }
    return std::nullopt;
  }

  void add(const YAML::Mark& mark, std::string message, std::string hint = "") {
    if (problems_.size() > kMostProblems) {
      return;
    }
    if (problems_.size() == kMostProblems) {
      problems_.push_back({{file_, 0, 0}, "too many problems, the rest is not shown", "", ""});
      return;
    }
    Value at = text_.place(mark);
    problems_.push_back(
        {std::move(at.position), std::move(message), std::move(hint), std::move(at.source_line)});
  }
  /// A problem with the value of a row, which then counts as there, though wrong.
  void add(const KeyRow& row, const YAML::Mark& mark, std::string message, std::string hint = "") {
    values_.set_wrong(row.path);
    add(mark, std::move(message), std::move(hint));
  }

  bool is_section(const std::string& path) const { return is_section_of(keys_, path); }
  /// A section whose keys are the places in a list.
  bool is_list(const std::string& path) const { return is_section(path + ".0") && !is_any(path); }
  /// A section that takes any name.
  bool is_any(const std::string& path) const { return is_section(path + ".any name"); }

  void read_node(const YAML::Node& node, const std::string& path, const YAML::Mark& key_mark) {
    if (const std::string& tag = node.Tag(); tag.size() > 1) {  // "?" and "!" are the library's own
      add(node.Mark(), "tags (!) are not supported", "write the value alone");
      values_.set_wrong(path);
      return;
    }
    if (const KeyRow* known = find_key(keys_, path)) {
      known->type == KeyType::Numbers || known->type == KeyType::Ranges
          ? read_entries(node, at_path(*known, path), key_mark)
          : read_value(node, at_path(*known, path), key_mark);
      return;
    }
    if (const KeyRow* numbers = find_numbers(keys_, path)) {
      read_entry(node, at_path(*numbers, parent_of(path)), path, key_mark);
      return;
    }
    const bool root = path.empty();
    if (!root && !is_section(path)) {
      add_unknown(path, key_mark);
      return;
    }
    if (is_list(path)) {
      read_list(node, path, key_mark);
      return;
    }
    if (node.IsMap()) {
      if (!root) {
        values_.set_section(path, text_.place(key_mark));
      }
      read_map(node, path);
      return;
    }
    if (const KeyRow* row = find_short_form(keys_, path); row != nullptr && node.IsScalar()) {
      const std::string name = row->path.substr(row->path.rfind('.'));
      name == ".mean" ? values_.set_whole(path, text_.place(key_mark))
                      : values_.set_section(path, text_.place(key_mark));
      read_value(node, at_path(*row, path + name), key_mark);
      return;
    }
    add(node.IsNull() ? key_mark : node.Mark(),
        fmt::format("'{}' must be a mapping of keys, found {}", path, node_kind(node)),
        is_any(path) ? "for example {NAME: {...}}, with names of your choice"
                     : fmt::format("keys of '{}': {}", path, fmt::join(names_below(path), ", ")));
    values_.set_wrong(path);
  }

  /// The row as that of one of the paths that it stands for.
  static KeyRow at_path(KeyRow row, std::string path) {
    row.path = std::move(path);
    return row;
  }

  void read_list(const YAML::Node& node, const std::string& path, const YAML::Mark& key_mark) {
    if (!node.IsSequence()) {
      add(node.IsNull() ? key_mark : node.Mark(),
          fmt::format("'{}' must be a list, found {}", path, node_kind(node)),
          fmt::format("keys of an entry: {}", fmt::join(names_below(path + ".0"), ", ")));
      values_.set_wrong(path);
      return;
    }
    values_.set_whole(path, text_.place(key_mark));
    std::size_t number = 0;
    for (const YAML::Node& entry : node) {
      read_node(entry, fmt::format("{}.{}", path, number++), entry.Mark());
    }
  }

  void read_entries(const YAML::Node& node, const KeyRow& row, const YAML::Mark& key_mark) {
    if (!node.IsMap()) {
      const bool ranges = row.type == KeyType::Ranges;
      add(node.IsNull() ? key_mark : node.Mark(),
          fmt::format("'{}' must map numbers to {}, found {}", row.path,
                      ranges ? "names" : "numbers", node_kind(node)),
          ranges ? "for example {4-7: dgx-a100}" : "for example {3: 0.5}");
      values_.set_wrong(row.path);
      return;
    }
    values_.set_section(row.path, text_.place(key_mark));
    read_map(node, row.path);
  }

  /// An entry of such a row: a key like any other, but that its name is a number or a range.
  void read_entry(const YAML::Node& node, KeyRow row, const std::string& path,
                  const YAML::Mark& key_mark) {
    const std::string name = path.substr(row.path.size() + 1);
    const bool ranges = row.type == KeyType::Ranges;
    const std::size_t dash = name.find('-');
    const std::string turned =
        dash == std::string::npos
            ? ""
            : fmt::format("{}-{}", name.substr(dash + 1), name.substr(0, dash));
    if (ranges && !parse_range(name) && parse_range(turned)) {
      add(key_mark,
          fmt::format("a range of '{}' must have its lower number first, found {}", row.path,
                      quote(name)),
          fmt::format("write {}", turned));
      return;
    }
    if (!parse_range(name) || (!ranges && dash != std::string::npos)) {
      add(key_mark,
          fmt::format("a key of '{}' must be a whole number{}, found {}", row.path,
                      ranges ? " or a range" : "", quote(name)),
          ranges ? "they count from 0: 3, or 4-7 for 4, 5, 6 and 7" : "they count from 0");
      return;
    }
    row.path = path;
    row.type = ranges ? KeyType::Text : KeyType::Number;
    read_value(node, row, key_mark);
  }

  void read_map(const YAML::Node& map, const std::string& path) {
    std::set<std::string> seen;
    for (const auto& entry : map) {
      const YAML::Mark mark = entry.first.Mark();
      if (problems_.size() > kMostProblems) {
        return;
      }
      if (!entry.first.IsScalar() || entry.first.Scalar().empty()) {
        add(mark, fmt::format("a key must be a word, found {}", node_kind(entry.first)));
        continue;
      }
      const std::string& key = entry.first.Scalar();
      if (key == "<<") {
        values_.set_wrong(path);
        add(mark, "merge keys (<<) are not supported",
            "a scenario can extend another: extends: other.yaml");
      } else if (!seen.insert(key).second) {
        add(mark, fmt::format("duplicate key {}", quote(key)), "the key already stands above");
      } else if (key.find('.') != std::string::npos) {
        add(mark, fmt::format("unknown key {}", quote(key)), "nest the keys instead of using dots");
      } else {
        read_node(entry.second, path.empty() ? key : fmt::format("{}.{}", path, key), mark);
      }
    }
  }

  std::vector<std::string_view> names_below(const std::string& section) const {
    return danlu::names_below(keys_, section);
  }

  void add_unknown(std::string path, const YAML::Mark& mark) {
    constexpr std::string_view kCluster = "cluster.";  // of a scenario; a topology is one
    const std::string inner =
        path.starts_with(kCluster) ? path.substr(kCluster.size()) : std::string();
    std::string parent = parent_of(path);
    while (!parent.empty() && !is_section(parent) && find_key(keys_, parent) == nullptr) {
      path = parent;  // --set may name a key below an unknown one
      parent = parent_of(path);
    }
    const std::string key = parent.empty() ? path : path.substr(parent.size() + 1);
    const std::string where = parent.empty() ? "" : fmt::format(" in '{}'", parent);
    const std::vector<std::string_view> known = names_below(parent);
    std::string hint = known.empty()
                           ? fmt::format("'{}' is one value, without keys of its own", parent)
                           : fmt::format("known keys here: {}", fmt::join(known, ", "));
    const std::string elsewhere = place_of(key);
    if (find_key(keys_, inner) != nullptr) {
      hint = fmt::format("here without 'cluster.': {}", inner);
    } else if (const std::string_view near = nearest(key, known); !near.empty()) {
      hint = fmt::format("did you mean '{}'?", near);
      values_.set_wrong(parent.empty() ? std::string(near) : fmt::format("{}.{}", parent, near));
    } else if (!elsewhere.empty()) {
      hint = elsewhere == key
                 ? fmt::format("'{}' is a section of the file, not of '{}'", key, parent)
                 : fmt::format("did you mean '{}'?", elsewhere);
      values_.set_wrong(elsewhere);
    }
    add(mark, fmt::format("unknown key {}{}", quote(key), where), std::move(hint));
  }

  /// The first key or section of that name, in any section.
  std::string place_of(const std::string& key) const {
    for (const KeyRow& row : keys_) {
      const std::string path = fmt::format(".{}.", row.path);
      const std::size_t at = path.find(fmt::format(".{}.", key));
      if (at != std::string::npos && path.find_first_of("*#") == std::string::npos) {
        return path.substr(1, at + key.size());
      }
    }
    return "";
  }

  static std::string parent_of(const std::string& path) {
    const std::size_t dot = path.rfind('.');
    return dot == std::string::npos ? "" : path.substr(0, dot);
  }

  void read_value(const YAML::Node& node, const KeyRow& row, const YAML::Mark& key_mark) {
    Value value = text_.place(node.IsNull() ? key_mark : node.Mark());
    if (row.type == KeyType::Links || row.type == KeyType::Shares) {
      read_links(node, row, std::move(value));
      return;
    }
    if (row.type == KeyType::Sources) {
      read_sources(node, row, std::move(value));
      return;
    }
    if (row.type == KeyType::Swept || row.type == KeyType::SweptRows) {
      read_swept_axes(node, row, std::move(value), key_mark);
      return;
    }
    if (row.type == KeyType::Words && node.IsSequence()) {
      read_words(node, row, std::move(value));
      return;
    }
    if ((row.type == KeyType::Counts || row.type == KeyType::Durations) &&
        !(row.single && node.IsScalar())) {
      read_numbers(node, row, std::move(value), key_mark);
      return;
    }
    const YAML::Mark mark = node.Mark();
    if (node.IsNull()) {
      add(row, key_mark, fmt::format("'{}' has no value", row.path));
      return;
    }
    if (row.type == KeyType::Lines) {
      read_lines(node, row, std::move(value));
      return;
    }
    if (!node.IsScalar()) {
      add(row, mark, fmt::format("'{}' must be one value, found {}", row.path, node_kind(node)));
      return;
    }
    value.text = node.Scalar();
    const bool plain =
        row.type == KeyType::Count || row.type == KeyType::Number || row.type == KeyType::Flag;
    if (plain && node.Tag() == "!") {
      add(row, mark,
          fmt::format("'{}' must be {}, found the text {} in quotes", row.path,
                      row.type == KeyType::Flag ? "true or false" : "a number", quote(value.text)),
          "remove the quotes");
      return;
    }
    if (const std::optional<double> factor = factor_of(row, value.text)) {
      value.factor = *factor;
      values_.set(row.path, std::move(value));
    } else if (std::optional<Complaint> wrong = read_scalar(row, value)) {
      add(row, mark, std::move(wrong->message), std::move(wrong->hint));
    } else {
      if (row.single) {
        value.numbers = {value.number};
      }
      values_.set(row.path, std::move(value));
    }
  }

  /// The factor of "2x", which multiplies what lies below the value: a preset's, an extended
  /// file's, or the default. Lists and the like have none.
  std::optional<double> factor_of(const KeyRow& row, std::string_view text) const {
    const bool fits =
        row.type == KeyType::Count || row.type == KeyType::Number || row.type == KeyType::Quantity;
    if (!fits || !text.ends_with('x') || find_key(keys_, row.path) == nullptr) {
      return std::nullopt;
    }
    const std::optional<double> factor = parse_number(text.substr(0, text.size() - 1));
    return factor && *factor > 0 ? factor : std::nullopt;
  }

  void read_links(const YAML::Node& node, const KeyRow& row, Value value) {
    const bool counts = row.type == KeyType::Links;
    const char* const hint = counts ? "[0, 1, 2] says that 2 links join GPUs 0 and 1"
                                    : "[0, 1, 0.5] says that GPUs 0 and 1 have half a link left";
    if (!node.IsSequence()) {
      add(row, node.Mark(), fmt::format("'{}' must be a list of links", row.path), hint);
      return;
    }
    std::set<std::pair<double, double>> pairs;
    for (const YAML::Node& entry : node) {
      const std::optional<std::array<double, 3>> link = read_link(entry, row);
      if (!link) {
        add(row, entry.Mark(),
            fmt::format(
                "a link must be [GPU, another GPU, {}]",
                counts ? "count" : fmt::format("share from {} to {}", row.minimum, row.maximum)),
            hint);
        return;
      }
      if (!pairs.insert(std::minmax((*link)[0], (*link)[1])).second) {
        add(row, entry.Mark(),
            fmt::format("a second entry for GPUs {} and {}", (*link)[0], (*link)[1]),
            counts ? "the third number counts the links between the two" : "");
        return;
      }
      value.links.push_back(*link);
    }
    values_.set(row.path, std::move(value));
  }

  void read_numbers(const YAML::Node& node, const KeyRow& row, Value value,
                    const YAML::Mark& key_mark) {
    const bool counts = row.type == KeyType::Counts;
    if (!node.IsSequence() || node.size() == 0) {
      add(row, node.IsNull() ? key_mark : node.Mark(),
          fmt::format("'{}' must be a list of {}, found {}", row.path,
                      counts ? "whole numbers" : "durations", node_kind(node)),
          counts ? "for example [7, 8, 9, 8]" : "for example [40 s, 5 min]");
      return;
    }
    for (const YAML::Node& entry : node) {
      Value one{.text = entry.IsScalar() ? entry.Scalar() : node_kind(entry)};
      if (std::optional<Complaint> wrong = read_scalar(row, one)) {
        add(row, entry.Mark(), std::move(wrong->message), std::move(wrong->hint));
        return;
      }
      value.numbers.push_back(one.number);
    }
    values_.set(row.path, std::move(value));
  }

  void read_words(const YAML::Node& node, const KeyRow& row, Value value) {
    if (std::optional<std::string> list = list_of(node, row, false)) {
      value.text = std::move(*list);
      values_.set(row.path, std::move(value));
    }
  }

  /// "[none, [core_attn, mlp]]"; nothing, and a complaint, where it holds what it may not.
  std::optional<std::string> list_of(const YAML::Node& node, const KeyRow& row, bool is_inner) {
    const std::vector<std::string_view> parts = split(is_inner ? row.inner : row.parts, '|');
    const std::vector<std::string_view> inner = split(row.inner, '|');
    std::vector<std::string> found;
    for (const YAML::Node& entry : node) {
      const bool is_list = entry.IsSequence() && !is_inner && !row.inner.empty();
      std::string text = entry.IsScalar() ? entry.Scalar() : node_kind(entry);
      if (is_list) {
        const std::optional<std::string> list = list_of(entry, row, true);
        if (!list) {
          return std::nullopt;
        }
        text = *list;
      }
      const bool is_twice = std::find(found.begin(), found.end(), text) != found.end();
      if (is_twice || (!is_list && std::find(parts.begin(), parts.end(), text) == parts.end())) {
        const std::string_view near = nearest(text, parts);
        const bool belongs_in =
            !row.inner.empty() && std::find(inner.begin(), inner.end(), text) != inner.end();
        add(row, entry.Mark(),
            fmt::format("a {} '{}' must hold some of {}{}, each once, found {}",
                        is_inner ? "list in that at" : "list at", row.path, fmt::join(parts, ", "),
                        is_inner || row.inner.empty()
                            ? ""
                            : fmt::format(", or lists of {}", fmt::join(inner, ", ")),
                        quote(text)),
            is_twice                       ? ""
            : belongs_in                   ? fmt::format("as one value of the list: [{}]", text)
            : near.empty() || near == text ? ""
                                           : fmt::format("did you mean '{}'?", near));
        return std::nullopt;
      }
      found.push_back(std::move(text));
    }
    if (found.empty()) {
      const std::vector<std::string_view> choices = split(row.choices, '|');
      const bool has_none = std::find(choices.begin(), choices.end(), "none") != choices.end();
      add(row, node.Mark(), fmt::format("'{}' has an empty list", row.path),
          is_inner ? fmt::format("some of {}", fmt::join(parts, ", "))
                   : fmt::format("a word, as in {}, or some of {}",
                                 has_none ? "none" : choices.front(), fmt::join(parts, ", ")));
      return std::nullopt;
    }
    return fmt::format("[{}]", fmt::join(found, ", "));
  }

  /// A block after '|', or a list of texts.
  void read_lines(const YAML::Node& node, const KeyRow& row, Value value) {
    if (node.IsSequence()) {
      for (const YAML::Node& entry : node) {
        if (!entry.IsScalar()) {
          add(row, entry.Mark(),
              fmt::format("a line of '{}' must be a text, found {}", row.path, node_kind(entry)));
          return;
        }
        value.lines.push_back(text_.line_at(entry.Scalar(), entry.Mark()));
      }
    } else if (node.IsScalar()) {
      YAML::Mark mark = node.Mark();
      for (const std::string_view line : split(node.Scalar(), '\n')) {
        value.lines.push_back(text_.line_at(std::string(line), mark));
        if (const int found = value.lines.back().position.line; found > 0 && !line.empty()) {
          mark.line = found;  // positions count from 1: the line after it
          mark.column = 0;
        }
      }
      while (!value.lines.empty() && value.lines.back().text.empty()) {
        value.lines.pop_back();
      }
    }
    if (value.lines.empty()) {
      add(row, node.Mark(),
          fmt::format("'{}' must be a block of lines or a list of texts, found {}", row.path,
                      node_kind(node)),
          "for example 'grid: |' with the lines below it");
      return;
    }
    for (const TextLine& line : value.lines) {
      value.text += line.text + "\n";
    }
    values_.set(row.path, std::move(value));
  }

  void read_swept_axes(const YAML::Node& node, const KeyRow& row, Value value,
                       const YAML::Mark& key_mark) {
    SweptNode found = row.type == KeyType::Swept ? read_swept(node, row, keys_, text_)
                                                 : read_swept_rows(node, row, keys_, text_);
    for (SweptNode::Fault& fault : found.faults) {
      add(row, node.IsNull() ? key_mark : fault.mark, std::move(fault.complaint.message),
          std::move(fault.complaint.hint));
    }
    if (!found.faults.empty()) {
      return;
    }
    value.swept = std::move(found.axes);
    value.text = std::move(found.text);
    values_.set(row.path, std::move(value));
  }

  void read_sources(const YAML::Node& node, const KeyRow& row, Value value) {
    if (!node.IsMap()) {
      add(row, node.Mark(), fmt::format("'{}' must map key paths to sources", row.path),
          "node.power: \"data sheet, page 3\"");
      return;
    }
    std::set<std::string> seen;
    for (const auto& entry : node) {
      const YAML::Mark mark = entry.first.Mark();
      const std::string path = entry.first.IsScalar() ? entry.first.Scalar() : "";
      if (find_key(keys_, path) == nullptr && !is_section(path)) {
        add(row, mark,
            fmt::format("'{}' names {}, which is no key of this file", row.path, quote(path)));
      } else if (!seen.insert(path).second) {
        add(row, mark, fmt::format("duplicate key {}", quote(path)),
            "the key already stands above");
      } else if (!entry.second.IsScalar() || entry.second.Scalar().empty()) {
        add(row, mark, fmt::format("the source of {} must be a text", quote(path)));
      }
      const std::string source = entry.second.IsScalar() ? entry.second.Scalar() : "";
      value.text += fmt::format("{}\t{}\n", path, source);
    }
    values_.set(row.path, std::move(value));
  }

  std::string file_;
  SourceText text_;
  std::span<const KeyRow> keys_;
  std::vector<Problem>& problems_;
  Values values_;
};

}  // namespace

Values read_values(const std::string& yaml, const std::string& file, std::span<const KeyRow> keys,
                   std::string_view under, std::vector<Problem>& problems) {
  return ValuesReader(yaml, file, keys, problems).read(yaml, under);
}

namespace {

/// What the command line has said below a section before it names the section's preset alone: that
/// holds, in whatever order the two come.
Values set_below_short_form(const Values& values, const Values& own, const std::string& path) {
  Values kept;
  const std::vector<std::string> paths = own.paths();
  const bool short_form = paths.size() == 1 && paths[0] != path && !paths[0].ends_with(".mean");
  for (const std::string& below : values.paths()) {
    if (short_form && below.starts_with(path + ".") && below != paths[0] &&
        values.at(below).position.line == 0) {
      kept.set(below, values.at(below));
    }
  }
  return kept;
}

}  // namespace

void apply_override(const std::string& override_text, std::span<const KeyRow> keys, Values& values,
                    std::vector<Problem>& problems) {
  const std::string file = "--set " + shown(override_text, kLongestPath);
  const std::size_t equals = override_text.find('=');
  const std::string path = override_text.substr(0, equals);
  if (equals == std::string::npos || path.empty()) {
    problems.push_back(
        {{file, 0, 0}, "expected key.path=value", "for example --set parallelism.tensor=4", ""});
    return;
  }
  if (path == "extends") {
    problems.push_back({{file, 0, 0}, "'extends' can only stand in a scenario file", "", ""});
    return;
  }
  const std::size_t before = problems.size();
  const std::string text = override_text.substr(equals + 1);
  Values own = read_values(text, file, keys, path, problems);
  if (problems.size() == before) {
    const bool mapping = text.find('{') != std::string::npos;
    const Values kept = mapping ? Values() : set_below_short_form(values, own, path);
    own.scale(values);
    values.erase_tree(path);
    values.overlay(kept);
    values.overlay(own);
  }
}

}  // namespace danlu
