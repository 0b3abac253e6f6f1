// What the sub-commands that play have in common: scenarios from files, and how the library is told
// of limits and heard.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/report/writers.hpp"
#include "sim/scenario/load_scenario.hpp"
#include "sim/session/options.hpp"
#include "src/output_file.hpp"
#include "src/program.hpp"

namespace danlu {

/// The options of the command line: notes go to stderr, log lines to the log.
SessionOptions session_options(const CommonOptions& common);

/// Throws InputError.
Scenario load_file(const std::filesystem::path& file, const CommonOptions& common);
std::vector<Scenario> load_files(std::span<const std::filesystem::path> files,
                                 const CommonOptions& common);

/// Nothing is written over what is read: the scenarios, what they extend, their presets, tables;
/// nor under the name of something else. Returns the scenarios.
std::vector<Scenario> load_beside(const std::vector<Output>& outputs,
                                  const std::vector<std::filesystem::path>& files,
                                  const CommonOptions& common);

/// Tells what is noted of many runs, on stderr, unless the user wants no word there; `what` is what
/// runs are: "points" (counted_notes.hpp).
void tell_notes(std::span<const std::vector<std::string>> runs, std::string_view what,
                const CommonOptions& common);

/// The writer that the options ask for; none that --json contradicts.
const Writer& chosen_writer(const CommonOptions& common);
/// Prints documents as it writes them.
void print_documents(const std::vector<Document>& documents, const Writer& writer);

}  // namespace danlu
