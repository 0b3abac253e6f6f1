// danlu validate: published measurements against simulated ones.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace danlu {

struct ValidateOptions {
  std::filesystem::path table;
  bool json = false;
  int jobs = 0;            // rows simulated at once; 0: as many as there are processors
  double max_tasks = 2e6;  // of the step of one row
  int worst = 10;          // rows of the list of largest errors
  std::vector<std::string> by{"device", "source"};  // tables of errors
  std::filesystem::path topologies;
  bool colour = false;
};

/// Returns the exit code. Throws InputError for a table that cannot be read or is of no known kind.
int run_validate(const ValidateOptions& options);

}  // namespace danlu
