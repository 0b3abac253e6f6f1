#include "sim/base/plot_scale.hpp"

#include <algorithm>
#include <cmath>

namespace danlu {
namespace {

constexpr double kRounding = 1e-9;  // of a value that is a tick itself

/// The longest gap between neighbours over the shortest.
template <typename Gap>
double unevenness(const std::vector<double>& values, Gap gap) {
  double shortest = gap(values[0], values[1]);
  double longest = shortest;
  for (std::size_t i = 1; i + 1 < values.size(); ++i) {
    shortest = std::min(shortest, gap(values[i], values[i + 1]));
    longest = std::max(longest, gap(values[i], values[i + 1]));
  }
  return longest / shortest;
}

}  // namespace

double PlotScale::at(double value) const {
  const double share = logarithmic ? std::log10(value / least) / std::log10(most / least)
                                   : (value - least) / (most - least);
  return from + (to - from) * share;
}

double tick_step(double range, int most) {
  const double least = range / most;
  double tick = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {2.0, 2.5, 2.0}) {  // 1, 2, 5, 10
    tick *= tick < least ? factor : 1;
  }
  return tick;
}

std::vector<double> linear_ticks(double least, double most, int steps) {
  const double range = most > least ? most - least : std::max(std::abs(most), 1.0);
  const double step = tick_step(range, steps);
  const double first = std::floor(least / step + kRounding);
  const double last = std::max(std::ceil(most / step - kRounding), first + 1);
  std::vector<double> ticks;
  for (int i = 0; i <= last - first; ++i) {
    ticks.push_back((first + i) * step);
  }
  return ticks;
}

std::vector<double> logarithmic_ticks(double least, double most) {
  constexpr double kManyDecades = 3;
  const bool decades_alone = std::log10(most / least) > kManyDecades;
  std::vector<double> ticks;
  for (int decade = static_cast<int>(std::floor(std::log10(least)));; ++decade) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      if (factor > 1 && decades_alone) {
        continue;
      }
      const double tick = factor * std::pow(10, decade);
      if (!ticks.empty() && tick <= least * (1 + kRounding)) {
        ticks.clear();
      }
      ticks.push_back(tick);
      if (ticks.size() > 1 && tick >= most * (1 - kRounding)) {
        return ticks;
      }
    }
  }
}

bool go_by_a_factor(const std::vector<double>& values) {
  if (values.size() < 3 || values.front() <= 0) {
    return false;
  }
  return unevenness(values, [](double a, double b) { return std::log(b / a); }) * (1 + kRounding) <
         unevenness(
             values, [](double a, double b) { return b - a; });
}

}  // namespace danlu
