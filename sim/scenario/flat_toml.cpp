// TOML as a list of values.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <toml++/toml.h>

#include <sstream>

#include "sim/base/text.hpp"
#include "sim/scenario/flat_file.hpp"

namespace danlu {
namespace {

class FlatTomlReader {
 public:
  FlatTomlReader(const std::string& text, std::string name) : lines_(split(text, '\n')) {
    file_.name = std::move(name);
  }

  FlatFile read(const std::string& text) {
    try {
      add_table(toml::parse(text, file_.name), "");
    } catch (const toml::parse_error& error) {
      FlatValue place = place_of(error.source());
      throw InputError(place.problem(std::string(error.description()), "expected TOML"));
    }
    return std::move(file_);
  }

 private:
  FlatValue place_of(const toml::source_region& source) const {
    const int line = static_cast<int>(source.begin.line);
    const auto at = static_cast<std::size_t>(line - 1);
    return {.position = {file_.name, line, static_cast<int>(source.begin.column)},
            .source_line = line > 0 && at < lines_.size() ? std::string(lines_[at]) : ""};
  }

  static std::string text_of(const toml::node& node) {
    if (const auto text = node.value_exact<std::string>()) {
      return *text;
    }
    std::ostringstream out;
    out << toml::node_view<const toml::node>(node);
    return out.str();
  }

  void add_table(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
      const std::string path = prefix + std::string(key.str());
      if (const toml::table* inner = node.as_table()) {
        add_table(*inner, path + ".");
        continue;
      }
      FlatValue value = place_of(node.source());
      value.path = path;
      if (const toml::array* items = node.as_array()) {
        value.is_list = true;
        for (const toml::node& item : *items) {
          value.items.push_back(text_of(item));
        }
        value.text = fmt::format("[{}]", fmt::join(value.items, ", "));
      } else {
        value.text = text_of(node);
      }
      file_.values.push_back(std::move(value));
    }
  }

  std::vector<std::string_view> lines_;
  FlatFile file_;
};

}  // namespace

FlatFile read_flat_toml(const std::string& text, const std::string& name) {
  return FlatTomlReader(text, name).read(text);
}

}  // namespace danlu
