// The points of a sweep played: each by simulate(), like `danlu run`, in a process of its own, so
// that what it comes to depends on its settings alone, and a crash is that of one point.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/report/sweep_report.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/options.hpp"

namespace danlu {

/// Reads point `number`. Throws InputError where it is invalid.
using ReadPoint = std::function<Scenario(std::size_t)>;

struct PointResult {
  std::size_t number = 0;
  std::string json;  // in one line: its status, the reason, its notes, figures by name with values
                     // and words
};

/// How long a point may take, and what is called in this process, where it is set.
struct PointHooks {
  std::function<void(std::size_t)> before{};       // a point is begun; may throw
  std::function<bool()> go_on{};                   // whether another may be begun
  std::optional<double> limit{};                   // seconds, after which a point has failed
  std::function<void(const PointResult&)> take{};  // of each as soon as it is known, in any order
};

/// Plays points, with the figures of these names, or all where there are none. A process may end
/// for what is no fault of its point, such as the memory that all need together: such a point is
/// played once more, alone, when all others are through, before it has failed. Throws what
/// play_in_processes() throws.
void play_points(const std::vector<std::size_t>& numbers, const ReadPoint& read,
                 const std::vector<std::string>& names, const SessionOptions& options,
                 const PointHooks& hooks);

/// The same one by one, up to the first that has figures, against which the names are held. Throws
/// InputError at --show for a name that it does not have (at --axes for that of `plotted`), and
/// where all points of `numbers` are invalid, with the problems of the first.
std::vector<PointResult> play_first_points(const std::vector<std::size_t>& numbers,
                                           const ReadPoint& read,
                                           const std::vector<std::string>& names,
                                           std::string_view plotted, const SessionOptions& options,
                                           const std::optional<double>& limit);

/// Whether `json` is what a point may come to.
bool is_point_result(const std::string& json);

/// What a point that cannot be read comes to.
std::string invalid_point(const InputError& error);

/// The report of these axes and names with a point for each of `results`; "" is missing.
SweepReport with_points(SweepReport report, const std::vector<std::string>& results);

/// The values of point `number`, of each axis: the last axis varies fastest.
std::vector<std::string> values_of(const std::vector<SweepAxis>& axes, std::size_t number);

}  // namespace danlu
