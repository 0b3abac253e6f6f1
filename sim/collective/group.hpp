// Where the ranks of a group sit: by node, on a grid if they form a torus, and the rings through
// them (sim/collective/rings.hpp).
#pragma once

#include <span>

#include "sim/cluster/cluster.hpp"
#include "sim/collective/collective.hpp"

namespace danlu {

/// `ranks` are GPU numbers, two or more, all different.
Group make_group(const Cluster& cluster, std::span<const int> ranks);

}  // namespace danlu
