#include "sim/session/sweep_points.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/report/writers.hpp"
#include "sim/session/pool.hpp"
#include "sim/session/simulate.hpp"

namespace danlu {
namespace {

using Json = nlohmann::ordered_json;
using Status = SweepPoint::Status;

/// Its first problem, with the hint, in one line.
std::string first_of(const InputError& error) {
  const std::vector<Problem>& problems = error.problems();
  const Problem& first = problems.front();
  return fmt::format(
      "{}{}{}{}", first.message, first.hint.empty() ? "" : "; ", first.hint,
      problems.size() == 1 ? "" : fmt::format(" (and {} more)", problems.size() - 1));
}

std::string why_no_fit(const MemoryReport& memory) {
  return memory.fits_host() ? fmt::format("needs {} of memory on the fullest GPU, of {}",
                                          to_text(memory.use.peak()), to_text(memory.capacity))
                            : fmt::format("needs {} of memory in the fullest node, of {}",
                                          to_text(memory.host), to_text(*memory.host_capacity));
}

Json message_of(Status status, std::string reason) {
  return {{"status", std::string(name_of(status))}, {"reason", std::move(reason)}};
}

/// As JSON in one line; what is not UTF-8 is replaced.
std::string line_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json play_point(std::size_t number, const ReadPoint& read, const std::vector<std::string>& names,
                const SessionOptions& options) {
  try {
    const Report report = simulate_if_memory(read(number), options).report;
    Json message = report.memory.fits() ? message_of(Status::Ran, "")
                                        : message_of(Status::NoFit, why_no_fit(report.memory));
    if (!report.notes.empty()) {
      message["notes"] = report.notes;
    }
    message["figures"] = Json::object();
    for (const auto& [name, figure] : figures_of(document_of(report))) {
      if (names.empty() || std::find(names.begin(), names.end(), name) != names.end()) {
        message["figures"][name] = {json_value(figure.value), figure.text, figure.unit};
      }
    }
    return message;
  } catch (const InputError& error) {  // of the file, or an algorithm that cannot be used
    return message_of(Status::Invalid, first_of(error));
  } catch (const CannotRun& error) {
    return message_of(Status::Failed, error.what());
  }
}

/// Why a process has sent nothing.
std::string why_ended(const Played& played) {
  return played.outcome == Played::Outcome::OutOfMemory
             ? "this machine has not enough memory for it"
         : played.outcome == Played::Outcome::TooLong
             ? fmt::format("it {}, the limit of a point", played.why)
             : played.why;
}

/// Of a point, which is one of several processes.
SessionOptions inside(SessionOptions options) {
  options.processes = 1;
  options.announce = nullptr;
  options.progress = nullptr;
  return options;
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

SweepPoint point_of(std::vector<std::string> values, const Json& message,
                    const std::vector<std::string>& names) {
  SweepPoint point{.values = std::move(values),
                   .status = *value_named<Status>(message.at("status").get<std::string>()),
                   .reason = message.at("reason").get<std::string>(),
                   .figures = {},
                   .notes = message.value("notes", std::vector<std::string>())};
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

void check_names(const std::vector<std::string>& names, std::string_view plotted,
                 const Json& figures) {
  std::vector<std::string> known;
  for (const auto& [name, figure] : figures.items()) {
    known.push_back(name);
  }
  const std::vector<std::string_view> candidates(known.begin(), known.end());
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      const std::string_view near = nearest(name, candidates);
      throw InputError(
          Problem{{name == plotted ? "--axes" : "--show", 0, 0},
                  fmt::format("'{}' is no figure of the first point that runs", shown(name)),
                  near.empty() ? "names are places in the JSON of danlu run, as in step.time_s"
                               : fmt::format("did you mean '{}'?", near),
                  ""});
    }
  }
}

}  // namespace

void play_points(const std::vector<std::size_t>& numbers, const ReadPoint& read,
                 const std::vector<std::string>& names, const SessionOptions& options,
                 const PointHooks& hooks) {
  std::vector<std::size_t> ended_early;
  const auto play = [&](const std::vector<std::size_t>& these, int processes, bool is_last) {
    PoolOptions pool{.processes = processes, .patience = hooks.limit, .go_on = hooks.go_on};
    if (hooks.before) {
      pool.before = [&](std::size_t i) { hooks.before(these[i]); };
    }
    pool.take = [&](std::size_t i, const Played& played) {
      if (played.ended()) {
        hooks.take({these[i], played.why});
      } else if (is_last || played.outcome == Played::Outcome::TooLong) {
        hooks.take({these[i], line_of(message_of(Status::Failed, why_ended(played)))});
      } else {
        ended_early.push_back(these[i]);
      }
    };
    (void)play_in_processes(these.size(), pool, [&](std::size_t i) {
      return Played{.why = line_of(play_point(these[i], read, names, inside(options)))};
    });
  };
  play(numbers, options.processes, false);
  const std::vector<std::size_t> again = std::move(ended_early);
  play(again, 1, true);
}

std::vector<PointResult> play_first_points(const std::vector<std::size_t>& numbers,
                                           const ReadPoint& read,
                                           const std::vector<std::string>& names,
                                           std::string_view plotted, const SessionOptions& options,
                                           const std::optional<double>& limit) {
  std::vector<PointResult> results;
  bool any_valid = false;
  for (const std::size_t number : numbers) {
    Json message;
    play_points({number}, read, {}, options,
                {.limit = limit,
                 .take = [&](const PointResult& result) { message = Json::parse(result.json); }});
    any_valid = any_valid || message["status"] != name_of(Status::Invalid);
    const bool has_figures = message.contains("figures");
    if (has_figures) {
      check_names(names, plotted, message["figures"]);
      Json& figures = message["figures"];
      for (auto figure = figures.begin(); figure != figures.end();) {
        const bool wanted = std::find(names.begin(), names.end(), figure.key()) != names.end();
        figure = wanted ? std::next(figure) : figures.erase(figure);
      }
    }
    results.push_back({number, line_of(message)});
    if (has_figures) {
      return results;
    }
  }
  if (!any_valid && !numbers.empty()) {  // as `danlu run` would say it
    (void)simulate(read(numbers.front()), inside(options));
  }
  return results;
}

bool is_point_result(const std::string& json) {
  try {
    const Json message = Json::parse(json);
    return value_named<Status>(message.at("status").get<std::string>()).has_value() &&
           message.at("reason").is_string();
  } catch (const Json::exception&) {
    return false;
  }
}

std::string invalid_point(const InputError& error) {
  return line_of(message_of(Status::Invalid, first_of(error)));
}

SweepReport with_points(SweepReport report, const std::vector<std::string>& results) {
  report.units.assign(report.names.size(), "");
  for (std::size_t number = 0; number < results.size(); ++number) {
    const Json message = results[number].empty() ? message_of(Status::Missing, "not yet played")
                                                 : Json::parse(results[number]);
    report.points.push_back(point_of(values_of(report.axes, number), message, report.names));
    for (std::size_t i = 0; i < report.names.size(); ++i) {
      const Json figures = message.value("figures", Json::object());
      if (figures.contains(report.names[i])) {
        report.units[i] = figures[report.names[i]].at(2).get<std::string>();
      }
    }
  }
  return report;
}

// Digits of a number whose last place is the last axis; keys that change together share one.
std::vector<std::string> values_of(const std::vector<SweepAxis>& axes, std::size_t number) {
  std::vector<std::string> values(axes.size());
  for (std::size_t i = axes.size(); i-- > 0;) {
    values[i] = axes[i].values[number % axes[i].values.size()];
    number /= axes[i].together ? 1 : axes[i].values.size();
  }
  return values;
}

}  // namespace danlu
