// All-reduce over pairs of binary trees: what is summed on the way up is broadcast on the way down,
// both pipelined. The trees join nodes, and the ranks of a node hang below its head in a chain.
// Each half of the data takes a tree in which the other tree's leaves are inside, so that every
// node sends and receives two streams of half the size per tree and the time goes to
//
//   2 ((g-1) alpha_node + depth alpha_network) + 2 S/B        g ranks a node, n > 2 nodes
//
//   tree 0 of 6 nodes      0            tree 1: mirrored      5
//                          |                                  |
//                          4                                  1
//                         / \                                / \ .
//                        2   5                              3   0
//                       / \                                / \ .
//                      1   3                              4   2
//
// With g ranks a node there are g such pairs, each with another rank as head, so that all NICs
// work (fewer where NICs are dead, group.hpp). Inside one node it is g chains. (The tree with these
// labels: Sanders, Speck and Traff, Two-tree algorithms for full bandwidth broadcast, reduction and
// scan, 2009; NCCL's double binary tree has the same shape.)
#include <algorithm>

#include "sim/collective/algorithms.hpp"

namespace danlu {
namespace {

/// The parent in the binary tree over labels 0 .. m-1, -1 for the root 0. A label's children differ
/// from it in the bit below its lowest set bit.
int parent_in_tree(int label, int m) {
  if (label == 0) {
    return -1;
  }
  const int bit = label & -label;
  const int up = (label ^ bit) | (bit << 1);
  return up < m ? up : label ^ bit;
}

/// The parent in the twin tree: mirrored, or shifted by one where mirroring would keep leaves.
int parent_in_twin(int label, int m) {
  if (m % 2 == 0) {
    const int parent = parent_in_tree(m - 1 - label, m);
    return parent < 0 ? -1 : m - 1 - parent;
  }
  const int parent = parent_in_tree((label + m - 1) % m, m);
  return parent < 0 ? -1 : (parent + 1) % m;
}

using Parents = IdVector<PositionId, int>;  // positions, too; -1 for the root

std::vector<Parents> trees_of(const Group& group) {
  std::vector<std::vector<int>> nodes = group.nodes;
  std::vector<std::vector<int>> gates = group.gates;
  if (group.per_node() == 0) {  // nodes differ: every rank stands for itself
    nodes.clear();
    for (int position = 0; position < group.size(); ++position) {
      nodes.push_back({position});
    }
    gates = nodes;
  }
  const int m = static_cast<int>(nodes.size());
  std::vector<Parents> trees;
  for (std::size_t head = 0; head < gates.front().size(); ++head) {
    for (int twin = 0; twin < (m > 1 ? 2 : 1); ++twin) {
      Parents parents(group.ranks.size(), -1);
      for (int node = 0; node < m; ++node) {
        std::vector<int> chain = nodes[static_cast<std::size_t>(node)];
        const int gate = gates[static_cast<std::size_t>(node)][head];
        std::rotate(chain.begin(), std::find(chain.begin(), chain.end(), gate), chain.end());
        for (std::size_t i = 1; i < chain.size(); ++i) {
          parents[PositionId{chain[i]}] = chain[i - 1];
        }
        const int up = double_tree_parent(twin, node, m);
        if (up >= 0) {
          parents[PositionId{gate}] = gates[static_cast<std::size_t>(up)][head];
        }
      }
      trees.push_back(std::move(parents));
    }
  }
  return trees;
}

int depth_of(const Parents& parents, int position) {
  int depth = 0;
  for (int at = position; parents[PositionId{at}] >= 0; ++depth) {
    at = parents[PositionId{at}];
  }
  return depth;
}

int deepest(const Parents& parents) {
  int found = 0;
  for (int position = 0; position < static_cast<int>(parents.size()); ++position) {
    found = depth_of(parents, position) > depth_of(parents, found) ? position : found;
  }
  return found;
}

}  // namespace

int double_tree_parent(int twin, int label, int m) {
  return twin == 0 ? parent_in_tree(label, m) : parent_in_twin(label, m);
}

int double_tree_depth(int m) {
  int deepest = 0;
  for (int node = 1; node < m; ++node) {
    for (int twin = 0; twin < 2; ++twin) {
      int depth = 0;
      for (int at = node; double_tree_parent(twin, at, m) >= 0; ++depth) {
        at = double_tree_parent(twin, at, m);
      }
      deepest = std::max(deepest, depth);
    }
  }
  return deepest;
}

TransferList tree_transfers(CollectiveOp /*op*/, const Group& group) {
  const std::vector<Parents> trees = trees_of(group);
  TransferList list{static_cast<int>(trees.size()), {}};
  for (int chunk = 0; const Parents& parents : trees) {
    const int height = depth_of(parents, deepest(parents));
    for (int position = 0; position < group.size(); ++position) {
      const int up = parents[PositionId{position}];
      if (up >= 0) {  // the deepest begin; what came down to depth d leaves it one round later
        const int depth = depth_of(parents, position);
        list.transfers.push_back({height - depth, position, up, {chunk}, true});
        list.transfers.push_back({height + depth - 1, up, position, {chunk}, false});
      }
    }
    ++chunk;
  }
  return list;
}

std::vector<Phase> tree_phases(CollectiveOp /*op*/, const Group& group) {
  const std::vector<Parents> trees = trees_of(group);
  Phase phase{.parts = static_cast<int>(trees.size())};
  for (int flow = 0; const Parents& parents : trees) {
    for (int position = 0; position < group.size(); ++position) {
      const int up = parents[PositionId{position}];
      if (up >= 0) {
        phase.streams.push_back({position, up, 1, flow});
        phase.streams.push_back({up, position, 1, flow});
      }
    }
    ++flow;
  }
  const Parents& first = trees.front();
  for (int at = deepest(first); first[PositionId{at}] >= 0;) {
    const int up = first[PositionId{at}];
    phase.critical.push_back({at, up, 2});  // up and down again
    at = up;
  }
  return {phase};
}

}  // namespace danlu
