#include "sim/workload/contention.hpp"

#include <algorithm>

namespace danlu {
namespace {

/// A kernel always gets some share in the end.
double left_of(double taken) {
  constexpr double kMost = 0.9;
  return 1 - std::min(taken, kMost);
}

}  // namespace

GpuShare operator+(GpuShare a, GpuShare b) {
  return {a.multiprocessors + b.multiprocessors, a.bandwidth + b.bandwidth};
}

GpuShare most_of(GpuShare a, GpuShare b) {
  return {std::max(a.multiprocessors, b.multiprocessors), std::max(a.bandwidth, b.bandwidth)};
}

double pace(const Bounds& compute, GpuShare taken) {
  const Seconds alone = compute.computing + compute.passing;
  if (taken.nothing() || alone <= Seconds{}) {
    return 1;
  }
  return alone / (compute.computing / left_of(taken.multiprocessors) +
                  compute.passing / left_of(taken.bandwidth));
}

}  // namespace danlu
