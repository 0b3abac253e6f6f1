// What a topology says of its switches beside what its fabric needs of them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/cluster/topology_spec.hpp"

namespace danlu {

/// Where a tree of so many nodes needs more ports of its upper switches than the topology's
/// switch_ports: a sentence; "" where it does not, or nothing says how many ports they have.
std::string port_note(const TopologySpec& spec, int nodes);

/// Keys of `fabric` that say what lies above the traffic of a cluster's nodes, and why none of it
/// goes there; no keys where it may.
struct IdleLevel {
  std::vector<std::string_view> keys;
  std::string reason;
};
IdleLevel idle_level(const ClusterSpec& cluster);

}  // namespace danlu
