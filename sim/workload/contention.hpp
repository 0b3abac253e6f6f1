// Collectives run on the GPU, too: their thread blocks keep multiprocessors from the compute beside
// them, and their arrays pass through HBM. Compute of which `computing` is bound by multiprocessors
// and `passing` by HBM then takes
//
//            computing                passing
//   ----------------------------  +  -------------
//   1 - 1.25 * multiprocessors       1 - bandwidth
//
// with the shares that all collectives of the GPU take at that moment. The 1.25 is measured: on an
// H200 a product of 8192 x 16384 x 4096 beside a copying kernel of 8, 16, 24, 32 thread blocks took
// 8-12, 17-22, 19-24, 39-45 % longer, where the multiprocessors alone make 6, 14, 22, 32 %; the
// rest is the copies' traffic through caches and HBM, and waves that fit less well.
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
