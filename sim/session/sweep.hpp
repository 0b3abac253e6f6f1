// A sweep: a scenario played once for each combination of the values of some keys.
//
//   --over A=1,2 --over B=x,y,z        1x 1y 1z 2x 2y 2z
//   A and B together: 1 with x, 2 with y        1x 2y
//
// A point that is invalid or cannot be played is a result, with the reason (sweep_points.hpp). A
// sweep that is to outlive this process is planned first (sweep_plan.hpp).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "sim/report/sweep_report.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/options.hpp"
#include "sim/session/sweep_points.hpp"

namespace danlu {

struct SweepRequest {
  std::filesystem::path file;
  std::vector<std::string> over;      // of --over, beside what the scenario varies (sweep_axis.hpp)
  std::vector<std::string> names;     // of figures: places in the JSON of a run
  std::optional<SweepPlot> plot;      // what will be drawn; its figure is one of the names
  std::optional<double> point_limit;  // seconds, after which a point has failed
};

/// Throws InputError where the request is wrong, where no point is valid (the problems of the
/// first), and where the first point that runs has no figure of one of the names, or none to draw.
SweepReport sweep(const SweepRequest& request, const LoadOptions& load,
                  const SessionOptions& options);

/// The report before there are points. Throws InputError where the request or its file is wrong.
SweepReport begin_sweep(const SweepRequest& request, const LoadOptions& load);
/// The numbers of all points: from 0 on.
std::vector<std::size_t> points_of(const SweepReport& report);
/// Reads the points: the file, with the values of the axes over it.
ReadPoint reader_of(const std::filesystem::path& file, const std::vector<SweepAxis>& axes,
                    const LoadOptions& load);

}  // namespace danlu
