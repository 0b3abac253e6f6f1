// Inside sim/import: variables of a script, and words with them put in.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "sim/import/shell.hpp"
#include "sim/import/shell_lexer.hpp"

namespace danlu {

/// Stands before text that only the one who runs the script knows, and for blanks in it.
inline constexpr char kUnknown = '\x01';
inline constexpr char kUnknownBlank = '\x02';

class ShellVariables {
 public:
  /// NAME=value, NAME+=value, NAME=( ... ) or NAME+=( ... ); whether `token` is one. Where it is
  /// not certain that the script comes here, the variable becomes unknown.
  bool assign(const ShellToken& token, bool certain);

  /// The words that a word of the script stands for.
  std::vector<ShellWord> expand(const ShellToken& token) const;

  /// The words of all variables that hold flags.
  std::vector<ShellWord> all_flags() const;

 private:
  friend class WordExpander;

  struct Variable {
    std::vector<ShellWord> words;  // one, but for an array
    bool array = false;
  };
  std::map<std::string, Variable> variables_;
};

/// The value of a sum in whole numbers, with + - * / % and parentheses; nothing if it is none.
std::optional<long> shell_sum(const std::string& text);

}  // namespace danlu
