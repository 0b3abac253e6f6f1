// Inside sim/scenario: a node's NICs and PCIe, from Values to the spec.
#pragma once

#include "sim/cluster/topology_spec.hpp"
#include "sim/scenario/getter.hpp"

namespace danlu {

/// Several NICs of a GPU become one with as many ports, each to a leaf of its own.
void read_nics(const Values& values, const Getter& get, TopologySpec& spec,
               std::vector<Problem>& problems);

/// After read_nics().
void read_pcie(const Values& values, const Getter& get, TopologySpec& spec,
               std::vector<Problem>& problems);

}  // namespace danlu
