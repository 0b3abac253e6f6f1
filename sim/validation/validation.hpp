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
  std::string size;   // "1 to 16 MiB", of a message; empty: there is none
  std::string sweep;  // rows of one are one measurement at several sizes; empty: it is in none
  double bytes = 0;   // its place in the sweep
  // Of a training run:
  std::string framework;
  std::string precision;
  std::string kind;  // "experts", "FSDP": what is special about its plan
  std::string gpu;   // by its own name; `device` is what tables call it
  int gpus = 0;
  std::string profile;   // training.framework, danlu's name of how the framework does things
  std::string scenario;  // that the row became, as YAML
  std::string repeats;   // the row that says the same; figures of many points count it once

  double error() const { return simulated / published - 1; }
};

/// Why a row was not simulated, or what had to be taken for granted of it.
struct RowReasons {
  std::string id;
  std::vector<std::string> reasons;
};

/// Of the errors of `rows` points, those apart that repeat another one; none without a point.
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
  std::vector<RowReasons> not_simulated;
  std::vector<RowReasons> remarks;  // of rows that were
};

/// The q-quantile, 0 to 1, of one or more values.
double quantile(std::vector<double> values, double q);

ErrorStatistics error_statistics(std::span<const ValidationPoint> points);
/// The same by ValidationPoint::device, ::source or ::size, leaving out points that have none.
std::map<std::string, ErrorStatistics> error_statistics_by(std::span<const ValidationPoint> points,
                                                           std::string ValidationPoint::*group);

/// How far measurements lie apart that no simulator can tell from each other, since their rows
/// become one scenario: from the median of each such scenario, without sign. It is what errors
/// would be of a simulator that is right in the middle.
struct ErrorFloor {
  int rows = 0;       // that share their scenario with another one; figures: none without such rows
  int scenarios = 0;  // or sweeps
  std::optional<double> median;
  std::optional<double> p90;
  std::optional<double> mean;
  std::optional<double> most;
};
ErrorFloor error_floor(std::span<const ValidationPoint> points);

/// How far the times of sweeps lie from curves that never fall, without sign. Where a larger
/// message took less time than a smaller one, no simulator to which more bytes are more time can be
/// right about both, even one fitted to this sweep. Nearest to a sweep, in the sum of
/// |log(curve / time)|, is isotonic regression in L1 (Robertson and Waltman 1968): neighbours that
/// fall are pooled, and a pool is at its lower median.
///
///   published  50 31 18 19 | 30 | 33        a sweep of six sizes
///   curve      19 19 19 19 | 30 | 33
///
/// Rows without a sweep, or alone in theirs, do not count.
ErrorFloor sweep_floor(std::span<const ValidationPoint> points);
/// Those pools: of a sweep's times by size, until their lower medians rise.
std::vector<std::vector<double>> rising_pools(
    const std::map<double, std::vector<double>>& times_by_size);
double lower_median(std::vector<double> values);

/// The reasons of the rows that were not simulated. Rows may have several; `alone` counts those
/// with no other, which would be simulated if the reason fell.
struct ReasonCount {
  std::string reason;
  int rows = 0;
  int alone = 0;
};
/// Most rows first.
std::vector<ReasonCount> count_reasons(std::span<const RowReasons> rows);

}  // namespace danlu
