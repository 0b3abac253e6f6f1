// The options of danlu sweep and of its ways by a folder.
#pragma once

#include <CLI/CLI.hpp>

#include "src/commands.hpp"
#include "src/program.hpp"

namespace danlu {

struct SweepArguments {
  SweepCommand command;
  SweepWork work;
  SweepSubmission submission;
};

/// Adds `sweep` to the program.
void describe_sweep(CLI::App& app, SweepArguments& arguments, CommonOptions& common);
/// Does what was asked for; the exit code.
int dispatch_sweep(const CLI::App& sweep, const SweepArguments& arguments,
                   const CommonOptions& common);

}  // namespace danlu
