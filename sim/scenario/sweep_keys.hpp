// Inside sim/scenario: the section `sweep`, which says what `danlu sweep` varies:
//
//   sweep:
//     over: {cluster.topology: [dgx-a100, hgx-a800]}    each with each, as of --over
//     together:                                         keys that change together
//       - {cluster.gpus: 128, training.global_batch: 256}
//       - {cluster.gpus: 1024, training.global_batch: 2048}
#pragma once

#include <vector>

#include "sim/scenario/keys.hpp"
#include "sim/scenario/sweep_spec.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

std::vector<KeyRow> sweep_keys();

/// What stands in the section: the keys of `over`, then those of `together`. A problem where a key
/// stands there twice.
SweepSpec read_sweep(const Values& values, std::vector<Problem>& problems);

}  // namespace danlu
