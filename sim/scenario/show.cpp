#include "sim/scenario/show.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/base/text.hpp"
#include "sim/scenario/keys.hpp"

namespace danlu {
namespace {

/// Text of a scenario file, and which setting each line shows (-1: a section).
struct Page {
  std::string text;
  std::vector<int> setting_of_line;
};

/// Writes settings as nested sections, each where its first key stands.
class ScenarioWriter {
 public:
  ScenarioWriter(const std::vector<Setting>& settings, const std::set<int>& silent)
      : settings_(settings), silent_(silent) {}

  Page write() {
    std::vector<int> all(settings_.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      all[i] = static_cast<int>(i);
    }
    write_section(all, 0, "");
    return std::move(page_);
  }

 private:
  static constexpr std::size_t kComment = 46;  // column

  const Setting& at(int setting) const { return settings_[static_cast<std::size_t>(setting)]; }

  void line(std::string text, int setting) {
    page_.text += text;
    page_.text += '\n';
    page_.setting_of_line.push_back(setting);
  }

  /// The settings that share their first `depth` parts. `dash` begins the first line of an entry of
  /// a list.
  void write_section(const std::vector<int>& settings, std::size_t depth, std::string dash) {
    std::set<std::string_view> written;
    for (const int setting : settings) {
      const std::vector<std::string_view> parts = split(at(setting).key, '.');
      const std::string_view name = parts[depth];
      if (!written.insert(name).second) {
        continue;
      }
      const std::string indent = dash.empty() ? std::string(2 * depth, ' ') : dash;
      if (parts.size() == depth + 1) {
        write_value(setting, fmt::format("{}{}", indent, name));
        dash = silent_.contains(setting) ? dash : "";
        continue;
      }
      std::vector<int> inner;
      std::copy_if(settings.begin(), settings.end(), std::back_inserter(inner), [&](int other) {
        const std::vector<std::string_view> its = split(at(other).key, '.');
        return its.size() > depth + 1 && its[depth] == name;
      });
      if (inner.size() == 1 && split(at(inner[0]).key, '.').back() == "mean") {
        // A duration alone: it replaces whatever else a preset says in its section.
        write_value(inner[0], fmt::format("{}{}", indent, name));
        dash = silent_.contains(inner[0]) ? dash : "";
        continue;
      }
      const bool all_silent =
          std::all_of(inner.begin(), inner.end(), [&](int one) { return silent_.contains(one); });
      line(fmt::format("{}{}{}:", all_silent ? "# " : "", indent, name), -1);
      is_list(inner, depth + 1) ? write_list(inner, depth + 1)
                                : write_section(inner, depth + 1, "");
      dash = "";
    }
  }

  /// Whether the parts at `depth` are places in a list, and not names of a map.
  bool is_list(const std::vector<int>& settings, std::size_t depth) const {
    std::vector<std::string_view> parts = split(at(settings.front()).key, '.');
    parts.resize(depth);
    const std::string section = join(parts, ".");
    return is_section_of(scenario_keys(), section + ".0") &&
           !is_section_of(scenario_keys(), section + ".any name");
  }

  void write_list(const std::vector<int>& settings, std::size_t depth) {
    std::vector<std::string_view> places;
    for (const int setting : settings) {
      const std::string_view place = split(at(setting).key, '.')[depth];
      if (std::find(places.begin(), places.end(), place) == places.end()) {
        places.push_back(place);
      }
    }
    for (const std::string_view place : places) {
      std::vector<int> entry;
      std::copy_if(settings.begin(), settings.end(), std::back_inserter(entry),
                   [&](int setting) { return split(at(setting).key, '.')[depth] == place; });
      // The entry's keys stand two deeper than its dash.
      write_section(entry, depth + 1, std::string(2 * depth, ' ') + "- ");
    }
  }

  void write_value(int setting, const std::string& name) {
    const Setting& it = at(setting);
    std::string text = fmt::format("{}: {}", name, it.text);
    if (silent_.contains(setting)) {
      text = fmt::format("# {}", text);
    }
    const std::string_view source = name_of(it.source);
    line(
        fmt::format("{:<{}}  # {}", text, kComment,
                    it.source == Setting::Source::Preset && it.where.find("preset") == it.where.npos
                        ? fmt::format("preset {}", it.where)
                    : it.source == Setting::Source::Derived ? fmt::format("derived: {}", it.where)
                    : it.where.empty()                      ? std::string(source)
                                                            : shown(it.where, 120)),
        setting);
  }

  const std::vector<Setting>& settings_;
  const std::set<int>& silent_;
  Page page_;
};

}  // namespace

ShownScenario show_scenario(const Scenario& scenario, const LoadOptions& options,
                            const std::set<std::string>& known_silent) {
  const std::vector<Setting>& settings = scenario.settings;
  const LoadOptions plain{.topologies = options.topologies};
  std::set<int> silent;
  const auto silence = [&](int setting) {
    const bool may =
        setting >= 0 && settings[static_cast<std::size_t>(setting)].source != Setting::Source::File;
    return may && silent.insert(setting).second;
  };
  for (std::size_t i = 0; i < settings.size(); ++i) {
    const Setting::Source source = settings[i].source;
    if (source != Setting::Source::CommandLine && known_silent.contains(settings[i].key)) {
      silence(static_cast<int>(i));
    }
  }
  while (true) {  // each round silences one setting more, or is the last
    Page page = ScenarioWriter(settings, silent).write();
    bool again = false;
    Scenario read;
    try {
      read = load_scenario_text(page.text, "shown.yaml", plain);
      // What is said of a key only where it stands, or only where it does not.
      for (const auto& [some, others] : {std::pair(&std::as_const(read).notes, &scenario.notes),
                                         std::pair(&scenario.notes, &std::as_const(read).notes)}) {
        for (const std::string& note : *some) {
          if (std::find(others->begin(), others->end(), note) != others->end()) {
            continue;
          }
          for (std::size_t i = 0; i < settings.size(); ++i) {
            const bool asked_for = settings[i].source == Setting::Source::CommandLine;
            if (!asked_for && note.find(settings[i].key) != std::string::npos) {
              again |= silence(static_cast<int>(i));
            }
          }
        }
      }
    } catch (const InputError& error) {
      for (const Problem& problem : error.problems()) {
        const auto line = static_cast<std::size_t>(problem.position.line);
        if (line >= 1 && line <= page.setting_of_line.size()) {
          again |= silence(page.setting_of_line[line - 1]);
        }
      }
    }
    if (!again) {
      std::set<std::string> keys;
      for (const int setting : silent) {
        keys.insert(settings[static_cast<std::size_t>(setting)].key);
      }
      return {std::move(page.text), std::move(read), std::move(keys)};
    }
  }
}

std::string show_yaml(const Scenario& scenario, const LoadOptions& options) {
  return show_scenario(scenario, options).yaml;
}

}  // namespace danlu
