// danlu show FILE [--step]
#include "sim/scenario/show.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sim/plan/step_file.hpp"
#include "src/commands.hpp"

namespace danlu {
namespace {

std::string show_json(const Scenario& scenario) {
  nlohmann::ordered_json settings = nlohmann::ordered_json::array();
  for (const Setting& setting : scenario.settings) {
    settings.push_back({{"key", setting.key},
                        {"value", setting.text},
                        {"source", name_of(setting.source)},
                        {"where", setting.where}});
  }
  return nlohmann::ordered_json{{"schema", "danlu.show/1"},
                                {"scenario", scenario.name},
                                {"settings", std::move(settings)},
                                {"notes", scenario.notes}}
             .dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
         "\n";
}

}  // namespace

int show(const std::filesystem::path& file, const CommonOptions& common) {
  const LoadOptions options{topologies_folder(), common.overrides};
  const Scenario scenario = load_scenario(file, options);
  if (common.json) {
    print(show_json(scenario));
    return kExitDone;
  }
  std::string text = show_yaml(scenario, options);
  for (const std::string& note : scenario.notes) {
    text += fmt::format("# note: {}\n", note);
  }
  print(text);
  return kExitDone;
}

int show_step(const std::filesystem::path& file, const CommonOptions& common) {
  const Scenario scenario = load_scenario(file, {topologies_folder(), common.overrides});
  print(write_step(make_step_program(scenario.workload)));
  return kExitDone;
}

}  // namespace danlu
