// A sweep: a scenario played once for each combination of the values of some keys.
//
//   --over A=1,2 --over B=x,y,z        1x 1y 1z 2x 2y 2z
//
// A point is played by simulate(), like `danlu run`, in a process of its own: what it comes to
// depends on its settings alone. One that is invalid or cannot be played is a result, with the
// reason.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sim/report/sweep_report.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/options.hpp"

namespace danlu {

struct SweepRequest {
  std::filesystem::path file;
  std::vector<std::string> over;   // of --over, see sweep_axis.hpp
  std::vector<std::string> names;  // of figures: places in the JSON of a run
};

/// Throws InputError where the request is wrong, where no point is valid (the problems of the
/// first), and where the first point that runs has no figure of one of the names.
SweepReport sweep(const SweepRequest& request, const LoadOptions& load,
                  const SessionOptions& options);

}  // namespace danlu
