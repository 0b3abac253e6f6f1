#include "sim/scenario/values.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "sim/base/text.hpp"

namespace danlu {
namespace {

constexpr std::uintmax_t kLargestFile = 1 << 20;
constexpr std::size_t kLongestQuote = 40;

/// A value as shown inside a message.
std::string quote(std::string_view text) {
  std::string shown(text.substr(0, kLongestQuote));
  std::replace_if(
      shown.begin(), shown.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return fmt::format("'{}{}'", shown, text.size() > kLongestQuote ? "..." : "");
}

std::string node_kind(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map: return "a mapping";
    case YAML::NodeType::Sequence: return "a list";
    case YAML::NodeType::Null: return "nothing";
    default: return quote(node.Scalar());
  }
}

/// Walks one document along a table of keys.
class Reader {
 public:
  Reader(const std::string& yaml, std::string file, std::span<const KeyRow> keys,
         std::vector<Problem>& problems)
      : file_(std::move(file)), keys_(keys), problems_(problems) {
    std::istringstream lines(yaml);
    for (std::string line; std::getline(lines, line);) {
      lines_.push_back(line);
    }
  }

  Values read(const std::string& yaml, std::string_view under) {
    YAML::Node root;
    try {
      root = YAML::Load(yaml);
    } catch (const YAML::Exception& error) {
      add(error.mark, "not valid YAML: " + error.msg, "");
      return {};
    }
    if (!root.IsDefined() || root.IsNull()) {
      const std::string what = under.empty() ? "the file is empty" : "the value is empty";
      problems_.push_back({{file_, 0, 0}, what, "", ""});
      return {};
    }
    if (under.empty() && !root.IsMap()) {
      add(root.Mark(), fmt::format("expected a mapping of keys, found {}", node_kind(root)), "");
      return {};
    }
    values_.set_section("", place(root.Mark()));
    read_node(root, std::string(under), root.Mark());
    return std::move(values_);
  }

 private:
  Value place(const YAML::Mark& mark) const {
    Value value;
    value.position.file = file_;
    if (!mark.is_null()) {
      value.position.line = mark.line + 1;
      value.position.column = mark.column + 1;
      const auto line = static_cast<std::size_t>(mark.line);
      value.source_line = line < lines_.size() ? lines_[line] : "";
    }
    return value;
  }
  void add(const YAML::Mark& mark, std::string message, std::string hint) {
    Value at = place(mark);
    problems_.push_back(
        {std::move(at.position), std::move(message), std::move(hint), std::move(at.source_line)});
  }

  bool is_section(const std::string& path) const {
    return std::any_of(keys_.begin(), keys_.end(), [&](const KeyRow& row) {
      return row.path.starts_with(path + ".");
    });
  }

  void read_node(const YAML::Node& node, const std::string& path, const YAML::Mark& key_mark) {
    if (const KeyRow* row = find_key(keys_, path)) {
      read_value(node, *row, key_mark);
      return;
    }
    const bool root = path.empty();
    if (!root && !is_section(path)) {
      add_unknown(path, key_mark);
      return;
    }
    if (node.IsMap()) {
      if (!root) {
        values_.set_section(path, place(key_mark));
      }
      read_map(node, path);
      return;
    }
    for (const char* short_form : {".preset", ".kind"}) {  // `model: gpt3-175b`
      const KeyRow* row = find_key(keys_, path + short_form);
      if (row != nullptr && node.IsScalar()) {
        values_.set_section(path, place(key_mark));
        read_value(node, *row, key_mark);
        return;
      }
    }
    add(node.IsNull() ? key_mark : node.Mark(),
        fmt::format("'{}' must be a mapping of keys, found {}", path, node_kind(node)), "");
  }

  void read_map(const YAML::Node& map, const std::string& path) {
    std::set<std::string> seen;
    for (const auto& entry : map) {
      const YAML::Mark mark = entry.first.Mark();
      if (!entry.first.IsScalar()) {
        add(mark, fmt::format("a key must be a word, found {}", node_kind(entry.first)), "");
        continue;
      }
      const std::string& key = entry.first.Scalar();
      if (key == "<<") {
        add(mark, "merge keys (<<) are not supported", "use 'extends: other-scenario.yaml'");
      } else if (!seen.insert(key).second) {
        add(mark, fmt::format("duplicate key {}", quote(key)), "the key already stands above");
      } else if (key.find('.') != std::string::npos) {
        add(mark, fmt::format("unknown key {}", quote(key)), "nest the keys instead of using dots");
      } else {
        read_node(entry.second, path.empty() ? key : path + "." + key, mark);
      }
    }
  }

