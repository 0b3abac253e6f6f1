// Inside sim/import: whether a condition of a script holds.
#pragma once

#include <optional>
#include <vector>

#include "sim/import/shell_lexer.hpp"
#include "sim/import/shell_statements.hpp"
#include "sim/import/shell_values.hpp"

namespace danlu {

using ShellTruth = std::optional<bool>;  // nothing: only known to who runs the script

/// `[ a = b ]`, `[[ a == b && -z c ]]`, `(( a > b ))`: three-valued, since not every word is known.
/// What a sum gives to a variable is put there, where it is `certain` that the script comes here.
ShellTruth shell_condition(ShellVariables& variables, const std::vector<ShellToken>& tokens,
                           bool certain);

/// Whether the word of a `case` matches one of its patterns.
ShellTruth shell_pattern(const ShellVariables& variables, const ShellToken& subject,
                         const ShellToken& pattern);

}  // namespace danlu
