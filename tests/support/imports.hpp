// What files of other programs become.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "sim/base/error.hpp"
#include "sim/import/import.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {

inline Imported imported(const char* framework, const std::string& text,
                         const ImportOptions& options) {
  const Folder folder;
  return import_file(*framework_named(framework), folder.write("plan.txt", text), options);
}

/// What files that say neither the machine nor the model are imported with.
inline const ImportOptions kEight{
    .topology = "dgx-h100", .gpus = 8, .model = "llama3-8b", .sequence_length = 4096};
/// Those that say the model.
inline const ImportOptions kOwnModel{.topology = "dgx-h100", .gpus = 8};

/// The scenario that an import prints, which must be one.
inline Scenario imported_scenario(const char* framework, const std::string& text,
                                  const ImportOptions& options = {.topology = "dgx-h100"}) {
  const Imported result = imported(framework, text, options);
  EXPECT_TRUE(result.complete) << result.scenario;
  return load_scenario_text(result.scenario, "imported.yaml", shipped_presets());
}

inline Workload from(const char* framework, const std::string& text,
                     const ImportOptions& options = kEight) {
  return imported_scenario(framework, text, options).workload;
}

/// The first of what an import is refused for; without a message where it is not.
inline Problem refused(const char* framework, const std::string& text,
                       const ImportOptions& options = kEight) {
  try {
    (void)imported(framework, text, options);
    return {};
  } catch (const InputError& error) {
    return error.problems().front();
  }
}

inline bool says(const Imported& result, const std::string& text) {
  return result.scenario.find(text) != std::string::npos;
}

}  // namespace danlu::testing
