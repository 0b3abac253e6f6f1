#include "sim/import/launch_environment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "sim/base/text.hpp"
#include "sim/base/units.hpp"

namespace danlu {
namespace launch_environment {  // the folder is built as one
namespace {

bool is_whole(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

/// An option of sbatch, under which name it counts, and how the item of its list begins that does.
struct Option {
  std::string_view written, name, item{};
};
constexpr auto kOptions = std::to_array<Option>({{"--nodes", "#SBATCH --nodes"},
                                                 {"-N", "#SBATCH --nodes"},
                                                 {"--gpus-per-node", "#SBATCH --gpus-per-node"},
                                                 {"--gres", "#SBATCH --gpus-per-node", "gpu"},
                                                 {"--gpus", "#SBATCH --gpus"},
                                                 {"-G", "#SBATCH --gpus"},
                                                 {"--ntasks-per-node", "#SBATCH --ntasks-per-node"},
                                                 {"--ntasks", "#SBATCH --ntasks"},
                                                 {"-n", "#SBATCH --ntasks"},
                                                 {"--gpus-per-task", "#SBATCH --gpus-per-task"}});

void take_line(std::string_view line, const SourcePosition& position, LaunchEnvironment& found) {
  std::vector<std::string_view> words = words_of(line.substr(0, line.find(" #")));
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::size_t equals = std::min(words[i].find('='), words[i].size());
    const auto* const option =
        std::find_if(kOptions.begin(), kOptions.end(),
                     [&](const Option& one) { return one.written == words[i].substr(0, equals); });
    if (option == kOptions.end()) {
      continue;
    }
    words[i].remove_prefix(std::min(equals + 1, words[i].size()));
    const auto begin = words.begin() + static_cast<std::ptrdiff_t>(i);
    const auto end = std::find_if(begin, words.end(),
                                  [](std::string_view word) { return word.starts_with('-'); });
    const auto item = std::find_if(begin, end, [&](std::string_view word) {
      return !word.empty() && word.starts_with(option->item);
    });
    if (item == end) {
      continue;
    }
    GivenFlag flag{.name = std::string(option->name),
                   .value = std::string(*item),
                   .position = position,
                   .source_line = std::string(line)};
    settle_slurm_count(flag);
    if (!flag.known || is_whole(flag.value)) {
      found.flags.push_back(std::move(flag));
    }
  }
}

/// What tasks and their GPUs come to, of a node or of the whole job; then they are left out.
void count_tasks(std::vector<GivenFlag>& flags) {
  const auto find = [&](std::string_view name) {
    return std::find_if(flags.begin(), flags.end(),
                        [&](const GivenFlag& flag) { return flag.name == name; });
  };
  const auto of_task = find("#SBATCH --gpus-per-task");
  for (const auto& [tasks, all] :
       {std::pair("#SBATCH --ntasks-per-node", "#SBATCH --gpus-per-node"),
        std::pair("#SBATCH --ntasks", "#SBATCH --gpus")}) {
    const auto count = find(tasks);
    if (of_task != flags.end() && count != flags.end() && find(all) == flags.end()) {
      const double gpus =
          parse_number(of_task->value).value_or(0) * parse_number(count->value).value_or(0);
      if (gpus > 0) {
        count->name = all;
        count->value = fmt::format("{:.0f}", gpus);
      }
      break;
    }
  }
  std::erase_if(flags,
                [](const GivenFlag& flag) { return flag.name.find("task") != std::string::npos; });
}

/// What Slurm tells the job of it.
void set_variables(LaunchEnvironment& found) {
  for (const GivenFlag& flag : found.flags) {
    if (!flag.known) {
      continue;
    }
    const ShellVariables::Variable value{.words = {{flag.value, true, flag.position, ""}}};
    if (flag.name == "#SBATCH --nodes") {
      found.variables.put("SLURM_NNODES", value);
      found.variables.put("SLURM_JOB_NUM_NODES", value);
    } else if (flag.name == "#SBATCH --gpus-per-node") {
      found.variables.put("SLURM_GPUS_PER_NODE", value);
      found.variables.put("SLURM_GPUS_ON_NODE", value);
    }
  }
}

}  // namespace
}  // namespace launch_environment

void settle_slurm_count(GivenFlag& flag) {
  using launch_environment::is_whole;
  const std::string_view last = split(flag.value, ':').back();
  const std::vector<std::string_view> ends = split(last, '-');
  if (is_whole(ends.front()) && is_whole(ends.back()) && ends.size() <= 2) {
    flag.known = ends.front() == ends.back();
    flag.value = flag.known ? std::string(ends.front()) : std::string(last);
  }
}

LaunchEnvironment read_slurm(const std::string& text, const std::string& name) {
  LaunchEnvironment found;
  int number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    if (line.starts_with("#SBATCH ")) {
      launch_environment::take_line(line, {name, number, 1}, found);
    }
  }
  launch_environment::count_tasks(found.flags);
  launch_environment::set_variables(found);
  return found;
}

ShellScript read_launch(const std::string& text, const std::string& name,
                        LaunchEnvironment& environment) {
  ShellScript script =
      read_shell(text, name, environment.variables, {"NVTE_FLASH_ATTN", "NVTE_FUSED_ATTN"});
  for (const ShellWord& variable : script.environment) {
    const std::size_t equals = variable.text.find('=');
    environment.flags.push_back({.name = variable.text.substr(0, equals),
                                 .value = variable.text.substr(equals + 1),
                                 .position = variable.position,
                                 .source_line = variable.source_line});
  }
  return script;
}

}  // namespace danlu
