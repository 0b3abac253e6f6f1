// danlu check FILE...: read and check only.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/report/report.hpp"
#include "sim/report/verdict.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/planning.hpp"
#include "src/commands.hpp"

namespace danlu {
namespace {

nlohmann::ordered_json problem_json(const Problem& problem) {
  const auto or_null = [](const auto& value, bool present) {
    return present ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
  };
  return {{"file", problem.position.file},
          {"line", or_null(problem.position.line, problem.position.line > 0)},
          {"column", or_null(problem.position.column, problem.position.line > 0)},
          {"message", problem.message},
          {"hint", or_null(problem.hint, !problem.hint.empty())}};
}

}  // namespace

int check_files(const std::vector<std::filesystem::path>& files, const CommonOptions& common) {
  const LoadOptions options{topologies_folder(), common.overrides};
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  int exit_code = kExitDone;
  for (const std::filesystem::path& file : files) {
    nlohmann::ordered_json problems = nlohmann::ordered_json::array();
    std::vector<std::string> notes;
    bool fits = true;
    try {
      const Scenario scenario = load_scenario(file, options);
      const MemoryReport memory = check_scenario(scenario);
      notes = scenario.notes;
      fits = memory.fits();
      if (!fits) {
        exit_code = std::max(exit_code, kExitCannotRun);
      }
      if (!common.json) {
        print(fmt::format("{}: {}, {} on {} GPU{}\n", printable(file.string()),
                          fits ? "ok" : fits_text(memory) + " (danlu run has hints)",
                          scenario.workload.model.name, scenario.cluster.gpus,
                          scenario.cluster.gpus == 1 ? "" : "s"));
        for (const std::string& note : notes) {
          print(fmt::format("note: {}\n", printable(note)));
        }
      }
    } catch (const InputError& error) {
      complain(error.what());
      for (const Problem& problem : error.problems()) {
        problems.push_back(problem_json(problem));
      }
      exit_code = kExitBadInput;
    }
    results.push_back({{"file", file.string()},
                       {"ok", problems.empty() && fits},
                       {"fits", problems.empty() ? nlohmann::ordered_json(fits) : nullptr},
                       {"problems", std::move(problems)},
                       {"notes", std::move(notes)}});
  }
  if (common.json) {
    const nlohmann::ordered_json json{{"schema", "danlu.check/1"}, {"files", results}};
    print_json(json);
  }
  return exit_code;
}

}  // namespace danlu
