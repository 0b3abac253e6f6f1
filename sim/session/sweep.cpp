#include "sim/session/sweep.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/report/writers.hpp"
#include "sim/session/plays.hpp"
#include "sim/session/pool.hpp"
#include "sim/session/simulate.hpp"
#include "sim/session/sweep_axis.hpp"

namespace danlu {
namespace {

using Json = nlohmann::ordered_json;
using Status = SweepPoint::Status;

/// The values of point `number`: digits of a number whose last place is the last axis.
std::vector<std::string> values_of(const std::vector<SweepAxis>& axes, std::size_t number) {
  std::vector<std::string> values(axes.size());
  for (std::size_t i = axes.size(); i-- > 0;) {
    values[i] = axes[i].values[number % axes[i].values.size()];
    number /= axes[i].values.size();
  }
  return values;
}

LoadOptions load_of(const std::vector<SweepAxis>& axes, const std::vector<std::string>& values,
                    LoadOptions load) {
  for (std::size_t i = 0; i < axes.size(); ++i) {
    load.overrides.push_back(fmt::format("{}={}", axes[i].key, values[i]));
  }
  return load;
}

std::string first_of(const InputError& error) {
  const std::vector<Problem>& problems = error.problems();
  return problems.size() == 1
             ? problems.front().message
             : fmt::format("{} (and {} more)", problems.front().message, problems.size() - 1);
}

std::string why_no_fit(const MemoryReport& memory) {
  return memory.fits_host() ? fmt::format("needs {} of memory on the fullest GPU, of {}",
                                          to_text(memory.use.peak()), to_text(memory.capacity))
                            : fmt::format("needs {} of memory in the fullest node, of {}",
                                          to_text(memory.host), to_text(*memory.host_capacity));
}

// ---- A point in a process of its own, and what that sends back: JSON in Played::why.

Json message_of(Status status, std::string reason) {
  return {{"status", std::string(name_of(status))}, {"reason", std::move(reason)}};
}

Json play_point(const std::filesystem::path& file, const LoadOptions& load,
                const std::vector<std::string>& names, const SessionOptions& options) {
  std::optional<Scenario> scenario;
  try {
    scenario = load_scenario(file, load);
  } catch (const InputError& error) {
    return message_of(Status::Invalid, first_of(error));
  }
  try {
    const Report report = simulate(*scenario, options).report;
    Json message = report.memory.fits() ? message_of(Status::Ran, "")
                                        : message_of(Status::NoFit, why_no_fit(report.memory));
    message["figures"] = Json::object();
    for (const auto& [name, figure] : figures_of(document_of(report))) {
      if (names.empty() || std::find(names.begin(), names.end(), name) != names.end()) {
        message["figures"][name] = {json_value(figure.value), figure.text};
      }
    }
    return message;
  } catch (const InputError& error) {  // a forced algorithm that cannot be used
    return message_of(Status::Invalid, first_of(error));
  } catch (const CannotRun& error) {
    return message_of(Status::Failed, error.what());
  }
}

FigureValue value_of(const Json& json) {
  if (json.is_boolean()) {
    return json.get<bool>();
  }
  if (json.is_number_float()) {
    return json.get<double>();
  }
  if (json.is_number()) {
    return json.get<std::uint64_t>();
  }
  return json.is_string() ? FigureValue(json.get<std::string>()) : FigureValue();
}

/// What a process has sent; its own end where it has sent nothing.
Json received(const Played& played) {
  return played.ended() ? Json::parse(played.why) : message_of(Status::Failed, played.why);
}

SweepPoint point_of(std::vector<std::string> values, const Json& message,
                    const std::vector<std::string>& names) {
  SweepPoint point{.values = std::move(values),
                   .status = *value_named<Status>(message.at("status").get<std::string>()),
                   .reason = message.at("reason").get<std::string>(),
                   .figures = {}};
  for (const std::string& name : names) {
    const bool known = message.contains("figures") && message["figures"].contains(name);
    Figure figure = Figure::absent();
    if (known) {
      const Json& pair = message["figures"][name];
      figure = {value_of(pair[0]), pair[1].get<std::string>(), ""};
    }
    point.figures.push_back(std::move(figure));
  }
  return point;
}

void check_names(const std::vector<std::string>& names, const Json& figures) {
  std::vector<std::string> known;
  for (const auto& [name, figure] : figures.items()) {
    known.push_back(name);
  }
  const std::vector<std::string_view> candidates(known.begin(), known.end());
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      const std::string_view near = nearest(name, candidates);
      throw InputError(
          Problem{{"--show", 0, 0},
                  fmt::format("'{}' is no figure of the first point that runs", shown(name)),
                  near.empty() ? "names are places in the JSON of danlu run, as in step.time_s"
                               : fmt::format("did you mean '{}'?", near),
                  ""});
    }
  }
}

std::size_t points_of(const std::vector<SweepAxis>& axes) {
  std::size_t points = 1;
  for (const SweepAxis& axis : axes) {
    points *= axis.values.size();
  }
  return points;
}

}  // namespace

SweepReport sweep(const SweepRequest& request, const LoadOptions& load,
                  const SessionOptions& options) {
  SweepReport report{.scenario = load_scenario(request.file, load).name,
                     .file = request.file.string(),
                     .axes = read_sweep_axes(request.over, load.overrides),
                     .names = request.names,
                     .places = {},
                     .points = {}};
  for (const std::string& name : report.names) {
    report.places.push_back("figures." + name);
  }
  const std::size_t count = points_of(report.axes);
  SessionOptions inner = options;  // of a point, which is one of several processes
  inner.processes = 1;
  inner.announce = nullptr;
  inner.progress = nullptr;
  const auto add = [&](const Json& message) {
    report.points.push_back(
        point_of(values_of(report.axes, report.points.size()), message, report.names));
  };
  bool any_valid = false;
  bool named = false;
  // One by one up to the first that is played, which has all names: these can be checked.
  const auto play = [&](std::size_t first, std::size_t plays) {
    PoolOptions pool{.processes = options.processes};
    if (options.progress) {
      pool.after = [&, first](std::size_t ended) { options.progress(first + ended, count); };
    }
    return play_in_processes(plays, pool, [&, first](std::size_t i) {
      const LoadOptions own = load_of(report.axes, values_of(report.axes, first + i), load);
      const Json message =
          play_point(request.file, own, named ? report.names : std::vector<std::string>(), inner);
      return Played{.why = message.dump(-1, ' ', false, Json::error_handler_t::replace)};
    });
  };
  while (!named && report.points.size() < count) {
    const Json message = received(play(report.points.size(), 1).front());
    if (message.contains("figures")) {
      check_names(report.names, message["figures"]);
      named = true;
    }
    add(message);
    any_valid = any_valid || report.points.back().status != Status::Invalid;
  }
  if (!any_valid) {  // as `danlu run` would say it
    (void)load_scenario(request.file, load_of(report.axes, values_of(report.axes, 0), load));
  }
  for (const Played& played : play(report.points.size(), count - report.points.size())) {
    add(received(played));
  }
  return report;
}

}  // namespace danlu
