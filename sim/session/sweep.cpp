#include "sim/session/sweep.hpp"

#include <fmt/format.h>

#include <numeric>
#include <string_view>
#include <utility>

#include "sim/base/text.hpp"
#include "sim/session/plot_axes.hpp"
#include "sim/session/sweep_axis.hpp"

namespace danlu {

namespace {

/// What may have been meant by a value that is none: a list in brackets, or a range with a unit.
std::string meant_by(const std::string& setting) {
  const std::string_view value = std::string_view(setting).substr(setting.find('=') + 1);
  return value.starts_with('[') ? "values stand without brackets: 1,2,4"
         : value.find("..") != std::string_view::npos
             ? "a range is of bare numbers: list the values"
             : "";
}

/// Values of a point are read as those of --set are; what is wrong with one is the sweep's,
/// wherever that says it.
Scenario load_point(const std::filesystem::path& file, const LoadOptions& load,
                    const std::vector<std::string>& swept) {
  LoadOptions own = load;
  own.overrides.insert(own.overrides.end(), swept.begin(), swept.end());
  try {
    return load_scenario(file, own);
  } catch (const InputError& error) {
    std::vector<Problem> problems = error.problems();
    for (Problem& problem : problems) {
      for (const std::string& value : swept) {
        const std::string shown_value = shown(value, kLongestPath);
        if (problem.position.file == "--set " + shown_value) {
          problem.position.file = "swept " + shown_value;
          if (std::string hint = meant_by(value); !hint.empty()) {
            problem.hint = std::move(hint);
          }
        }
      }
    }
    throw InputError(std::move(problems));
  }
}

}  // namespace

SweepReport begin_sweep(const SweepRequest& request, const LoadOptions& load) {
  const Scenario scenario = load_scenario(request.file, load);
  SweepReport report{.scenario = scenario.name,
                     .file = request.file.string(),
                     .axes = sweep_axes(request.over, scenario, load.overrides),
                     .names = request.names,
                     .places = {},
                     .points = {}};
  for (const std::string& name : report.names) {
    report.places.push_back("figures." + name);
  }
  return report;
}

std::vector<std::size_t> points_of(const SweepReport& report) {
  std::size_t count = 1;
  for (const SweepAxis& axis : report.axes) {
    count *= axis.together ? 1 : axis.values.size();
  }
  std::vector<std::size_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  return numbers;
}

ReadPoint reader_of(const std::filesystem::path& file, const std::vector<SweepAxis>& axes,
                    const LoadOptions& load) {
  return [file, axes, load](std::size_t number) {
    const std::vector<std::string> values = values_of(axes, number);
    std::vector<std::string> swept;
    for (std::size_t i = 0; i < values.size(); ++i) {
      swept.push_back(fmt::format("{}={}", axes[i].key, values[i]));
    }
    Scenario point = load_point(file, load, swept);
    point.sweep.clear();  // which would be another sweep
    std::erase_if(point.settings,
                  [](const Setting& setting) { return setting.key.starts_with("sweep."); });
    return point;
  };
}

SweepReport sweep(const SweepRequest& request, const LoadOptions& load,
                  const SessionOptions& options) {
  SweepReport report = begin_sweep(request, load);
  const ReadPoint read = reader_of(request.file, report.axes, load);
  std::vector<std::size_t> left = points_of(report);
  std::vector<std::string> results(left.size());
  std::size_t played = 0;
  const auto take = [&](const PointResult& result) {
    results[result.number] = result.json;
    ++played;
    if (options.progress) {
      options.progress(played, results.size());
    }
  };
  const std::string plotted = request.plot ? request.plot->figure : "";
  for (const PointResult& result :
       play_first_points(left, read, report.names, plotted, options, request.point_limit)) {
    take(result);
  }
  if (request.plot) {
    check_plotted(with_points(report, results), *request.plot);
  }
  left.erase(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(played));
  play_points(left, read, report.names, options, {.limit = request.point_limit, .take = take});
  return with_points(std::move(report), results);
}

}  // namespace danlu
