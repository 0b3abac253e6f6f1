#include "sim/import/shell_commands.hpp"

#include <algorithm>
#include <utility>

#include "sim/import/shell_values.hpp"

namespace danlu {

void add_parts(const ShellWord& word, std::vector<ShellWord>& command) {
  const bool several = word.text.find_first_of(" \n\t") != std::string::npos &&
                       word.text.find("--") != std::string::npos;
  for (std::size_t from = 0; from <= word.text.size();) {
    const std::size_t to = several
                               ? std::min(word.text.find_first_of(" \n\t", from), word.text.size())
                               : word.text.size();
    if (!several || to > from) {
      ShellWord one = word;
      one.text = word.text.substr(from, to - from);
      one.known = one.text.find(kUnknown) == std::string::npos;
      one.text.erase(std::remove(one.text.begin(), one.text.end(), kUnknown), one.text.end());
      std::replace(one.text.begin(), one.text.end(), kUnknownBlank, ' ');
      command.push_back(std::move(one));
    }
    from = to + 1;
  }
}

long flags_in(const std::vector<ShellWord>& command) {
  return std::count_if(command.begin(), command.end(), [](const ShellWord& word) {
    return word.text.starts_with("--") && word.text.size() > 2;
  });
}

bool starts_python(const std::vector<ShellWord>& command) {
  return std::any_of(command.begin(), command.end(),
                     [](const ShellWord& word) { return word.text.ends_with(".py"); });
}

bool sets_one(const ShellWord& word, const std::vector<std::string>& names) {
  return word.text.find(kUnknown) == std::string::npos &&
         std::any_of(names.begin(), names.end(),
                     [&](const std::string& name) { return word.text.starts_with(name + "="); });
}

}  // namespace danlu
