// What a sweep varies: the scenario's section `sweep`, and --over of the command line.
//
//   --over cluster.gpus=64,128,1024       a list
//   --over parallelism.tensor=2..8:2      a range (sweep_values.hpp)
//
// The two are joined: axes of the section come first, those of --over vary faster. A key of
// `sweep.over` that the command line names again, by --over or --set, is the command line's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/report/sweep_report.hpp"
#include "sim/scenario/load_scenario.hpp"

namespace danlu {

/// Throws InputError at --over.
SweepAxis read_sweep_axis(std::string_view text);

/// All axes of a sweep of this scenario, which was read with `overrides` (of --set). Throws
/// InputError where nothing varies, where one key is, or holds, another or one of `overrides`, and
/// where there are more points than kMostPoints.
std::vector<SweepAxis> sweep_axes(const std::vector<std::string>& over, const Scenario& scenario,
                                  const std::vector<std::string>& overrides);

}  // namespace danlu
