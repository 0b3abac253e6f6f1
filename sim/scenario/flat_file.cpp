#include "sim/scenario/flat_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <set>

#include "sim/scenario/source_text.hpp"
#include "sim/scenario/yaml_documents.hpp"

namespace danlu {
namespace {

/// Blanks for the tabs that lines of JSON begin with, which YAML forbids outside brackets.
std::string without_leading_tabs(std::string text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string::npos || text[first] != '{') {
    return text;
  }
  bool leading = true;
  for (char& letter : text) {
    letter = leading && letter == '\t' ? ' ' : letter;
    leading = letter == '\n' || (leading && letter == ' ');
  }
  return text;
}

class FlatYamlReader {
 public:
  FlatYamlReader(const std::string& text, const std::string& name) : source_(text, name) {
    file_.name = name;
  }

  FlatFile read(const std::string& text) {
    const YAML::Node root = parse(text);
    if (!root.IsMap()) {
      refuse(root.Mark(), "expected a mapping of keys", "write key: value");
    }
    add_map(root, "");
    return std::move(file_);
  }

 private:
  [[noreturn]] void refuse(const YAML::Mark& mark, std::string message, std::string hint) const {
    const Value place = source_.place(mark);
    throw InputError(
        Problem{place.position, std::move(message), std::move(hint), place.source_line});
  }

  YAML::Node parse(const std::string& text) const {
    if (const std::optional<SourceText::Fault> fault = source_.fault()) {
      refuse(fault->mark, fault->message, fault->hint);
    }
    try {
      return YAML::Load(text + "\n#");
    } catch (const YAML::DeepRecursion& error) {
      refuse(error.mark, "nested too deeply", "");
    } catch (const YAML::Exception& error) {
      refuse(error.mark, error.msg, syntax_hint(error.msg));
    }
  }

  void add_map(const YAML::Node& map, const std::string& prefix) {
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) {
        refuse(entry.first.Mark(), "expected the name of a key", "");
      }
      const std::string path = prefix + entry.first.Scalar();
      if (!paths_.insert(path).second) {
        refuse(entry.first.Mark(), fmt::format("duplicate key '{}'", path),
               "the key already stands above");
      }
      add_value(entry.second, path, entry.first.Mark());
    }
  }

  void add_value(const YAML::Node& node, const std::string& path, const YAML::Mark& key) {
    const Value place = source_.place(node.IsNull() ? key : node.Mark());
    FlatValue value{.path = path,
                    .is_null = node.IsNull(),
                    .is_list = node.IsSequence(),
                    .position = place.position,
                    .source_line = place.source_line};
    if (node.IsMap()) {
      add_map(node, path + ".");
      return;
    }
    if (node.IsSequence()) {
      for (const YAML::Node& item : node) {
        value.items.push_back(item.IsScalar() ? item.Scalar() : "...");
      }
      value.text = fmt::format("[{}]", fmt::join(value.items, ", "));
    } else {
      value.text = node.IsNull() ? "null" : node.Scalar();
    }
    file_.values.push_back(std::move(value));
  }

  SourceText source_;
  std::set<std::string> paths_;
  FlatFile file_;
};

}  // namespace

const FlatValue* FlatFile::find(std::string_view path) const {
  const auto found = std::find_if(values.begin(), values.end(),
                                  [&](const FlatValue& value) { return value.path == path; });
  return found == values.end() ? nullptr : &*found;
}

FlatFile read_flat_yaml(const std::string& text, const std::string& name) {
  const std::string clean = without_leading_tabs(text);
  return FlatYamlReader(clean, name).read(clean);
}

}  // namespace danlu
