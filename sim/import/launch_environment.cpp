#include "sim/import/launch_environment.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "sim/base/text.hpp"
#include "sim/import/shell_lexer.hpp"

namespace danlu {
namespace launch_environment {  // the folder is built as one
namespace {

bool is_whole(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// An option of sbatch, and under which name it counts.
struct Option {
  std::string_view written, name;
};
constexpr auto kOptions = std::to_array<Option>({{"--nodes", "#SBATCH --nodes"},
                                                 {"-N", "#SBATCH --nodes"},
                                                 {"--gpus-per-node", "#SBATCH --gpus-per-node"},
                                                 {"--gres", "#SBATCH --gpus-per-node"}});

/// The number of "16", "8", "gpu:8" and "gpu:h100:8"; "" where there is none.
std::string_view number_of(std::string_view value) {
  const std::string_view last = split(value, ':').back();
  return is_whole(last) ? last : "";
}

void take_line(std::string_view line, const SourcePosition& position, LaunchEnvironment& found) {
  std::vector<std::string_view> words = words_of(line.substr(0, line.find(" #")));
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::size_t equals = words[i].find('=');
    const std::string_view written = words[i].substr(0, equals);
    const std::string_view value =
        number_of(equals != std::string_view::npos ? words[i].substr(equals + 1)
                  : i + 1 < words.size()           ? words[i + 1]
                                                   : "");
    for (const Option& option : kOptions) {
      if (option.written == written && !value.empty()) {
        found.flags.push_back({.name = std::string(option.name),
                               .value = std::string(value),
                               .position = position,
                               .source_line = std::string(line)});
      }
    }
  }
}

/// What Slurm tells the job of it.
void set_variables(LaunchEnvironment& found) {
  for (const GivenFlag& flag : found.flags) {
    const ShellVariables::Variable value{.words = {{flag.value, true, flag.position, ""}}};
    if (flag.name == "#SBATCH --nodes") {
      found.variables.put("SLURM_NNODES", value);
      found.variables.put("SLURM_JOB_NUM_NODES", value);
    } else {
      found.variables.put("SLURM_GPUS_PER_NODE", value);
      found.variables.put("SLURM_GPUS_ON_NODE", value);
    }
  }
}

}  // namespace
}  // namespace launch_environment

LaunchEnvironment read_environment(const std::string& text, const std::string& name) {
  LaunchEnvironment found;
  int number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    if (line.starts_with("#SBATCH ")) {
      launch_environment::take_line(line, {name, number, 1}, found);
    }
  }
  launch_environment::set_variables(found);
  for (const ShellToken& token : shell_tokens(text, name)) {
    for (const std::string_view variable : {"NVTE_FLASH_ATTN", "NVTE_FUSED_ATTN"}) {
      const std::string_view raw = token.raw;
      if (raw.starts_with(variable) && raw.substr(variable.size()).starts_with('=') &&
          launch_environment::is_whole(raw.substr(variable.size() + 1))) {
        found.flags.push_back({.name = std::string(variable),
                               .value = std::string(raw.substr(variable.size() + 1)),
                               .position = token.position,
                               .source_line = token.source_line});
      }
    }
  }
  return found;
}

}  // namespace danlu
