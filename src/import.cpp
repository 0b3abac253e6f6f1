// danlu import FRAMEWORK FILE
#include "sim/import/import.hpp"

#include <fmt/format.h>

#include "sim/base/text.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "src/commands.hpp"

namespace danlu {

int import_configuration(const ImportCommand& command) {
  const Importer* framework = framework_named(command.framework);
  check(framework != nullptr, "a framework that the command line should have refused");
  Imported imported = import_file(*framework, command.file, command.options);
  if (imported.complete) {  // what the scenario's reader says of it
    try {
      load_scenario_text(imported.scenario, "imported.yaml", {topologies_folder(), {}});
    } catch (const InputError& error) {
      for (const Problem& problem : error.problems()) {
        imported.remarks.push_back(fmt::format("as it stands it cannot run: {}", problem.message));
      }
      imported.complete = false;
    }
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
