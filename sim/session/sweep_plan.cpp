#include "sim/session/sweep_plan.hpp"

#include <fmt/format.h>

#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/uuid.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/base/threads.hpp"
#include "sim/scenario/show.hpp"

namespace danlu {
namespace {

/// A UUID of version 5 (RFC 4122): by SHA-1 of a name.
std::string key_of(const SweepPlan& plan, const Scenario& scenario) {
  nlohmann::ordered_json name{plan.version, plan.most_tasks, plan.most_events, plan.report.names,
                              scenario.name};
  for (const Setting& setting : scenario.settings) {
    name.push_back({setting.key, setting.text});
  }
  const boost::uuids::name_generator_sha1 generate(boost::uuids::ns::oid());
  return boost::uuids::to_string(
      generate(name.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
}

/// Cut where a key of the first level stands. Comments belong to what is above them.
std::vector<std::string> cut_sections(std::string_view yaml) {
  std::vector<std::string> sections;
  while (!yaml.empty()) {
    const std::string_view line = yaml.substr(0, std::min(yaml.find('\n'), yaml.size() - 1) + 1);
    const bool begins = line[0] != ' ' && line[0] != '#' && line[0] != '-' && line[0] != '\n';
    if (begins || sections.empty()) {
      sections.emplace_back();
    }
    sections.back() += line;
    yaml.remove_prefix(line.size());
  }
  return sections;
}

std::string text_of(const SweepPlan& plan, std::size_t number) {
  std::string text;
  for (const std::size_t section : plan.points[number].sections) {
    text += plan.sections[section];
  }
  return text;
}

Scenario read_planned(const SweepPlan& plan, std::size_t number,
                      const std::filesystem::path& topologies) {
  std::string hint = "a preset or a file that it rests on has changed: plan the sweep again";
  try {
    Scenario scenario =
        load_scenario_text(text_of(plan, number), plan.report.file, {topologies, {}});
    if (key_of(plan, scenario) == plan.points[number].key) {
      return scenario;
    }
  } catch (const InputError& error) {
    hint = fmt::format("it says: {}", error.problems().front().message);
  }
  throw InputError(
      Problem{{fmt::format("point {}", number), 0, 0}, "is here not what was planned", hint, ""});
}

}  // namespace

SweepPlan plan_sweep(const SweepRequest& request, std::string version, const LoadOptions& load,
                     const SessionOptions& options) {
  SweepPlan plan{.version = std::move(version),
                 .most_tasks = options.tasks.most,
                 .most_events = options.events.most,
                 .report = begin_sweep(request, load),
                 .sections = {},
                 .points = {}};
  const std::vector<std::size_t> numbers = points_of(plan.report);
  const ReadPoint read = reader_of(request.file, plan.report.axes, load);
  plan.points.resize(numbers.size());
  std::vector<std::string> texts(numbers.size());
  std::set<std::string> silent;  // of the first that is valid, and mostly of all others
  const auto resolve = [&](std::size_t number) {
    SweepPlan::Point& point = plan.points[number];
    try {
      const Scenario scenario = read(number);
      ShownScenario shown = show_scenario(scenario, load, silent);
      point.key = key_of(plan, shown.read);
      if (!silent.empty() && point.key != key_of(plan, scenario)) {  // not quite like the first
        shown = show_scenario(scenario, load);
        point.key = key_of(plan, shown.read);
      }
      texts[number] = std::move(shown.yaml);
      return std::move(shown.silent);
    } catch (const InputError& error) {
      point.result = invalid_point(error);
      return std::set<std::string>();
    }
  };
  std::size_t first = 0;
  while (first < numbers.size() && silent.empty()) {
    silent = resolve(first++);
  }
  for_each_on_threads(
      numbers.size() - first, options.processes, [] { return 0; },
      [&](int, std::size_t i) { (void)resolve(first + i); });
  std::map<std::string, std::size_t> known;
  std::vector<std::size_t> valid;
  for (const std::size_t number : numbers) {
    for (std::string& section : cut_sections(texts[number])) {
      const auto [place, is_new] = known.emplace(std::move(section), plan.sections.size());
      if (is_new) {
        plan.sections.push_back(place->first);
      }
      plan.points[number].sections.push_back(place->second);
    }
    if (!plan.points[number].key.empty()) {
      valid.push_back(number);
    }
  }
  // Of points that are all invalid the first says why, as it would in danlu run.
  for (const PointResult& result :
       play_first_points(valid.empty() ? std::vector{numbers.front()} : valid, read,
                         plan.report.names, "", options, request.point_limit)) {
    plan.points[result.number].result = result.json;
  }
  return plan;
}

void play_planned(const SweepPlan& plan, const std::vector<std::size_t>& numbers,
                  const std::filesystem::path& topologies, const SessionOptions& options,
                  const PointHooks& hooks) {
  SessionOptions own = options;
  own.tasks.most = plan.most_tasks;
  own.events.most = plan.most_events;
  std::optional<Scenario> next;  // read here, so that what is not as planned is no result
  PointHooks reading = hooks;
  reading.before = [&](std::size_t number) {
    next = read_planned(plan, number, topologies);
    if (hooks.before) {
      hooks.before(number);
    }
  };
  play_points(
      numbers, [&](std::size_t) { return *next; }, plan.report.names, own, reading);
}

}  // namespace danlu
