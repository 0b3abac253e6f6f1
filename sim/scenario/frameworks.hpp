// Inside sim/scenario: what frameworks do by themselves, as values that lie under the user's. One
// table (frameworks.cpp), each value with its source.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace danlu {

/// A key of a scenario, the value that a framework gives it, and where that is from.
struct FrameworkValue {
  std::string_view key, value, source;
};

struct Framework {
  std::string_view name;
  std::string_view is;  // in a few words
  std::vector<FrameworkValue> values;
};

std::span<const Framework> frameworks_known();

/// The page docs/reference/frameworks.md.
std::string frameworks_page();

}  // namespace danlu
