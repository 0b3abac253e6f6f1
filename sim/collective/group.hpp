// Where the ranks of a group sit, and the rings through them. A group with k ranks on every node
// runs k rings at once, each leaving the nodes through another rank's NIC, so that all NICs work:
//
//   ring 1 of 4     node 0: 1 0 3 2   node 1: 2 3 0 1   node 2: 1 0 3 2   ...
//
// Ring j enters an even node at its rank j and leaves it at j+1; an odd node the other way round,
// so that every crossing stays on its rail (with an odd number of nodes all but one). Where NICs
// are dead there are as many rings as the node with the fewest has left, on rails that all nodes
// have as far as there are any: with one NIC of 8 dead 7 rings carry a seventh each, not an eighth.
// In a mesh node the rings are tours over direct links that use no link twice, each in both
// directions; in a torus too large to search, snakes along each of its axes.
#pragma once

#include <span>

#include "sim/cluster/cluster.hpp"
#include "sim/collective/collective.hpp"

namespace danlu {

/// `ranks` are GPU numbers, two or more, all different.
Group make_group(const Cluster& cluster, std::span<const int> ranks);

}  // namespace danlu
