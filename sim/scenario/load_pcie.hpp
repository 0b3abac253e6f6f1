// Inside sim/scenario: what of a node's NICs and PCIe is no key for one member, from Values to the
// spec.
#pragma once

#include "sim/cluster/topology_spec.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

/// Several NICs of a GPU become one with as many ports, each to a leaf of its own.
void check_nics(const Values& values, TopologySpec& spec, std::vector<Problem>& problems);

/// After check_nics().
void read_pcie(const Values& values, TopologySpec& spec, std::vector<Problem>& problems);

}  // namespace danlu
