// Settings of another program as a list: each value of a YAML, JSON or TOML file by its path, with
// its place. JSON is read as the subset of YAML that it is.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/base/error.hpp"

namespace danlu {

/// One value of a file.
struct FlatValue {
  std::string path;                // "zero_optimization.stage"
  std::string text;                // without quotes; "null"; a list as "[a, b]"
  std::vector<std::string> items;  // of a list of plain values
  bool is_null = false;
  bool is_list = false;
  SourcePosition position;
  std::string source_line;

  Problem problem(std::string message, std::string hint = "") const {
    return {position, std::move(message), std::move(hint), source_line};
  }
};

/// The values of a file in its order.
struct FlatFile {
  std::string name;
  std::vector<FlatValue> values;

  /// The value at `path`, or nullptr.
  const FlatValue* find(std::string_view path) const;
};

/// Reads a document whose root is a mapping; `name` names it in messages. Throws InputError.
FlatFile read_flat_yaml(const std::string& text, const std::string& name);
FlatFile read_flat_toml(const std::string& text, const std::string& name);

}  // namespace danlu
