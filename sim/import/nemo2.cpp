#include "sim/import/nemo2.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
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

}  // namespace
}  // namespace nemo2

void rename_nemo2(std::vector<GivenFlag>& flags, std::span<const FlagRow> rows,
                  std::vector<std::string>& notes) {
  std::vector<GivenFlag> own;
  std::vector<GivenFlag> of_nemo2;
  for (GivenFlag& flag : flags) {
    std::string name = nemo2::name_in_rows(flag, rows);
    const bool is_renamed = name != flag.name;
    if (is_renamed) {
      flag.written = std::exchange(flag.name, std::move(name));
    }
    (is_renamed ? of_nemo2 : own).push_back(std::move(flag));
  }
  for (const GivenFlag& flag : of_nemo2) {
    const auto other = std::find_if(own.begin(), own.end(), [&](const GivenFlag& one) {
      return one.name == flag.name && one.value != flag.value;
    });
    if (other != own.end() && flag.name != "model._target_") {
      notes.push_back(fmt::format("{} {} is left out: {} {} goes before it", other->place(),
                                  shown(other->value), flag.place(), shown(flag.value)));
    }
    std::erase_if(own, [&](const GivenFlag& one) {
      return one.name == flag.name && flag.name != "model._target_";
    });
  }
  if (!of_nemo2.empty()) {
    GivenFlag section = of_nemo2.front();
    section.written = section.written.substr(0, section.written.rfind('.'));
    section.name = kNemo2;
    section.value.clear();
    section.known = section.implied = true;
    own.push_back(std::move(section));
  }
  own.insert(own.end(), std::make_move_iterator(of_nemo2.begin()),
             std::make_move_iterator(of_nemo2.end()));
  flags = std::move(own);
}

}  // namespace danlu
