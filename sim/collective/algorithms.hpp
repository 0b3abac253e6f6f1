// The table of collective algorithms: one row each. The reader, the listing, the choice and the
// tests go over its rows, so a new algorithm is a file with its transfers and phases, a name beside
// its Algorithm, and a row.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "sim/cluster/cluster.hpp"
#include "sim/collective/collective.hpp"

namespace danlu {

struct AlgorithmRow {
  Algorithm algorithm = Algorithm::Ring;
  std::string_view help;
  std::string_view ops;  // "all-reduce, broadcast"
  /// Why it cannot do `op` for this group on this machine; empty if it can.
  std::string (*obstacle)(CollectiveOp op, const Group& group, const TopologySpec& topology);
  TransferList (*transfers)(CollectiveOp op, const Group& group);
  std::vector<Phase> (*phases)(CollectiveOp op, const Group& group);

  std::string_view name() const { return name_of(algorithm); }
};

/// All rows, in the order of Algorithm.
std::span<const AlgorithmRow> algorithms();
const AlgorithmRow& row_of(Algorithm algorithm);

/// Of an all-to-all: messages that a rank has under way at the same time.
inline constexpr int kMessagesAtOnce = 8;

// The algorithms, a file each.
TransferList ring_transfers(CollectiveOp op, const Group& group);
std::vector<Phase> ring_phases(CollectiveOp op, const Group& group);
TransferList tree_transfers(CollectiveOp op, const Group& group);
std::vector<Phase> tree_phases(CollectiveOp op, const Group& group);
/// The parent of node `label` of m in one of the two trees, -1 for the root.
int double_tree_parent(int twin, int label, int m);
/// Steps from the lowest of m nodes to the root, in the deeper of the two trees.
int double_tree_depth(int m);
TransferList halving_doubling_transfers(CollectiveOp op, const Group& group);
std::vector<Phase> halving_doubling_phases(CollectiveOp op, const Group& group);
TransferList recursive_doubling_transfers(CollectiveOp op, const Group& group);
std::vector<Phase> recursive_doubling_phases(CollectiveOp op, const Group& group);
TransferList binomial_transfers(CollectiveOp op, const Group& group);
std::vector<Phase> binomial_phases(CollectiveOp op, const Group& group);
TransferList two_level_transfers(CollectiveOp op, const Group& group);
std::vector<Phase> two_level_phases(CollectiveOp op, const Group& group);
TransferList torus_transfers(CollectiveOp op, const Group& group);
std::vector<Phase> torus_phases(CollectiveOp op, const Group& group);
TransferList nvls_transfers(CollectiveOp op, const Group& group);
std::vector<Phase> nvls_phases(CollectiveOp op, const Group& group);
TransferList nvls_tree_transfers(CollectiveOp op, const Group& group);
std::vector<Phase> nvls_tree_phases(CollectiveOp op, const Group& group);
TransferList sharp_transfers(CollectiveOp op, const Group& group);
std::vector<Phase> sharp_phases(CollectiveOp op, const Group& group);
TransferList nvls_sharp_transfers(CollectiveOp op, const Group& group);
std::vector<Phase> nvls_sharp_phases(CollectiveOp op, const Group& group);
TransferList direct_transfers(CollectiveOp op, const Group& group);
std::vector<Phase> direct_phases(CollectiveOp op, const Group& group);

}  // namespace danlu
