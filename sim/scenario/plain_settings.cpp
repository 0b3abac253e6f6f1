#include "sim/scenario/plain_settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace danlu {
namespace {

std::string text_of(const Value& value) {
  std::vector<std::string> links;
  for (const auto& [first, second, number] : value.links) {
    links.push_back(fmt::format("[{}, {}, {}]", first, second, number));
  }
  return !links.empty()           ? fmt::format("[{}]", fmt::join(links, ", "))
         : !value.numbers.empty() ? fmt::format("{}", fmt::join(value.numbers, " s, "))
                                  : value.text;
}

void add_values(const Values& values, const Values& own, const std::string& section,
                std::vector<Setting>& settings) {
  for (const std::string& path : values.paths()) {
    if (path != "sources" && path != "name") {
      const bool user = own.has(section + path);
      settings.push_back({section + (path == "gpu" ? "gpu.preset" : path), text_of(values.at(path)),
                          user ? Setting::Source::File : Setting::Source::Preset, ""});
    }
  }
}

}  // namespace

std::vector<Setting> settings_of(const Values& values, const Values& topology, const Values& gpu,
                                 const Scenario& scenario) {
  constexpr std::string_view kCluster = "cluster.";
  std::vector<Setting> settings;
  for (const std::string& path : values.paths()) {
    if (!path.starts_with(kCluster) || path == "cluster.topology" || path == "cluster.gpus" ||
        path.starts_with("cluster.mixed")) {
      settings.push_back({path, text_of(values.at(path)), Setting::Source::File, ""});
    }
  }
  for (const KeyRow& row : scenario_keys()) {
    const bool plain = row.path.find_first_of("*#") == std::string::npos;
    if (plain && !values.has(row.path) && !row.fallback.empty() && row.fallback != "required" &&
        !row.path.starts_with(kCluster) && !row.path.starts_with("faults.") &&
        row.path != "parallelism.data") {
      settings.push_back({row.path, row.fallback, Setting::Source::Default, ""});
    }
  }
  const Workload& w = scenario.workload;
  if (!values.has("parallelism.data")) {
    settings.push_back(
        {"parallelism.data", fmt::format("{}", w.parallelism.data), Setting::Source::Derived, ""});
  }
  if (!values.has("training.attention")) {
    settings.push_back({"training.attention",
                        w.training.attention == AttentionKind::Flash ? "flash" : "unfused",
                        Setting::Source::Derived, ""});
  }
  add_values(topology, values, "cluster.", settings);
  add_values(gpu, values, "cluster.gpu.", settings);
  return settings;
}

}  // namespace danlu
