// What is noted of many runs, told once: of how many of them it holds.
//
//   12 of 40 points: attention is unfused
//   all 40 points, with other numbers: 'cluster.gpu.power' is 300 W of the GPU's 700 W
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace danlu {

/// A line for each note of `runs`, by how many have it; notes that differ in their numbers alone
/// are one, told by the first. `what` is what runs are: "points"; those of one run stand alone.
std::vector<std::string> counted_notes(std::span<const std::vector<std::string>> runs,
                                       std::string_view what);

}  // namespace danlu
