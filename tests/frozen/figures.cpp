#include "tests/frozen/figures.hpp"

#include <initializer_list>

namespace danlu::testing {
namespace {

Json pick(const Json& from, std::initializer_list<const char*> keys) {
  Json picked = Json::object();
  for (const char* key : keys) {
    picked[key] = from.at(key);
  }
  return picked;
}

Json without_nulls(const Json& from) {
  Json kept = Json::object();
  for (const auto& [key, value] : from.items()) {
    if (!value.is_null()) {
      kept[key] = value;
    }
  }
  return kept;
}

double sum(const Json& list, const char* key) {
  double total = 0;
  for (const Json& entry : list) {
    total += entry.at(key).get<double>();
  }
  return total;
}

/// By kind: bytes and collectives of the mean rank, and how long they keep it busy and waiting.
Json communication_figures(const Json& report) {
  Json figures = Json::object();
  const Json kinds = without_nulls(report.at("step").at("communication_s"));
  for (const auto& [kind, times] : kinds.items()) {
    double bytes = 0;
    double count = 0;
    for (const Json& sort : report.at("communication")) {
      if (sort.at("kind") == kind) {
        count += sort.at("count").get<double>();
        bytes += sort.at("count").get<double>() * sort.at("bytes_per_rank").get<double>();
      }
    }
    figures[kind] = pick(times, {"time_s", "exposed_s"});
    figures[kind]["count"] = count;
    figures[kind]["bytes"] = bytes;
  }
  return figures;
}

Json link_figures(const Json& report) {
  Json figures = Json::object();
  for (const Json& link : report.at("links")) {
    figures[link.at("kind").get<std::string>()] = link.at("bytes");
  }
  return figures;
}

Json faults_figures(const Json& faults) {
  Json figures = pick(faults, {"ettr", "goodput", "failures"});
  figures["wall_s"] = faults.at("wall_time_s").at("mean");
  figures["lost_s"] = without_nulls(faults.at("lost_s"));
  const Json& checkpoint = faults.at("checkpoint");
  figures["interval_s"] = checkpoint.is_null() ? checkpoint : checkpoint.at("interval_s");
  const Json& remedies = faults.at("what_if");
  figures["what_if"] = {{"entries", remedies.size()}, {"saved_s", sum(remedies, "saved_s")}};
  return figures;
}

}  // namespace

Json without_machine(Json report) {
  report.at("simulation").erase("wall_s");
  report.at("simulation").erase("peak_memory_bytes");
  return report;
}

Json key_figures(const Json& report) {
  const Json& step = report.at("step");
  Json figures = pick(step, {"time_s", "mfu", "mfu_causal_attention", "hfu"});
  figures["exposed_s"] = step.at("exposed_communication_s");
  figures["parts_s"] = without_nulls(step.at("breakdown_s"));
  figures["communication"] = communication_figures(report);
  figures["link_bytes"] = link_figures(report);
  figures["memory"] = pick(report.at("memory"), {"peak_bytes", "activations_bytes", "stage"});
  const Json& speeds = report.at("speeds");
  if (!speeds.empty()) {
    figures["speeds"] = {{"entries", speeds.size()},
                         {"straggler_wait_s", sum(speeds, "straggler_wait_s")}};
  }
  if (const Json& draws = report.at("draws"); !draws.is_null()) {
    figures["draws"] = pick(draws, {"count", "mean_s", "stderr_s"});
  }
  if (const Json& faults = report.at("faults"); !faults.is_null()) {
    figures["faults"] = faults_figures(faults);
  }
  figures["notes"] = report.at("notes").size();
  figures["played"] =
      pick(report.at("simulation"), {"tasks_played", "flows_played", "classes", "exact"});
  return figures;
}

Json without_published(const Json& validation) {
  Json figures = validation;
  figures["points"] = Json::object();
  for (const Json& point : validation.at("points")) {
    figures["points"][point.at("id").get<std::string>()] = point.at("simulated");
  }
  figures["not_simulated"] = validation.at("not_simulated").size();
  return figures;
}

}  // namespace danlu::testing
