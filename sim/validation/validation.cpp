#include "sim/validation/validation.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "sim/base/error.hpp"

namespace danlu {

double quantile(std::vector<double> values, double q) {
  check(!values.empty() && q >= 0 && q <= 1, "a quantile needs values and a share");
  std::sort(values.begin(), values.end());
  const double place = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  const double share = place - static_cast<double>(below);
  return values[below] + share * (values[above] - values[below]);
}

ErrorStatistics error_statistics(std::span<const ValidationPoint> points) {
  ErrorStatistics statistics;
  std::vector<double> sizes;
  double sum = 0;
  for (const ValidationPoint& point : points) {
    if (point.repeats.empty()) {
      sizes.push_back(std::abs(point.error()));
      sum += point.error();
    }
  }
  statistics.rows = static_cast<int>(sizes.size());
  if (sizes.empty()) {
    return statistics;
  }
  statistics.median_abs = quantile(sizes, 0.5);
  statistics.p90_abs = quantile(sizes, 0.9);
  statistics.mean = sum / statistics.rows;
  return statistics;
}

std::map<std::string, ErrorStatistics> error_statistics_by(std::span<const ValidationPoint> points,
                                                           std::string ValidationPoint::*group) {
  std::map<std::string, std::vector<ValidationPoint>> groups;
  for (const ValidationPoint& point : points) {
    if (!(point.*group).empty()) {
      groups[point.*group].push_back(point);
    }
  }
  std::map<std::string, ErrorStatistics> statistics;
  for (const auto& [name, members] : groups) {
    statistics[name] = error_statistics(members);
  }
  return statistics;
}

namespace {

/// Of `groups` groups whose rows lie so far from where they should be.
ErrorFloor floor_of(const std::vector<double>& distances, int groups) {
  ErrorFloor floor{.rows = static_cast<int>(distances.size()), .scenarios = groups};
  if (floor.rows > 0) {
    floor.median = quantile(distances, 0.5);
    floor.p90 = quantile(distances, 0.9);
    floor.most = quantile(distances, 1);
    floor.mean = std::accumulate(distances.begin(), distances.end(), 0.0) / floor.rows;
  }
  return floor;
}

}  // namespace

ErrorFloor error_floor(std::span<const ValidationPoint> points) {
  std::map<std::string, std::vector<double>> times;
  for (const ValidationPoint& point : points) {
    if (!point.scenario.empty() && point.repeats.empty()) {
      times[point.scenario].push_back(point.published);
    }
  }
  int scenarios = 0;
  std::vector<double> distances;
  for (const auto& [scenario, published] : times) {
    if (published.size() < 2) {
      continue;
    }
    ++scenarios;
    const double middle = quantile(published, 0.5);
    for (const double time : published) {
      distances.push_back(std::abs(time / middle - 1));
    }
  }
  return floor_of(distances, scenarios);
}

double lower_median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>((values.size() - 1) / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

std::vector<std::vector<double>> rising_pools(
    const std::map<double, std::vector<double>>& times_by_size) {
  std::vector<std::vector<double>> pools;
  for (const auto& [bytes, times] : times_by_size) {
    pools.push_back(times);
    while (pools.size() > 1 && lower_median(pools[pools.size() - 2]) > lower_median(pools.back())) {
      const std::vector<double> last = std::move(pools.back());
      pools.pop_back();
      pools.back().insert(pools.back().end(), last.begin(), last.end());
    }
  }
  return pools;
}

ErrorFloor sweep_floor(std::span<const ValidationPoint> points) {
  std::map<std::string, std::map<double, std::vector<double>>> sweeps;
  for (const ValidationPoint& point : points) {
    if (!point.sweep.empty() && point.repeats.empty()) {
      sweeps[point.sweep][point.bytes].push_back(point.published);
    }
  }
  std::erase_if(sweeps, [](const auto& sweep) { return sweep.second.size() < 2; });
  std::vector<double> distances;
  for (const auto& [name, times_by_size] : sweeps) {
    for (const std::vector<double>& pool : rising_pools(times_by_size)) {
      const double level = lower_median(pool);
      for (const double time : pool) {
        distances.push_back(std::abs(level / time - 1));
      }
    }
  }
  return floor_of(distances, static_cast<int>(sweeps.size()));
}

std::vector<ReasonCount> count_reasons(std::span<const RowReasons> rows) {
  std::map<std::string, ReasonCount> counts;
  for (const RowReasons& row : rows) {
    for (const std::string& reason : row.reasons) {
      ReasonCount& count = counts[reason];
      count.reason = reason;
      ++count.rows;
      count.alone += row.reasons.size() == 1 ? 1 : 0;
    }
  }
  std::vector<ReasonCount> sorted;
  for (auto& [reason, count] : counts) {
    sorted.push_back(std::move(count));
  }
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const ReasonCount& a, const ReasonCount& b) { return a.rows > b.rows; });
  return sorted;
}

}  // namespace danlu
