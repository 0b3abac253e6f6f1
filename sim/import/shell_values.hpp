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
  struct Variable {
    std::vector<ShellWord> words;  // one, but for an array; none: it is known to be unset
    bool array = false;
    bool* used = nullptr;  // of one that the environment is said to have: whether it counts

    void tell_use() const {
      if (used != nullptr) {
        *used = true;
      }
    }
  };

  /// NAME=value, NAME+=value, NAME=( ... ) or NAME+=( ... ); whether `token` is one. Where it is
  /// not certain that the script comes here, the variable becomes unknown.
  bool assign(const ShellToken& token, bool certain);

  /// What "(( text ))" comes to: a value, or one that a variable gets (N += 4, ++N, N = 2 * M).
  /// Nothing where it is not known; the variable is unknown then.
  std::optional<long> calculate(const ShellToken& token, const std::string& text, bool certain);

  /// What stands at a name; nothing: only the one who runs the script knows it.
  std::optional<Variable> at(const std::string& name) const;
  void put(const std::string& name, std::optional<Variable> value);
  /// From here on only the one who runs the script knows it, whatever stood there.
  void forget(const std::string& name, const ShellToken& token);

  /// The words that a word of the script stands for.
  std::vector<ShellWord> expand(const ShellToken& token) const;
  /// The same as one pattern for fnmatch(), in which nothing in quotes stands for other text.
  ShellWord expand_pattern(const ShellToken& token) const;

  /// "NAME=value" of each of the names whose one value is known.
  std::vector<ShellWord> written_out(const std::vector<std::string>& names) const;

  /// The words of all variables that hold flags.
  std::vector<ShellWord> all_flags() const;

 private:
  friend class WordExpander;

  std::map<std::string, Variable> variables_;
};

/// "NAME=${NAME:=word}" for each such part of a word: what its expansion assigns beside.
std::vector<ShellToken> defaults_assigned(const ShellToken& token);

/// The value of a sum in whole numbers, with + - * / %, comparisons, && || ! and parentheses;
/// nothing if it is none.
std::optional<long> shell_sum(const std::string& text);

}  // namespace danlu
