// What of the hardware, and of the software that drives it, may be faster: each resource by itself,
// the rest as it is.
//
// A step is made of amounts over rates and of fixed times: where every rate is f times as high and
// every fixed time f times as short, it takes 1/f of its time. So the elasticities of resources,
//
//     e = ln(T / T(f)) / ln f    of one that is f times as fast,
//
// add up to one (Euler's theorem on homogeneous functions), but for the constants of NCCL, which
// are no figure of a cluster, and for choices and overlaps that turn within f.
#pragma once

#include <span>
#include <string_view>

#include "sim/cluster/topology_spec.hpp"
#include "sim/workload/workload.hpp"

namespace danlu {

struct Resource {
  std::string_view key;  // "scale_up_bandwidth"
  std::string_view name;
  /// Makes it so many times as fast.
  void (*scale)(ClusterSpec& cluster, Workload& workload, double factor) = nullptr;
};

/// All that there are; some may do nothing in a step.
std::span<const Resource> resources();

/// All of them so many times as fast.
void scale_all(ClusterSpec& cluster, Workload& workload, double factor);

}  // namespace danlu
