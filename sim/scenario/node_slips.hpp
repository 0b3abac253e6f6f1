// Inside sim/scenario: figures of a node that are often written by mistake. They count as they are;
// notes tell what they may have been meant to be.
#pragma once

#include <string>
#include <vector>

#include "sim/scenario/values.hpp"

namespace danlu {

/// The values of a cluster's section, of its main kind of nodes.
struct NodeValues {
  const Values& own;       // what the scenario says
  const Values& topology;  // what the file of the topology says
  const Values& all;       // what counts
};

void note_slips(const NodeValues& values, std::vector<std::string>& notes);

}  // namespace danlu
