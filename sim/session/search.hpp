// The best plan of a scenario: sim/search finds it with plans played in this process, and
// simulate() plays the best ones, whose figures are what is printed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>

#include "sim/report/search_report.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/options.hpp"

namespace danlu {

struct SearchRequest {
  std::filesystem::path file;
  std::string own_obstacle{};  // why its own plan cannot be read, where the options have another
  std::size_t top = 5;
  bool front = false;  // of step and memory, whole
  // Of the map, as keys or their ends ("tensor").
  std::string down = "parallelism.tensor";
  std::string across = "parallelism.pipeline";
  std::function<void(const std::string&)> progress{};  // over and over; of one thread at a time
};

/// Throws InputError at the file, or at an axis of the map that is none; CannotRun where no plan
/// can run or fits in memory.
SearchReport search(const SearchRequest& request, const LoadOptions& load,
                    const SessionOptions& options);

/// The best plan alone, simulated with the scenario's faults where it has any. Throws as search().
RankedPlan best_plan(const SearchRequest& request, const LoadOptions& load,
                     const SessionOptions& options);

}  // namespace danlu
