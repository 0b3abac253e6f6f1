// Inside sim/import: which of the commands of a script is the training program.
#pragma once

#include <vector>

#include "sim/import/shell.hpp"
#include "sim/import/shell_values.hpp"

namespace danlu {

struct ShellCommand {
  std::vector<ShellWord> words;
  std::vector<ShellWord> environment;
};

/// The command with the most flags, first of all one that starts a Python program; without any the
/// words of all variables that hold flags. Notes say what was left out. `environment` is that of
/// the script's end.
ShellScript choose_command(std::vector<ShellCommand> commands, const ShellVariables& variables,
                           const std::vector<ShellWord>& environment);

}  // namespace danlu
