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

ErrorFloor error_floor(std::span<const ValidationPoint> points) {
  std::map<std::string, std::vector<double>> times;
  for (const ValidationPoint& point : points) {
    if (!point.scenario.empty() && point.repeats.empty()) {
      times[point.scenario].push_back(point.published);
    }
  }
  ErrorFloor floor;
  std::vector<double> distances;
  for (const auto& [scenario, published] : times) {
    if (published.size() < 2) {
      continue;
    }
    ++floor.scenarios;
    const double middle = quantile(published, 0.5);
    for (const double time : published) {
      distances.push_back(std::abs(time / middle - 1));
    }
  }
  floor.rows = static_cast<int>(distances.size());
  if (floor.rows > 0) {
    floor.median = quantile(distances, 0.5);
    floor.p90 = quantile(distances, 0.9);
    floor.most = quantile(distances, 1);
    floor.mean = std::accumulate(distances.begin(), distances.end(), 0.0) / floor.rows;
  }
  return floor;
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
