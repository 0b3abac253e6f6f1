// Settings of the fabric above all traffic of a cluster's nodes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/load_scenario.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

/// Notes which settings of the fabric in `own`, named with `prefix`, no traffic of the cluster's
/// nodes meets.
void note_idle_fabric(const Values& own, std::string_view prefix, const ClusterSpec& cluster,
                      std::vector<std::string>& notes);

/// The same of the overrides of a topology of which so many GPUs are in use, in its own notes.
void note_idle_fabric(ClusterSpec& cluster, const LoadOptions& options);

}  // namespace danlu
