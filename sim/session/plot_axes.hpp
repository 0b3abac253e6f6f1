// What of a sweep is drawn, as it is typed: x=cluster.gpus,y=step.mfu,by=cluster.topology. What is
// left out: across goes the last key of several values, upwards the first figure, and there is a
// line for each value of the last key of several values besides.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sim/report/sweep_report.hpp"

namespace danlu {

/// Throws InputError at --axes where a key is not swept, or where points differ in a key that is
/// neither x nor by. Whether there is such a figure shows when a point is played.
SweepPlot read_plot_axes(std::string_view text, const std::vector<SweepAxis>& axes,
                         const std::vector<std::string>& names);

/// Throws InputError at --axes where the sweep has no such figure, or where it is no number.
void check_plotted(const SweepReport& sweep, const SweepPlot& plot);

}  // namespace danlu
