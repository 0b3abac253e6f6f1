// What of a scenario's plan a search may vary (danlu search).
#pragma once

#include <string>
#include <vector>

namespace danlu {

/// A key of the plan, and the values to try there, as a scenario file would have them.
struct SearchedKey {
  std::string key;  // "parallelism.tensor"
  std::vector<std::string> values;
};

/// The section `search`: keys whose values the user lists, in the order of searched_keys().
using SearchSpec = std::vector<SearchedKey>;

}  // namespace danlu
