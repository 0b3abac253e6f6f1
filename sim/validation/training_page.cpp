#include "sim/validation/training_page.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "sim/base/text.hpp"
#include "sim/validation/training_notes.hpp"
#include "sim/validation/training_parts.hpp"
#include "sim/validation/training_table.hpp"

namespace danlu {
namespace {

/// What a column may hold, in words.
std::string holds(const ColumnRule& rule) {
  switch (rule.kind) {
    case ColumnRule::Kind::Flag:
      return std::string(kFlagWords);
    case ColumnRule::Kind::Count:
      return fmt::format("a whole number from {:.10g} to {:.10g}", rule.least, rule.most);
    case ColumnRule::Kind::Number:
      return fmt::format("a number from {:.10g} to {:.10g}", rule.least, rule.most);
    case ColumnRule::Kind::Word:
      return std::string(rule.words);
    case ColumnRule::Kind::Text:
      break;
  }
  return "text";
}

std::string in_code(const std::vector<std::string_view>& words) {
  return fmt::format("`{}`", fmt::join(words, "`, `"));
}

std::string columns() {
  std::string page = "\n## Columns\n\n| Column | Holds |\n| --- | --- |\n";
  const auto needed = needed_training_columns();
  for (const ColumnRule& rule : training_columns()) {
    const bool is_needed = std::find(needed.begin(), needed.end(), rule.name) != needed.end();
    page += fmt::format("| `{}`{} | {} |\n", rule.name, is_needed ? " *" : "", holds(rule));
  }
  return page +
         "\n\\* A row without it is not simulated. Of `step_time_s`, `derived_step_time_s` and "
         "`tokens_per_s_per_gpu` the first that is there counts.\n";
}

std::string names() {
  std::vector<std::string_view> gpus;
  for (const DeviceRow& device : known_devices()) {
    if (device.prefix.find("PCIe") == std::string_view::npos) {
      gpus.push_back(device.prefix);
    }
  }
  std::vector<std::string_view> profiles;
  std::vector<std::string_view> compiled;
  for (const FrameworkWord& word : framework_words()) {
    (word.name.empty() ? compiled : profiles).push_back(word.word);
  }
  return fmt::format(
      "\n## GPUs\n\nA name begins with one of {}. PCIe cards and names that leave open which GPU "
      "it "
      "was are not simulated.\n\n## Frameworks\n\nA name, or a word of it, begins with one of {}; "
      "with {} XLA compiles the step, and the host is never late. [Frameworks](frameworks.md) says "
      "what they do by themselves. Others are played as PyTorch's single operators, which a remark "
      "says; a row that names none as Megatron's of its year.\n",
      in_code(gpus), in_code(profiles), in_code(compiled));
}

std::string notes() {
  std::string page =
      "\n## Notes\n\nFree text. What danlu takes from it, in any of these wordings or the like, "
      "letters of any size; \"no\", \"without\" or \"not\" before it and \"false\" or \"off\" "
      "behind "
      "it take it back. Other text is for readers.\n\n| Notes say | Which means |\n| --- | --- |\n";
  for (const NoteWording& wording : note_wordings()) {
    std::string examples(wording.examples);
    for (std::size_t at = 0; (at = examples.find("; ", at)) != std::string::npos; at += 4) {
      examples.replace(at, 2, "`, `");
    }
    page += fmt::format("| `{}` | {} |\n", examples, wording.means);
  }
  return page +
         "| `fused norm and rotary`, `fused RMSNorm, SwiGLU, rotary` | those parts are in no "
         "passes "
         "of their own |\n"
         "| `rank 16 on q, v` | LoRA's rank and targets |\n";
}

}  // namespace

std::string training_table_page() {
  return "# Tables of training runs\n\n"
         "`danlu validate TABLE.csv` simulates every row of a table of measured training runs and "
         "sets its step beside the measured one. A cell that is not understood is an error at its "
         "line and column; an empty one is something that nobody knows, and "
         "[validation](../explain/validation.md#from-a-row-to-a-scenario) says what is taken for "
         "it. `--scenario ID` prints what a row became.\n" +
         columns() + names() + notes();
}

}  // namespace danlu
