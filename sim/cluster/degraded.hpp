// What is worse than new: slow GPUs, NICs and scale-up links, by number.
#pragma once

#include <map>

#include "sim/cluster/topology.hpp"

namespace danlu {

/// GPUs and NICs are numbered over the whole cluster; those not named are as the topology says.
struct DegradedSpec {
  std::map<int, double> gpus;      // by GPU: its kernels take that many times as long
  std::map<int, double> nics;      // by NIC: the share of its bandwidth that is left, above 0
  std::map<int, double> scale_up;  // by GPU: the share left of its links inside the node

  bool empty() const { return gpus.empty() && nics.empty() && scale_up.empty(); }
};

/// Slows down the links that `degraded` names, both directions. A link between two slow GPUs keeps
/// the smaller share.
void degrade(const DegradedSpec& degraded, int gpus_per_node, int nics_per_node,
             Topology& topology);

}  // namespace danlu