  void add_unknown(const std::string& path, const YAML::Mark& mark) {
    const std::size_t dot = path.rfind('.');
    const std::string parent = dot == std::string::npos ? "" : path.substr(0, dot);
    const std::string key = dot == std::string::npos ? path : path.substr(dot + 1);
    std::set<std::string_view> names;
    std::string elsewhere;
    for (const KeyRow& row : keys_) {
      const std::string prefix = parent.empty() ? "" : parent + ".";
      if (row.path.starts_with(prefix)) {
        const std::string_view rest = std::string_view(row.path).substr(prefix.size());
        names.insert(rest.substr(0, rest.find('.')));
      }
      if (elsewhere.empty() && row.path.ends_with("." + key)) {
        elsewhere = row.path;
      }
    }
    const std::vector<std::string_view> known(names.begin(), names.end());
    const std::string_view near = nearest(key, known);
    std::string hint = near.empty() ? fmt::format("known keys here: {}", fmt::join(known, ", "))
                                    : fmt::format("did you mean '{}'?", near);
    if (near.empty() && !elsewhere.empty()) {
      hint = fmt::format("did you mean '{}'?", elsewhere);
    }
    const std::string where = parent.empty() ? "" : fmt::format(" in '{}'", parent);
    add(mark, fmt::format("unknown key {}{}", quote(key), where), std::move(hint));
  }

  void read_value(const YAML::Node& node, const KeyRow& row, const YAML::Mark& key_mark) {
    Value value = place(node.IsNull() ? key_mark : node.Mark());
    if (row.type == KeyType::Links) {
      read_links(node, row, std::move(value));
      return;
    }
    if (row.type == KeyType::Sources) {
      read_sources(node, row, std::move(value));
      return;
    }
    if (node.IsNull()) {
      add(key_mark, fmt::format("'{}' has no value", row.path), "");
      return;
    }
    if (!node.IsScalar()) {
      add(node.Mark(), fmt::format("'{}' must be one value, found {}", row.path, node_kind(node)),
          "");
      return;
    }
    value.text = node.Scalar();
    if (read_scalar(row, value, node.Mark())) {
      values_.set(row.path, std::move(value));
    }
  }

  bool read_scalar(const KeyRow& row, Value& value, const YAML::Mark& mark) {
    switch (row.type) {
      case KeyType::Text: return read_name(row, value, mark);
      case KeyType::Count: return read_count(row, value, mark);
      case KeyType::Number: return read_number(row, value, mark);
      case KeyType::Quantity: return read_quantity(row, value, mark);
      case KeyType::Choice: return read_choice(row, value, mark);
      case KeyType::Flag: return read_flag(row, value, mark);
      case KeyType::Links:
      case KeyType::Sources: return false;
    }
    return false;
  }

  bool read_name(const KeyRow& row, const Value& value, const YAML::Mark& mark) {
    if (value.text.empty()) {
      add(mark, fmt::format("'{}' is empty", row.path), "");
    }
    return !value.text.empty();
  }

  bool read_count(const KeyRow& row, Value& value, const YAML::Mark& mark) {
    const std::string& text = value.text;
    const std::size_t digits = text.find_first_not_of("0123456789", text.starts_with('-') ? 1 : 0);
    const std::optional<double> number = parse_number(text);
    if (digits != std::string::npos || !number) {
      add(mark, fmt::format("'{}' must be a whole number, found {}", row.path, quote(text)), "");
      return false;
    }
    if (text.size() > 1 && text.starts_with('0')) {
      add(mark, fmt::format("'{}' must be a decimal number, found {}", row.path, quote(text)),
          "write it without the leading 0");
      return false;
    }
    value.number = *number;
    return in_range(row, value, mark);
  }

  bool read_number(const KeyRow& row, Value& value, const YAML::Mark& mark) {
    const std::optional<double> number = parse_number(value.text);
    if (!number) {
      add(mark, fmt::format("'{}' must be a number, found {}", row.path, quote(value.text)), "");
      return false;
    }
    value.number = *number;
    return in_range(row, value, mark);
  }

  bool read_quantity(const KeyRow& row, Value& value, const YAML::Mark& mark) {
    const std::optional<ParsedQuantity> parsed = parse_quantity(value.text, row.dimension);
    const std::string_view units = accepted_units(row.dimension);
    if (!parsed) {
      const bool bare = parse_number(value.text).has_value();
      add(mark,
          bare ? fmt::format("'{}' needs a unit, found {}", row.path, quote(value.text))
               : fmt::format("'{}' must be {} with its unit, found {}", row.path,
                             dimension_name(row.dimension), quote(value.text)),
          fmt::format("units: {}", units));
      return false;
    }
    value.number = parsed->value;
    const double other = parsed->in_bits ? value.number * 8 : value.number / 8;
    const bool outside = value.number < row.minimum || value.number > row.maximum;
    if (row.dimension == Dimension::Bandwidth && outside && other >= row.minimum &&
        other <= row.maximum) {
      add(mark, range_message(row, value),
          parsed->in_bits ? "b is bits: did you mean bytes (B)?"
                          : "B is bytes: did you mean bits (b)?");
      return false;
    }
    return in_range(row, value, mark);
  }

  static std::string range_message(const KeyRow& row, const Value& value) {
    const bool quantity = row.type == KeyType::Quantity;
    const auto show = [&](double number) {
      return quantity ? format_quantity(number, row.dimension) : fmt::format("{:g}", number);
    };
    return fmt::format("'{}' must lie between {} and {}, found {}", row.path, show(row.minimum),
                       show(row.maximum), quote(value.text));
  }
  bool in_range(const KeyRow& row, const Value& value, const YAML::Mark& mark) {
    const bool inside = value.number >= row.minimum && value.number <= row.maximum;
    if (!inside) {
      add(mark, range_message(row, value), "");
    }
    return inside;
  }

