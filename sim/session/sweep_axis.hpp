// The values that a key of a sweep takes, as they are typed:
//
//   cluster.gpus=64,128,1024          a list
//   cluster.gpus=64..512:x2           64, 128, 256, 512: by a factor
//   parallelism.tensor=2..8:2         2, 4, 6, 8: by a step, 1 where it is left out
//   cluster.topology=dgx-a100,hgx-a800
//
// A range ends at the last value that is not beyond its end. Commas inside of brackets and braces
// are the value's own: training.x=[1,2],[3].
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/report/sweep_report.hpp"

namespace danlu {

inline constexpr std::size_t kMostPoints = 10'000;  // of a sweep

/// Throws InputError at --over.
SweepAxis read_sweep_axis(std::string_view text);

/// The axes together. Throws InputError at --over where one key is, or holds, another, where one
/// of `overrides` (of --set) says the same, or where there are more points than kMostPoints.
std::vector<SweepAxis> read_sweep_axes(const std::vector<std::string>& texts,
                                       const std::vector<std::string>& overrides);

}  // namespace danlu
