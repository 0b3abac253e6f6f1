// Inside sim/import: the values of a YAML, JSON or TOML file as flags.
#pragma once

#include <algorithm>
#include <vector>

#include "sim/import/draft.hpp"
#include "sim/scenario/flat_file.hpp"

namespace danlu {

inline std::vector<GivenFlag> flags_of(const FlatFile& file) {
  std::vector<GivenFlag> flags;
  for (const FlatValue& value : file.values) {
    flags.push_back({.name = value.path,
                     .value = value.text,
                     .known = true,
                     .position = value.position,
                     .source_line = value.source_line});
  }
  std::stable_sort(flags.begin(), flags.end(), [](const GivenFlag& a, const GivenFlag& b) {
    return a.position.line < b.position.line;
  });
  return flags;
}

}  // namespace danlu
