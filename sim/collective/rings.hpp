// The rings through a group. A group with k ranks on every node runs k rings at once, each leaving
// the nodes through another rank's NIC, so that all NICs work:
//
//   ring 1 of 4     node 0: 1 0 3 2   node 1: 2 3 0 1   node 2: 1 0 3 2   ...
//
// Ring j enters an even node at its rank j and leaves it at j+1; an odd node the other way round,
// so that every crossing stays on its rail (with an odd number of nodes all but one). Where NICs are
// dead, rings enter and leave by the gates that are left (gates.hpp).
//
// In a node without a switch the rings are found by a search over the direct links, each direction
// for itself, until every link is used both ways. A full mesh of n GPUs splits into n-1 such rings
// (Tillson 1980; for 4 and 6 there are none, there 2(n-1) rings share every link by two):
//
//   n = 5     0 1 2 3 4   0 2 1 4 3   0 3 1 ...      4 rings over 4 links of every GPU
//
// Where rings leave a full mesh of an even number of GPUs, ring j runs j, j+1, j-1, j+2, ..., j+n/2
// (Williams 1949): the n paths use every link both ways once. In a torus too large to search the
// rings are snakes along each of its axes.
#pragma once

#include <vector>

#include "sim/cluster/cluster.hpp"
#include "sim/collective/collective.hpp"

namespace danlu {

/// Orders of all positions: parallel rings. `group` has its nodes and gates.
std::vector<std::vector<int>> ring_orders(const Cluster& cluster, const Group& group);

}  // namespace danlu
