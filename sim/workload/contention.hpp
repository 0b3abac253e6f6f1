// Collectives run on the GPU, too: their thread blocks keep multiprocessors from the compute beside
// them, and their arrays pass through HBM. Compute of which `computing` is bound by multiprocessors
// and `passing` by HBM then takes
//
//       computing             passing
//   ------------------  +  ---------------
//   1 - multiprocessors     1 - bandwidth
//
// with the shares that all collectives of the GPU take at that moment. Docs:
// docs/explain/contention.md.
#pragma once

#include <compare>

#include "sim/base/units.hpp"

namespace danlu {

/// Shares of a GPU that are taken from compute.
struct GpuShare {
  double multiprocessors = 0;
  double bandwidth = 0;  // of HBM

  bool nothing() const { return multiprocessors == 0 && bandwidth == 0; }
  auto operator<=>(const GpuShare&) const = default;  // NOLINT(modernize-use-nullptr)
};

/// What two take together.
GpuShare operator+(GpuShare a, GpuShare b);
/// Of each share the larger one.
GpuShare most_of(GpuShare a, GpuShare b);

/// A stretch of compute when nothing is beside it, by what bounds it.
struct Bounds {
  Seconds computing, passing;
};

/// How fast it goes on, 1 where nothing is taken. Of what is taken at most nine tenths count.
double pace(const Bounds& compute, GpuShare taken);

}  // namespace danlu
