// Inside sim/import: the text of a script cut into words and operators, quotes left in place.
#pragma once

#include <string>
#include <vector>

#include "sim/base/error.hpp"

namespace danlu {

struct ShellToken {
  enum class Kind { Word, Operator, Array, Sum };  // Array: NAME=( words ); Sum: (( ... ))

  Kind kind = Kind::Word;
  std::string raw;  // as written; an Operator: ";", "&&", "||", ...; an Array: "NAME="; of a
                    // Sum what stands between the parentheses
  std::vector<ShellToken> items;  // of an Array; of "<<" its document, as one word in quotes
  SourcePosition position;
  std::string source_line;
};

/// Throws InputError where a quote or a bracket is not closed.
std::vector<ShellToken> shell_tokens(const std::string& text, const std::string& name);

/// Where what opens at `from` ("${", "$(", "'", "\"", "`") ends, one past it; npos: it does not, or
/// is nested too deeply.
std::size_t end_of_group(const std::string& text, std::size_t from, int depth = 0);

}  // namespace danlu
