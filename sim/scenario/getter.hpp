// Inside sim/scenario: values with the defaults of their table.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

/// Typed access with the table's defaults.
class Getter {
 public:
  Getter(const Values& values, std::span<const KeyRow> keys) : values_(values), keys_(keys) {}

  double number(std::string_view path) const {
    if (values_.has(path)) {
      return values_.at(path).number;
    }
    const KeyRow* row = find_key(keys_, path);
    check(row != nullptr, "a key that the table lacks");
    if (row->fallback.empty()) {
      return 0;
    }
    if (row->type == KeyType::Flag) {
      return row->fallback == "true" ? 1 : 0;
    }
    if (row->type == KeyType::Quantity) {
      return parse_quantity(row->fallback, row->dimension).value_or(ParsedQuantity{}).value;
    }
    if (row->type == KeyType::Choice) {
      const std::vector<std::string_view> choices = split(row->choices, '|');
      return static_cast<double>(std::find(choices.begin(), choices.end(), row->fallback) -
                                 choices.begin());
    }
    return parse_number(row->fallback).value_or(0);
  }
  bool has(std::string_view path) const { return values_.has(path); }
  int count(std::string_view path) const { return static_cast<int>(number(path)); }

 private:
  const Values& values_;
  std::span<const KeyRow> keys_;
};

}  // namespace danlu
