// The nodes that are left when some are lost: which, and what of the damage they have.
#pragma once

#include "sim/cluster/topology_spec.hpp"

namespace danlu {

/// The cluster renumbered so that its first `nodes` nodes are those that are left; the others stand
/// behind them, idle, and the fabric is as large as it was. Nobody knows which nodes will be lost,
/// so every kind of node loses its share: those that differ from the most common one, by their kind
/// or by what is degraded in them, stay as long as their share is more than none.
ClusterSpec with_nodes_left(const ClusterSpec& spec, int nodes);

}  // namespace danlu
