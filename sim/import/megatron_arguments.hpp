// Inside sim/import: the words of a command as arguments of Megatron-LM.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/import/draft.hpp"
#include "sim/import/shell.hpp"

namespace danlu {

/// Flags with their values. Words that may hold flags and are not known are told among `notes`,
/// with what the script could not be followed in.
std::vector<GivenFlag> megatron_arguments(ShellScript script, std::span<const FlagRow> rows,
                                          std::vector<std::string>& notes);

}  // namespace danlu
