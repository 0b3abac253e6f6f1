// Launch scripts read, not run: which command a shell would start, with which words. Assignments,
// arrays, $VAR, ${VAR:-default}, sums in $(( )) and (( )), comparisons in [ ], lists of && and ||,
// functions and subshells are followed; what a script learns only when it runs (arguments, the
// environment, other programs) stays unknown.
#pragma once

#include <string>
#include <vector>

#include "sim/base/error.hpp"

namespace danlu {

/// A word of a command, where it is written.
struct ShellWord {
  std::string text;
  bool known = true;  // false: part of it is only known to who runs the script
  SourcePosition position;
  std::string source_line;
};

class ShellVariables;

struct ShellScript {
  std::vector<ShellWord> command;      // with its name
  std::vector<ShellWord> environment;  // "NAME=value" of the watched variables that it has
  std::vector<std::string> notes;      // what could not be followed; sentences
};

/// The command with the most flags, first of all one that starts a Python program. Lines that begin
/// with a flag are one, as a file of arguments alone is. Where there is none, the words of all
/// variables that hold flags. `known` are variables of the environment; of those that `watched`
/// names the ones that the command has are told, if their value is known.
/// Throws InputError for text that no shell reads.
ShellScript read_shell(const std::string& text, const std::string& name);
ShellScript read_shell(const std::string& text, const std::string& name,
                       const ShellVariables& known, std::vector<std::string> watched = {});

}  // namespace danlu
