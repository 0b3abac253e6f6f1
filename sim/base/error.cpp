#include "sim/base/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "sim/base/text.hpp"

namespace danlu {
namespace {

constexpr std::size_t kLongestShownLine = 100;

std::string join_problems(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) {
    text += format_problem(problem);
  }
  return text;
}

/// The files in the order in which they were first met, each from top to bottom; what concerns a
/// whole file comes after its lines.
std::vector<Problem> in_file_order(std::vector<Problem> problems) {
  std::vector<std::string> files;
  for (const Problem& problem : problems) {
    if (std::find(files.begin(), files.end(), problem.position.file) == files.end()) {
      files.push_back(problem.position.file);
    }
  }
  const auto place = [&](const Problem& problem) {
    const SourcePosition& at = problem.position;
    return std::tuple(std::find(files.begin(), files.end(), at.file), at.line == 0, at.line,
                      at.column);
  };
  std::stable_sort(problems.begin(), problems.end(),
                   [&](const Problem& a, const Problem& b) { return place(a) < place(b); });
  return problems;
}

/// The line with a caret below the column. Of a long line, the part around the column.
std::string excerpt(const Problem& problem) {
  const std::vector<std::string_view> line = characters(problem.source_line);
  const std::size_t column = static_cast<std::size_t>(std::max(problem.position.column, 1)) - 1;
  std::size_t begin = 0;
  if (line.size() > kLongestShownLine && column > kLongestShownLine / 2) {
    begin = std::min(column, line.size()) - kLongestShownLine / 2;
  }
  const std::size_t end = std::min(line.size(), begin + kLongestShownLine);
  std::string text = begin > 0 ? "..." : "";
  std::size_t caret = text.size() + column - begin;
  for (std::size_t i = begin; i < end; ++i) {
    const std::string piece = line[i] == "\t" ? " " : printable(line[i]);
    caret += i < column && piece != line[i] ? piece.size() - 1 : 0;  // an escape is wider
    text += piece;
  }
  text.erase(text.find_last_not_of(' ') + 1);
  text += end < line.size() ? "..." : "";
  return fmt::format("{:>5} | {}\n      | {:>{}}\n", problem.position.line, text, '^', caret + 1);
}

}  // namespace

std::string format_problem(const Problem& problem) {
  const SourcePosition& at = problem.position;
  std::string text = printable(at.file);
  if (at.line > 0) {
    text += fmt::format(":{}:{}", at.line, at.column);
  }
  text += fmt::format(": error: {}\n", printable(problem.message));
  if (at.line > 0 && !problem.source_line.empty()) {
    text += excerpt(problem);
  }
  if (!problem.hint.empty()) {
    text += fmt::format("hint: {}\n", printable(problem.hint));
  }
  return text;
}

InputError::InputError(std::vector<Problem> problems)
    : InputError(in_file_order(std::move(problems)), Ordered{}) {}

InputError::InputError(std::vector<Problem> problems, Ordered)
    : std::runtime_error(join_problems(problems)), problems_(std::move(problems)) {}

}  // namespace danlu
