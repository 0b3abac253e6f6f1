// The kinds of error. A Problem is the user's: it has a place in a file and ends as InputError.
// What is right and yet cannot be played is CannotRun. An InternalError is ours: a check that no
// input may ever reach.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace danlu {

/// A place in an input file; lines and columns count from 1, 0 means "the whole file".
struct SourcePosition {
  std::string file;
  int line = 0;
  int column = 0;  // in characters, not bytes
};

/// One thing wrong with the user's input: what was expected and found, and what to do about it.
struct Problem {
  SourcePosition position;
  std::string message;
  std::string hint;         // may be empty
  std::string source_line;  // the text of the line, empty if there is none
};

/// `file:line:column: error: message`, the line with a caret below the column, and the hint.
std::string format_problem(const Problem& problem);

/// All problems found in the user's input, in file order. Thrown by sim/scenario and by nothing
/// below it, but for an installation that lacks a part (sim/engine/load_engine.cpp).
class InputError : public std::runtime_error {
 public:
  explicit InputError(std::vector<Problem> problems);
  explicit InputError(Problem problem) : InputError(std::vector<Problem>{std::move(problem)}) {}
  const std::vector<Problem>& problems() const { return problems_; }

 private:
  struct Ordered {};
  InputError(std::vector<Problem> problems, Ordered);
  std::vector<Problem> problems_;
};

/// A plan that cannot run here, though nothing is wrong with the input: it hangs, or is too much
/// for a limit or for this machine.
class CannotRun : public std::runtime_error {
 public:
  CannotRun(const std::string& why, std::string hint)
      : std::runtime_error(why), hint_(std::move(hint)) {}
  const std::string& hint() const { return hint_; }

 private:
  std::string hint_;
};

/// A broken promise inside the program; `main` asks for a bug report.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Throws InternalError unless `condition` holds. Always on: a wrong number is worse than a stop.
inline void check(bool condition, std::string_view why) {
  if (!condition) {
    throw InternalError(std::string(why));
  }
}

}  // namespace danlu
