// Inside sim/scenario: the section `search`, which has the keys that a search may vary, each with a
// list of values to try:
//
//   search:
//     parallelism: {tensor: [4, 8], zero: 1}
//     training: {recompute: [none, [layernorm, mlp]], schedule: {chunks: [1, 2, 3]}}
#pragma once

#include <span>
#include <vector>

#include "sim/scenario/keys.hpp"
#include "sim/scenario/search_spec.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

/// The rows of the section; `plan` has those of the keys themselves.
std::vector<KeyRow> search_keys(std::span<const KeyRow> plan);

/// What stands in the section.
SearchSpec read_search(const Values& values);

}  // namespace danlu
