// What a table of published measurements says about the simulator: the error of every row, and how
// large errors are, over all rows, by device and by source.
//
//   error of a row   simulated / published - 1: above zero, the simulated run is the slower one
//
// Medians and percentiles interpolate between order statistics: of n sorted values the q-quantile
// lies at place q (n - 1), counted from 0, between its two neighbours in proportion.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace danlu {

/// One measurement beside its simulation, in `unit`.
struct ValidationPoint {
  std::string id;
  std::string device;
  std::string source;
  double published = 0;
  double simulated = 0;
  std::string unit = "s";
  std::string size;  // "1 to 16 MiB", of a message; empty: there is none

  double error() const { return simulated / published - 1; }
};

struct NotSimulated {
  std::string id;
  std::vector<std::string> reasons;
};

/// Of the errors of `rows` points; none without a point.
struct ErrorStatistics {
  int rows = 0;
  std::optional<double> median_abs;
  std::optional<double> p90_abs;
  std::optional<double> mean;
};

struct Validation {
  std::string table;  // "training", "gemm"
  int rows = 0;
  int complete = 0;  // rows that state everything
  std::vector<ValidationPoint> points;
  std::vector<ValidationPoint> memory;  // peaks of the fullest GPU, of rows that have one
  std::vector<NotSimulated> not_simulated;
};

/// The q-quantile, 0 to 1, of one or more values.
double quantile(std::vector<double> values, double q);

ErrorStatistics error_statistics(std::span<const ValidationPoint> points);
/// The same by ValidationPoint::device, ::source or ::size, leaving out points that have none.
std::map<std::string, ErrorStatistics> error_statistics_by(std::span<const ValidationPoint> points,
                                                           std::string ValidationPoint::*group);

/// The reasons of the rows that were not simulated. Rows may have several; `alone` counts those
/// with no other, which would be simulated if the reason fell.
struct ReasonCount {
  std::string reason;
  int rows = 0;
  int alone = 0;
};
/// Most rows first.
std::vector<ReasonCount> count_reasons(std::span<const NotSimulated> rows);

}  // namespace danlu
