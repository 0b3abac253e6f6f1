// Inside sim/scenario: what frameworks do by themselves, as values that lie under the user's and
// over the defaults. One table (frameworks.cpp), each value with its source; its page is
// docs/reference/frameworks.md.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace danlu {

/// A key of a scenario, what a framework makes of it, and where that is known from.
struct FrameworkValue {
  std::string_view key, value, source;
};

struct Framework {
  std::string_view name;
  std::string_view is;  // in a few words
  std::vector<FrameworkValue> values;
};

std::span<const Framework> framework_table();
/// Of that name; null where there is none.
const Framework* find_framework(std::string_view name);

/// docs/reference/frameworks.md.
std::string frameworks_page();

}  // namespace danlu
