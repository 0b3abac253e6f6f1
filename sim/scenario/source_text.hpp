// Inside sim/scenario: the text of one document, and where things stand in it, as people count:
// lines and characters from 1.
#pragma once

#include <yaml-cpp/mark.h>

#include <optional>
#include <string>
#include <vector>

#include "sim/scenario/values.hpp"

namespace danlu {

class SourceText {
 public:
  SourceText(const std::string& yaml, std::string file);

  /// From now on the text is a value of --set, which has no lines to be shown.
  void take_as_value() { is_value_ = true; }
  bool is_value() const { return is_value_; }

  /// What YAML forbids and its library takes in strange ways: text that is not UTF-8, control
  /// characters, tabs for indentation.
  struct Fault {
    YAML::Mark mark;
    std::string message, hint;
  };
  std::optional<Fault> fault() const;

  /// A value without content that stands there.
  Value place(const YAML::Mark& mark) const;
  /// A line of text that begins there or, of a block, as the first such line from there on.
  TextLine line_at(std::string text, YAML::Mark mark) const;

 private:
  std::string file_;
  std::vector<std::string> lines_;
  bool is_value_ = false;
};

}  // namespace danlu
