// Options that several sub-commands have.
#pragma once

#include <CLI/CLI.hpp>

#include "src/program.hpp"

namespace danlu {

void add_verbosity(CLI::App& command, CommonOptions& common);
/// That, and --json.
void add_common(CLI::App& command, CommonOptions& common);
void add_limit(CLI::App& command, CommonOptions& common);
void add_limit_of_events(CLI::App& command, CommonOptions& common);
void add_overrides(CLI::App& command, CommonOptions& common);
/// --format, of the writers of a report.
void add_format(CLI::App& command, CommonOptions& common);

}  // namespace danlu
