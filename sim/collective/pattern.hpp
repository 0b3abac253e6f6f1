// Phases of an algorithm on the links of a cluster.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/cluster/cluster.hpp"
#include "sim/collective/collective.hpp"

namespace danlu {

/// The phases of an algorithm on a cluster. A ring and a torus have one, the same for all-reduce,
/// reduce-scatter and all-gather.
std::vector<Pattern> steady_patterns(const Cluster& cluster, const Group& group,
                                     Algorithm algorithm, CollectiveOp op);
/// Any phase on a cluster.
Pattern phase_pattern(const Cluster& cluster, const Group& group, const Phase& phase);
/// The rings of a group.
Pattern ring_pattern(const Cluster& cluster, const Group& group);
/// The same of GPUs, two or more, all different.
Pattern ring_pattern(const Cluster& cluster, std::span<const int> ranks);
/// "scale-up 366.8 GB/s", "sums in NVSwitch 306 GB/s", "sums in network switches 24 GB/s".
std::string describe(const Cluster& cluster, const Limit& limit);
/// What a GPU copies to its host's memory, or from there: over its own PCIe link. Its node has one
/// (Nodes::has_host_links).
Pattern host_pattern(const Cluster& cluster, int gpu, bool to_host);
/// One transfer between two GPUs.
Pattern transfer_pattern(const Cluster& cluster, int from, int to);

}  // namespace danlu
