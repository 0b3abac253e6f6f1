// Options that several sub-commands have.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <utility>

#include "src/program.hpp"

namespace danlu {

void add_verbosity(CLI::App& command, CommonOptions& common);
/// That, and --json.
void add_common(CLI::App& command, CommonOptions& common);
void add_limit(CLI::App& command, CommonOptions& common);
void add_limit_of_events(CLI::App& command, CommonOptions& common);
void add_overrides(CLI::App& command, CommonOptions& common);
/// --format, of the writers of a report.
/// How much is done at once.
template <typename Jobs>
void add_jobs(CLI::App& command, Jobs& jobs, std::string what) {
  command.add_option("--jobs", jobs, std::move(what))
      ->type_name("NUMBER")
      ->check(CLI::Range(0, 1024));
}
/// What all that plays scenarios has: --format, --max-tasks, those of add_common(), --set.
void add_playing(CLI::App& command, CommonOptions& common);
void add_format(CLI::App& command, CommonOptions& common);

}  // namespace danlu
