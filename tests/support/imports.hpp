// What files of other programs become.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "sim/import/import.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {

inline Imported imported(const char* framework, const std::string& text,
                         const ImportOptions& options) {
  const Folder folder;
  return import_file(*framework_named(framework), folder.write("plan.txt", text), options);
}

/// The scenario that an import prints, which must be one.
inline Scenario imported_scenario(const char* framework, const std::string& text,
                                  const ImportOptions& options = {.topology = "dgx-h100"}) {
  const Imported result = imported(framework, text, options);
  EXPECT_TRUE(result.complete) << result.scenario;
  return load_scenario_text(result.scenario, "imported.yaml", shipped_presets());
}

inline bool says(const Imported& result, const std::string& text) {
  return result.scenario.find(text) != std::string::npos;
}

}  // namespace danlu::testing
