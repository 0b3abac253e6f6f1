// What a search varies: keys of the plan, and the values that it tries at each.
#pragma once

#include <string>
#include <vector>

#include "sim/scenario/variants.hpp"

namespace danlu {

struct SearchAxis {
  std::string key;                  // "parallelism.tensor"
  std::vector<std::string> values;  // as a file would have them; each once, one or more
  bool from_user = false;           // and not the default
};

/// Those of the section `search`, and defaults for the keys that it leaves out; of these the
/// scenario's own value is always one. What has one value is there too.
std::vector<SearchAxis> axes_of(const Variants& variants);

}  // namespace danlu
