// A cluster as a SimGrid platform file (DTD version 4.1), so that other programs on SimGrid,
// smpirun above all, can play on the same links and routes.
#pragma once

#include <string>

#include "sim/cluster/cluster.hpp"

namespace danlu {

/// The most GPUs of a platform file, which lists the route of every ordered pair: 250 bytes each.
inline constexpr int kMostPlatformGpus = 1024;

/// Hosts gpu-0, gpu-1, ...; a link for every directed link, with what collectives achieve of it and
/// its latency; a one-way route for every ordered pair of GPUs, as route() has it. Throws
/// InternalError for more than kMostPlatformGpus.
std::string simgrid_platform(const Cluster& cluster);

}  // namespace danlu
