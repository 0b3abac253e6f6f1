// danlu run --crosscheck FILE: one scenario on every rung of the ladder of fidelity, and how far
// the answers are apart: closed forms without contention, a flow per phase, a flow per message.
#include "sim/session/crosscheck.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "sim/base/text.hpp"
#include "src/commands.hpp"
#include "src/session.hpp"

namespace danlu {
namespace {

using Json = nlohmann::ordered_json;

constexpr double kAlike = 1e-3;  // share of the step

/// The part of the time that differs most.
std::pair<std::string_view, Seconds> largest_difference(const Report& lower, const Report& upper) {
  std::pair<std::string_view, Seconds> most{name_of(TimePart::Useful), {}};
  for (const auto& [part, name] : kNames<TimePart>) {
    const Seconds difference = upper.step.breakdown[part] - lower.step.breakdown[part];
    if (std::abs(difference.value) > std::abs(most.second.value)) {
      most = {name, difference};
    }
  }
  return most;
}

std::string signed_time(Seconds time) {
  return (time < Seconds{} ? "-" : "+") + to_text(Seconds{std::abs(time.value)});
}

/// What lies between two rungs, in a sentence.
std::string explain(const Rung& lower, const Rung& upper) {
  const double apart = upper.report->step.time / lower.report->step.time - 1;
  const std::string_view cause =
      lower.mode == CollectiveMode::Formula
          ? "links shared by communications that run at the same time"
          : "steps that wait for each other where steady flows would share evenly";
  if (std::abs(apart) < kAlike) {
    return fmt::format("{} and {} agree within {:.1f} %: the cheaper answer is safe here.\n",
                       lower.name(), upper.name(), 100 * kAlike);
  }
  const auto [part, difference] = largest_difference(*lower.report, *upper.report);
  std::string name(part);
  std::replace(name.begin(), name.end(), '_', ' ');
  return fmt::format("{} is {:+.2f} % from {}: {}; most of it is {} ({}).\n", upper.name(),
                     100 * apart, lower.name(), cause, name, signed_time(difference));
}

std::string text_of(const std::vector<Rung>& rungs) {
  std::string text = fmt::format("{}\n\n  {:<12} {:>11} {:>11} {:>11} {:>11} {:>11} {:>12}\n",
                                 rungs.front().report->scenario, "collectives", "step", "tensor",
                                 "pipeline", "data", "waiting", "tasks");
  for (const Rung& rung : rungs) {
    if (!rung.report) {
      text += fmt::format("  {:<12} not played: {:.3g} tasks\n", rung.name(), rung.tasks);
      continue;
    }
    const TimePartition& parts = rung.report->step.breakdown;
    text += fmt::format(
        "  {:<12} {:>11} {:>11} {:>11} {:>11} {:>11} {:>12.0f}\n", rung.name(),
        to_text(rung.report->step.time), to_text(parts[TimePart::ExposedTensor]),
        to_text(parts[TimePart::ExposedPipeline]), to_text(parts[TimePart::ExposedData]),
        to_text(parts[TimePart::Bubble] + parts[TimePart::StragglerWait]), rung.tasks);
  }
  text += "\n";
  for (std::size_t i = 1; i < rungs.size(); ++i) {
    if (rungs[i].report) {
      text += explain(rungs[i - 1], rungs[i]);
    }
  }
  return text;
}

Json json_of(const std::vector<Rung>& rungs) {
  Json list = Json::array();
  for (const Rung& rung : rungs) {
    Json json{{"collectives", rung.name()}, {"played", rung.report.has_value()},
              {"tasks", rung.tasks},        {"time_s", nullptr},
              {"breakdown_s", nullptr},     {"from_before", nullptr}};
    if (rung.report) {
      json["time_s"] = rung.report->step.time.value;
      json["breakdown_s"] = Json::object();
      for (const auto& [part, name] : kNames<TimePart>) {
        json["breakdown_s"][std::string(name)] = rung.report->step.has(part)
                                                     ? Json(rung.report->step.breakdown[part].value)
                                                     : Json(nullptr);
      }
    }
    if (rung.report && &rung != &rungs.front()) {
      json["from_before"] = rung.report->step.time / (&rung - 1)->report->step.time - 1;
    }
    list.push_back(std::move(json));
  }
  return {{"schema", "danlu.crosscheck/1"},
          {"scenario", rungs.front().report->scenario},
          {"rungs", list}};
}

}  // namespace

int run_crosscheck(const std::filesystem::path& file, const CommonOptions& common) {
  const auto load = [&](CollectiveMode mode) {
    CommonOptions options = common;
    options.overrides.push_back(fmt::format("collectives={}", name_of(mode)));
    return load_file(file, options);
  };
  const std::vector<Rung> rungs = crosscheck(load, session_options(common));
  common.json ? print_json(json_of(rungs)) : print(text_of(rungs));
  return kExitDone;
}

}  // namespace danlu
