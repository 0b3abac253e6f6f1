// Inside sim/import: the words of a command.
#pragma once

#include <string>
#include <vector>

#include "sim/import/shell.hpp"

namespace danlu {

/// Puts a word behind a command: its parts where it holds several, as "--flag value" in an array or
/// a command in quotes.
void add_parts(const ShellWord& word, std::vector<ShellWord>& command);

long flags_in(const std::vector<ShellWord>& command);
/// Whether a word is NAME=value of one of the names, with a value that is known.
bool sets_one(const ShellWord& word, const std::vector<std::string>& names);
/// Whether it names a Python program.
bool starts_python(const std::vector<ShellWord>& command);

}  // namespace danlu
