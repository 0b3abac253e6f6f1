// Inside sim/scenario: the two halves of reading a scenario, values and then specs, so that one
// that was read once can be built again with other values of its plan (variants.hpp).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "sim/scenario/load_scenario.hpp"
#include "sim/scenario/resolve.hpp"

namespace danlu {

struct ReadScenario {
  ResolvedValues values;
  std::vector<Problem> problems;  // with them, which count as wrong in the values
  std::vector<std::string> notes;
};

/// The values of a scenario, over everything it rests on. Throws InputError where a file of it
/// cannot be read.
ReadScenario read_scenario(const std::string& yaml, const std::filesystem::path& file,
                           const LoadOptions& options);

/// Throws InputError with every problem found.
Scenario build_scenario(ReadScenario read, const std::filesystem::path& file,
                        const LoadOptions& options);

/// Fills what is read of a plan alone: parallelism, and training but for its optimizer and what is
/// read by hand.
void fill_plan(const Values& values, Workload& workload);

}  // namespace danlu
