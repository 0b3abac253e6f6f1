#include "sim/import/shell_choice.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string>
#include <utility>

#include "sim/import/shell_commands.hpp"

namespace danlu {
namespace shell_choice {  // the folder is built as one
namespace {

constexpr long kFew = 3;  // flags; fewer are some tool's

/// Lines that begin with a flag, which no command does: a file of arguments alone, as one.
std::vector<ShellWord> take_bare_lines(std::vector<ShellCommand>& commands) {
  std::vector<ShellWord> bare;
  std::erase_if(commands, [&](const ShellCommand& command) {
    const bool is_bare = command.words.front().text.starts_with("--");
    if (is_bare) {
      bare.insert(bare.end(), command.words.begin(), command.words.end());
    }
    return is_bare;
  });
  return bare;
}

/// Other programs that the script starts.
void note_left_out(const std::vector<ShellCommand>& commands, ShellScript& script) {
  const std::vector<ShellWord>& best = script.command;
  const auto same = [&](const std::vector<ShellWord>& command) {
    return command.size() == best.size() &&
           std::equal(command.begin(), command.end(), best.begin(),
                      [](const ShellWord& a, const ShellWord& b) { return a.text == b.text; });
  };
  std::vector<int> lines;
  for (const auto& [command, environment] : commands) {
    const int line = command.front().position.line;
    if (starts_python(command) && flags_in(command) > kFew && !same(command) &&
        std::find(lines.begin(), lines.end(), line) == lines.end()) {
      lines.push_back(line);
    }
  }
  if (!lines.empty() && !best.empty()) {
    script.notes.push_back(
        fmt::format("the script starts more than one program: that of line {} is taken, of the "
                    "most flags; left out: of line {}",
                    best.front().position.line, fmt::join(lines, ", ")));
  }
}

}  // namespace
}  // namespace shell_choice

ShellScript choose_command(std::vector<ShellCommand> commands, const ShellVariables& variables,
                           const std::vector<ShellWord>& environment) {
  const std::vector<ShellWord> bare = shell_choice::take_bare_lines(commands);
  if (!bare.empty()) {
    commands.push_back({bare, environment});
  }
  ShellScript script{.command = {}, .environment = environment, .notes = {}};
  std::vector<ShellWord>& best = script.command;
  long most = 0;
  for (const bool python : {true, false}) {
    for (const ShellCommand& command : commands) {
      if (starts_python(command.words) == python && flags_in(command.words) > most) {
        most = flags_in(command.words);
        best = command.words;
        script.environment = command.environment;
      }
    }
    if (most > shell_choice::kFew) {
      break;
    }
  }
  std::vector<ShellWord> loose;
  for (const ShellWord& word : variables.all_flags()) {
    add_parts(word, loose);
  }
  if (flags_in(loose) > most && !starts_python(best)) {
    script.notes.emplace_back(
        "no command with flags was found: the flags of all variables are taken together");
    best = std::move(loose);
  }
  if (!bare.empty() && !best.empty() && best.front().position.line != bare.front().position.line) {
    script.notes.push_back(fmt::format(
        "line {} begins with a flag and is of no command (a backslash may be missing before it): "
        "what begins so is left out, {} flags",
        bare.front().position.line, flags_in(bare)));
  }
  shell_choice::note_left_out(commands, script);
  return script;
}

}  // namespace danlu
