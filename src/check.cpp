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
#include "sim/session/trust.hpp"
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

/// What a plan holds, and how far that is to be trusted (sim/report/trust.hpp).
nlohmann::ordered_json memory_json(const MemoryReport& memory, const MemoryTrust& trust) {
  const Bytes peak = memory.use.peak();
  nlohmann::ordered_json json{{"peak_bytes", peak.value},
                              {"capacity_bytes", memory.capacity.value},
                              {"validated_peaks", trust.peaks},
                              {"may_need_bytes", nullptr},
                              {"fits_within_error_only", nullptr}};
  if (trust.p90_times) {
    json["may_need_bytes"] = trust.may_need(peak).value;
    json["fits_within_error_only"] = fits_within_error_only(trust, peak, memory.capacity);
  }
  return json;
}

}  // namespace

int check_files(const std::vector<std::filesystem::path>& files, const CommonOptions& common) {
  const LoadOptions options{topologies_folder(), common.overrides};
  const PublishedRuns published = read_published_runs(topologies_folder());
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  int exit_code = kExitDone;
  for (const std::filesystem::path& file : files) {
    nlohmann::ordered_json problems = nlohmann::ordered_json::array();
    std::vector<std::string> notes;
    bool fits = true;
    nlohmann::ordered_json of_memory;
    try {
      const Scenario scenario = load_scenario(file, options);
      const MemoryReport memory = check_scenario(scenario);
      const Bytes peak = memory.use.peak();
      const MemoryTrust trust =
          memory_trust_in(scenario.workload, scenario.cluster.topology.gpus_per_node, published);
      notes = scenario.notes;
      fits = memory.fits();
      of_memory = memory_json(memory, trust);
      if (fits_within_error_only(trust, peak, memory.capacity)) {
        notes.push_back(fmt::format("{}; {}", fits_text(memory),
                                    memory_trust_text(trust, peak, memory.capacity)));
      }
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
                       {"memory", std::move(of_memory)},
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
