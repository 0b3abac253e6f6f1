// danlu import FRAMEWORK FILE
#include "sim/import/import.hpp"

#include <fmt/format.h>

#include <string>
#include <vector>

#include "sim/base/text.hpp"
#include "sim/report/verdict.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/planning.hpp"
#include "src/commands.hpp"

namespace danlu {
namespace {

/// What danlu check has against the scenario, as remarks.
std::vector<std::string> what_check_says(const std::string& scenario) {
  std::vector<std::string> said;
  try {
    const MemoryReport memory =
        check_scenario(load_scenario_text(scenario, "imported.yaml", {topologies_folder(), {}}));
    if (!memory.fits()) {
      said.push_back(fmt::format("as it stands it {}; danlu run has hints", fits_text(memory)));
    }
  } catch (const InputError& error) {
    for (const Problem& problem : error.problems()) {
      said.push_back(fmt::format("as it stands it cannot run: {}{}{}", problem.message,
                                 problem.hint.empty() ? "" : "; ", problem.hint));
    }
  }
  return said;
}

}  // namespace

int import_configuration(const ImportCommand& command) {
  const Importer* framework = framework_named(command.framework);
  check(framework != nullptr, "a framework that the command line should have refused");
  if (const std::string& topology = command.options.topology; !topology.empty()) {
    (void)load_topology(topology, {topologies_folder(), {}});  // which one can mistype
  }
  Imported imported = import_file(*framework, command.file, command.options);
  if (imported.complete) {
    const std::vector<std::string> refusals = what_check_says(imported.scenario);
    imported.complete = refusals.empty();
    imported.remarks.insert(imported.remarks.end(), refusals.begin(), refusals.end());
  }
  print(imported.scenario);
  complain(fmt::format(
      "{}: {} flags, {} not understood, {} without effect here; the scenario "
      "lists them at its end\n",
      shown(command.file.string(), kLongestPath), imported.flags, imported.unknown, imported.idle));
  for (const std::string& remark : imported.remarks) {
    complain(fmt::format("remark: {}\n", remark));
  }
  return imported.complete ? kExitDone : kExitCannotRun;
}

}  // namespace danlu
