#include "sim/session/sweep.hpp"

#include <fmt/format.h>

#include <numeric>

#include "sim/session/plot_axes.hpp"
#include "sim/session/sweep_axis.hpp"

namespace danlu {

SweepReport begin_sweep(const SweepRequest& request, const LoadOptions& load) {
  SweepReport report{.scenario = load_scenario(request.file, load).name,
                     .file = request.file.string(),
                     .axes = read_sweep_axes(request.over, load.overrides),
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
    count *= axis.values.size();
  }
  std::vector<std::size_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), std::size_t{0});
  return numbers;
}

ReadPoint reader_of(const std::filesystem::path& file, const std::vector<SweepAxis>& axes,
                    const LoadOptions& load) {
  return [file, axes, load](std::size_t number) {
    const std::vector<std::string> values = values_of(axes, number);
    LoadOptions own = load;
    for (std::size_t i = 0; i < values.size(); ++i) {
      own.overrides.push_back(fmt::format("{}={}", axes[i].key, values[i]));
    }
    return load_scenario(file, own);
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
  for (const PointResult& result : play_first_points(left, read, report.names, plotted, options)) {
    take(result);
  }
  if (request.plot) {
    check_plotted(with_points(report, results), *request.plot);
  }
  left.erase(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(played));
  play_points(left, read, report.names, options, {.take = take});
  return with_points(std::move(report), results);
}

}  // namespace danlu
