#include "sim/base/error.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace danlu {
namespace {

constexpr std::size_t kLongestShownLine = 160;

std::string join_problems(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) {
    text += format_problem(problem);
  }
  return text;
}

/// The line as a terminal can show it: tabs and control bytes become blanks, so the caret fits.
std::string printable(std::string_view line) {
  std::string shown(line.substr(0, kLongestShownLine));
  std::replace_if(
      shown.begin(), shown.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return shown;
}

}  // namespace

std::string format_problem(const Problem& problem) {
  const SourcePosition& at = problem.position;
  std::string text = at.file;
  if (at.line > 0) {
    text += fmt::format(":{}:{}", at.line, at.column);
  }
  text += fmt::format(": error: {}\n", problem.message);
  if (at.line > 0 && !problem.source_line.empty()) {
    text += fmt::format("{:>5} | {}\n", at.line, printable(problem.source_line));
    const auto column = static_cast<std::size_t>(std::max(at.column, 1));
    if (column <= kLongestShownLine) {
      text += fmt::format("      | {:>{}}\n", '^', column);
    }
  }
  if (!problem.hint.empty()) {
    text += fmt::format("hint: {}\n", problem.hint);
  }
  return text;
}

InputError::InputError(std::vector<Problem> problems)
    : std::runtime_error(join_problems(problems)), problems_(std::move(problems)) {}

}  // namespace danlu
