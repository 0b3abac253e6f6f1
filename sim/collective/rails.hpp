// The positions of a group whose nodes have equally many ranks, as a table of nodes and rails. Both
// go round: the node after the last is the first.
#pragma once

#include <cstddef>
#include <vector>

#include "sim/collective/collective.hpp"

namespace danlu {

struct Rails {
  explicit Rails(const Group& of) : group(of), nodes(of.node_count()), rails(of.per_node()) {}

  int at(int node, int rail) const {
    const auto row = static_cast<std::size_t>((node + nodes) % nodes);
    const auto column = static_cast<std::size_t>((rail + 2 * rails) % rails);
    return group.nodes[row][column];
  }
  /// Chunks owned by the ranks of a rail: its shard.
  std::vector<int> shard(int rail) const {
    std::vector<int> chunks;
    for (int node = 0; node < nodes; ++node) {
      chunks.push_back(at(node, rail));
    }
    return chunks;
  }

  const Group& group;
  int nodes, rails;
};

}  // namespace danlu
