// danlu validate: published measurements against simulated ones.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "src/program.hpp"

namespace danlu {

struct ValidateOptions {
  std::filesystem::path table;
  int jobs = 0;    // rows simulated at once; 0: as many as there are processors
  int worst = 10;  // rows of the list of largest errors
  std::vector<std::string> by{"device", "source"};  // tables of errors
  bool rows = false;                                // a list of all of them, too
  bool markdown = false;                            // the same as --format markdown
  std::filesystem::path plot;  // a drawing of published and simulated times; empty: none
  std::string scenario;        // the id of a row that is printed as a scenario and not played
};

/// Returns the exit code. Throws InputError for a table that cannot be read or is of no known kind.
int run_validate(const ValidateOptions& options, const CommonOptions& common);

}  // namespace danlu
