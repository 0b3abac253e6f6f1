// The gates of a node: those of a group's ranks there whose traffic between nodes has a NIC to
// itself, as far as it had one when all NICs lived and had equally many ranks. Rings and trees
// leave and enter nodes by gates.
//
//   NIC 3 of 8 dead     node 0: 0 1 2 4 5 6 7     node 1: 0 1 2 4 5 6 7
//   8 GPUs, 7 NICs      7 of each node, since the 8th would make one NIC carry two eighths
//
// Every node has equally many, as the one with the fewest, those on rails that all nodes have
// first, so that crossings stay on their rail. With one NIC of 8 dead 7 rings carry a seventh each,
// not an eighth.
#pragma once

#include <span>
#include <vector>

#include "sim/cluster/cluster.hpp"

namespace danlu {

/// Positions by node, like `nodes`, which they are where every GPU has a NIC of its own that lives,
/// or nodes hold unequally many ranks.
std::vector<std::vector<int>> gates_of(const Cluster& cluster, std::span<const int> ranks,
                                       const std::vector<std::vector<int>>& nodes);

}  // namespace danlu