  bool read_choice(const KeyRow& row, Value& value, const YAML::Mark& mark) {
    const std::vector<std::string_view> choices = split(row.choices, '|');
    const auto found = std::find(choices.begin(), choices.end(), value.text);
    if (found == choices.end()) {
      const std::string_view near = nearest(value.text, choices);
      add(mark,
          fmt::format("'{}' must be one of {}, found {}", row.path, fmt::join(choices, ", "),
                      quote(value.text)),
          near.empty() ? "" : fmt::format("did you mean '{}'?", near));
      return false;
    }
    value.number = static_cast<double>(found - choices.begin());
    return true;
  }

  bool read_flag(const KeyRow& row, Value& value, const YAML::Mark& mark) {
    if (value.text != "true" && value.text != "false") {
      add(mark, fmt::format("'{}' must be true or false, found {}", row.path, quote(value.text)),
          "");
      return false;
    }
    value.number = value.text == "true" ? 1 : 0;
    return true;
  }

  void read_links(const YAML::Node& node, const KeyRow& row, Value value) {
    bool good = node.IsSequence() && node.size() <= 1000000;
    for (std::size_t i = 0; good && i < node.size(); ++i) {
      std::vector<int> link;
      const YAML::Node& entry = node[i];
      good = entry.IsSequence() && entry.size() == 3;
      for (std::size_t j = 0; good && j < 3; ++j) {
        const std::optional<double> number =
            entry[j].IsScalar() ? parse_number(entry[j].Scalar()) : std::nullopt;
        good = number && *number >= (j == 2 ? 1 : 0) && *number < 1024 &&
               *number == std::floor(*number);
        link.push_back(good ? static_cast<int>(*number) : 0);
      }
      good = good && link[0] != link[1];
      value.links.push_back(std::move(link));
    }
    if (good) {
      values_.set(row.path, std::move(value));
    } else {
      add(node.Mark(),
          fmt::format("'{}' must be a list of [GPU, GPU, number of links]", row.path), "");
    }
  }

  void read_sources(const YAML::Node& node, const KeyRow& row, Value value) {
    if (!node.IsMap()) {
      add(node.Mark(), fmt::format("'{}' must map key paths to sources", row.path), "");
      return;
    }
    for (const auto& entry : node) {
      value.text += (entry.first.IsScalar() ? entry.first.Scalar() : "") + "\n";
    }
    values_.set(row.path, std::move(value));
  }

  std::string file_;
  std::span<const KeyRow> keys_;
  std::vector<Problem>& problems_;
  std::vector<std::string> lines_;
  Values values_;
};

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& why,
                         const std::string& hint = "") {
  throw InputError(Problem{{file.string(), 0, 0}, why, hint, ""});
}

}  // namespace

const Value& Values::at(std::string_view path) const {
  const auto found = values_.find(path);
  check(found != values_.end(), fmt::format("no value at '{}'", path));
  return found->second;
}

void Values::erase_tree(std::string_view path) {
  std::erase_if(values_, [&](const auto& entry) {
    return entry.first == path || entry.first.starts_with(std::string(path) + ".");
  });
}

void Values::overlay(const Values& other) {
  for (const auto& [path, value] : other.values_) {
    values_[path] = value;
  }
  for (const auto& [path, place] : other.sections_) {
    sections_[path] = place;
  }
}

Values Values::below(std::string_view prefix) const {
  Values inner;
  for (const auto& [path, value] : values_) {
    if (path.starts_with(prefix)) {
      inner.values_[path.substr(prefix.size())] = value;
    }
  }
  return inner;
}

Problem Values::problem(std::string_view path, std::string message, std::string hint) const {
  const Value* at = nullptr;
  std::string_view rest = path;
  if (const auto value = values_.find(path); value != values_.end()) {
    at = &value->second;
  }
  while (at == nullptr) {
    const auto section = sections_.find(rest);
    if (section != sections_.end()) {
      at = &section->second;
    } else if (rest.empty()) {
      return {{}, std::move(message), std::move(hint), ""};
    }
    const std::size_t dot = rest.rfind('.');
    rest = dot == std::string_view::npos ? "" : rest.substr(0, dot);
  }
  return {at->position, std::move(message), std::move(hint), at->source_line};
}

Values read_values(const std::string& yaml, const std::string& file, std::span<const KeyRow> keys,
                   std::string_view under, std::vector<Problem>& problems) {
  return Reader(yaml, file, keys, problems).read(yaml, under);
}

std::string read_text_file(const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) {
    refuse(file, "is a directory, not a file");
  }
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    refuse(file, fmt::format("cannot be opened: {}", std::strerror(errno)));
  }
  std::string text(kLargestFile + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kLargestFile) {
    refuse(file, "is larger than 1 MiB", "no input of danlu is that long");
  }
  if (text.find('\0') != std::string::npos) {
    refuse(file, "is not a text file");
  }
  return text;
}

}  // namespace danlu
