// Published against simulated times as a drawing.
#pragma once

#include <string>

#include "sim/validation/validation.hpp"

namespace danlu {

/// An SVG of its points: published times across, simulated ones upwards, both logarithmic, a colour
/// for each source (grey for those with few rows, where there are more than colours). On the
/// diagonal a row is right; dashed lines are a factor of 1.25 off it. Needs a point.
std::string plot_svg(const Validation& validation);

}  // namespace danlu
