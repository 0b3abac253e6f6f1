// Where a number stands on an axis of a drawing, and which numbers are marked there.
//
//   linear        0    2    4    6        1, 2 or 5 times a power of ten apart
//   logarithmic   1    2     5    10      1, 2 and 5 times powers of ten
#pragma once

#include <vector>

namespace danlu {

/// An axis from `least` to `most`, which differ, drawn from `from` to `to`, in pixels.
struct PlotScale {
  double least = 0;
  double most = 1;
  double from = 0;
  double to = 1;
  bool logarithmic = false;  // both are positive

  double at(double value) const;
};

/// The least of 1, 2 and 5 times a power of ten of which `most` make up `range`, which is positive.
double tick_step(double range, int most);

/// Round numbers from one not above `least` to one not below `most`, but for rounding: two at
/// least, and `steps` + 2 at most. `least` is not above `most`.
std::vector<double> linear_ticks(double least, double most, int steps);
/// The same of a logarithmic axis; powers of ten alone where the others are too many. Both are
/// positive.
std::vector<double> logarithmic_ticks(double least, double most);

/// Whether positive values, in rising order, stand more evenly on a logarithmic axis: the longest
/// gap between two is fewer times the shortest there. 64, 128, 256 do, 2, 4, 6 do not, nor do two
/// values.
bool go_by_a_factor(const std::vector<double>& values);

}  // namespace danlu
