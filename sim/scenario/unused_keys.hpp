// Inside sim/scenario: settings that nothing uses, because of what another key says.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/values.hpp"

namespace danlu {

/// What a key needs to have an effect. As elsewhere `*` stands for any name and `#` for a place in
/// a list; a key stands for all that lies below it too. A key that starts with a dot is that of
/// every section in which `decided_by` is a key as well.
struct KeyUse {
  std::string_view key;
  std::string_view decided_by;
  std::string used_with;  // "a|b": one of these; "!a": anything else; "": where nothing stands
  std::vector<std::string_view> or_by{};  // keys that are as good as decided_by
};

/// Whether `text`, that decides, is one of KeyUse::used_with.
bool is_used_with(std::string_view wanted, std::string_view text);

/// The rules of the faults section, of the cluster section, and of the rest of a scenario.
std::span<const KeyUse> faults_key_uses();
std::span<const KeyUse> cluster_key_uses();
std::span<const KeyUse> scenario_key_uses();

/// Where one hears of it: a setting that nothing uses is a problem, unless what would have used it
/// was switched off later, on the command line or in a scenario that extends this one. Then it is a
/// note, so that one scenario can be compared with variants of it.
struct UnusedKeys {
  std::vector<Problem>& problems;
  std::vector<std::string>& notes;
};

/// Whether `switch_path` was set over `path`.
bool is_set_over(const Values& own, std::string_view switch_path, std::string_view path);

/// Says that the setting of `own` at `path` has no effect, for `reason`, which `switch_path`
/// decides.
void say_unused(const Values& own, const std::string& path, std::string_view switch_path,
                std::string_view prefix, std::string_view reason, std::string hint,
                const UnusedKeys& found);

/// Looks for settings of `own` that nothing uses; `values` are they over their preset, about which
/// nothing is said. `prefix` stands before each path in what is said.
void find_unused_keys(const Values& own, const Values& values, std::span<const KeyRow> keys,
                      std::span<const KeyUse> uses, std::string_view prefix,
                      const UnusedKeys& found);

}  // namespace danlu
