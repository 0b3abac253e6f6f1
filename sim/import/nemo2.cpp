#include "sim/import/nemo2.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>

#include "sim/base/text.hpp"

namespace danlu {
namespace nemo2 {  // the folder is built as one
namespace {

// A section, and that of the rows which its settings belong to.
constexpr auto kSections =
    std::to_array<std::pair<std::string_view, std::string_view>>({{"trainer.strategy.ddp.", "ddp."},
                                                                  {"trainer.strategy.", "model."},
                                                                  {"trainer.strategy.", "ddp."},
                                                                  {"trainer.strategy.", "dist."},
                                                                  {"model.config.", "model."},
                                                                  {"optim.config.", "optimizer."}});

bool has_effect(std::span<const FlagRow> rows, std::string_view name) {
  const FlagRow* row = find_row(rows, name);
  return row != nullptr && row->reading != Reading::Idle;
}

/// What the rows call a flag; its own name where they have none for it.
std::string name_in_rows(const GivenFlag& flag, std::span<const FlagRow> rows) {
  if (has_effect(rows, flag.name) || flag.name == "trainer.strategy._target_") {
    return flag.name;
  }
  for (const auto& [section, of_rows] : kSections) {
    if (flag.name.starts_with(section)) {
      std::string name = fmt::format("{}{}", of_rows, flag.name.substr(section.size()));
      if (has_effect(rows, name) || section != "trainer.strategy." ||
          !misspelt_flag(rows, name).empty()) {
        return name;
      }
    }
  }
  return flag.name;
}

/// Settings over others: of one name these count, which is told where the values differ. A model's
/// class and that of its settings are two.
void lay_over(std::vector<GivenFlag>& under, std::vector<GivenFlag> over,
              std::vector<std::string>& notes) {
  for (const GivenFlag& flag : over) {
    if (flag.name == "model._target_") {
      continue;
    }
    const auto other = std::find_if(under.begin(), under.end(), [&](const GivenFlag& one) {
      return one.name == flag.name && one.value != flag.value;
    });
    if (other != under.end()) {
      notes.push_back(fmt::format("{} {} is left out: {} {} goes before it", other->place(),
                                  shown(other->value), flag.place(), shown(flag.value)));
    }
    std::erase_if(under, [&](const GivenFlag& one) { return one.name == flag.name; });
  }
  under.insert(under.end(), std::make_move_iterator(over.begin()),
               std::make_move_iterator(over.end()));
}

}  // namespace
}  // namespace nemo2

void rename_nemo2(std::vector<GivenFlag>& flags, std::span<const FlagRow> rows,
                  std::vector<std::string>& notes) {
  std::vector<GivenFlag> own;
  std::vector<GivenFlag> of_sections;
  std::vector<GivenFlag> of_strategy;
  for (GivenFlag& flag : flags) {
    std::string name = nemo2::name_in_rows(flag, rows);
    const bool is_renamed = name != flag.name;
    const bool is_strategy = flag.name.starts_with("trainer.strategy.");
    if (is_renamed) {
      flag.written = std::exchange(flag.name, std::move(name));
    }
    (!is_renamed ? own : is_strategy ? of_strategy : of_sections).push_back(std::move(flag));
  }
  if (!of_sections.empty() || !of_strategy.empty()) {
    GivenFlag section = of_sections.empty() ? of_strategy.front() : of_sections.front();
    section.written = section.written.substr(0, section.written.rfind('.'));
    section.name = kNemo2;
    section.value.clear();
    section.known = section.implied = true;
    own.push_back(std::move(section));
  }
  nemo2::lay_over(own, std::move(of_sections), notes);
  nemo2::lay_over(own, std::move(of_strategy), notes);
  flags = std::move(own);
}

}  // namespace danlu
