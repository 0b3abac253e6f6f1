// What the sub-commands that play have in common: scenarios from files, and how the library is told
// of limits and heard.
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "sim/scenario/load_scenario.hpp"
#include "sim/session/options.hpp"
#include "src/program.hpp"

namespace danlu {

/// The options of the command line: notes go to stderr, log lines to the log.
SessionOptions session_options(const CommonOptions& common);

/// Throws InputError.
Scenario load_file(const std::filesystem::path& file, const CommonOptions& common);
std::vector<Scenario> load_files(std::span<const std::filesystem::path> files,
                                 const CommonOptions& common);

}  // namespace danlu
