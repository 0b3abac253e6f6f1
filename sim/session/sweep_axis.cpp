#include "sim/session/sweep_axis.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"
#include "sim/scenario/sweep_values.hpp"

namespace danlu {
namespace {

[[noreturn]] void refuse_axis(std::string message, std::string hint) {
  throw InputError(Problem{{"--over", 0, 0}, std::move(message), std::move(hint), ""});
}

std::string key_of(const std::string& setting) {
  return setting.substr(0, setting.find('='));
}

bool names_key(const std::vector<std::string>& settings, const std::string& key) {
  return std::any_of(settings.begin(), settings.end(),
                     [&](const std::string& setting) { return key_of(setting) == key; });
}

/// The option of the command line, "--set KEY", that says something of a key that changes together
/// with others; none where there is none.
std::optional<std::string> said_of(const SweptAxis& axis, std::string_view option,
                                   const std::vector<std::string>& settings) {
  for (const std::string& setting : settings) {
    for (const SweptKey& key : axis.keys) {
      if (keys_overlap(key.key, key_of(setting))) {
        return fmt::format("{} {}", option, shown(key_of(setting)));
      }
    }
  }
  return std::nullopt;
}

/// The axes of the section that the command line leaves.
std::vector<SweepAxis> axes_of(const SweepSpec& spec, const std::vector<std::string>& over,
                               const std::vector<std::string>& overrides) {
  std::vector<SweepAxis> axes;
  for (const SweptAxis& axis : spec) {
    const bool alone = axis.keys.size() == 1;
    const std::string& first = axis.keys.front().key;
    if (alone && (names_key(over, first) || names_key(overrides, first))) {
      continue;
    }
    std::optional<std::string> said = said_of(axis, "--over", over);
    said = said ? said : said_of(axis, "--set", overrides);
    if (said) {
      Problem problem = axis.place;
      problem.message = fmt::format("{} contradicts {}", shown(first), *said);
      problem.hint =
          alone ? "leave one of the two out" : "--set sweep={} leaves out what the scenario varies";
      throw InputError(std::move(problem));
    }
    for (const SweptKey& key : axis.keys) {
      axes.push_back(
          {.key = key.key, .values = key.values, .together = &key != &axis.keys.front()});
    }
  }
  return axes;
}

}  // namespace

SweepAxis read_sweep_axis(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0 || equals + 1 == text.size()) {
    refuse_axis(fmt::format("expected KEY=VALUES, found '{}'", shown(text)),
                "for example --over cluster.gpus=64..512:x2");
  }
  SweepAxis axis{.key = std::string(text.substr(0, equals)), .values = {}};
  TypedValues typed = typed_values(std::string(text.substr(equals + 1)));
  std::optional<Complaint> wrong = typed.wrong ? typed.wrong : stands_twice(axis.key, typed.values);
  if (wrong) {
    refuse_axis(std::move(wrong->message), std::move(wrong->hint));
  }
  axis.values = std::move(typed.values);
  return axis;
}

std::vector<SweepAxis> sweep_axes(const std::vector<std::string>& over, const Scenario& scenario,
                                  const std::vector<std::string>& overrides) {
  std::vector<SweepAxis> axes = axes_of(scenario.sweep, over, overrides);
  const std::size_t of_section = axes.size();
  for (const std::string& text : over) {
    SweepAxis axis = read_sweep_axis(text);
    for (std::size_t i = of_section; i < axes.size(); ++i) {
      if (keys_overlap(axis.key, axes[i].key)) {
        refuse_axis(fmt::format("{} and {} say the same", shown(axes[i].key), shown(axis.key)),
                    "give all values of a key in one --over");
      }
    }
    for (const std::string& setting : overrides) {
      if (keys_overlap(axis.key, key_of(setting))) {
        refuse_axis(fmt::format("{} contradicts --set {}", shown(axis.key), shown(key_of(setting))),
                    "leave one of the two out");
      }
    }
    axes.push_back(std::move(axis));
  }
  if (axes.empty()) {
    refuse_axis("nothing varies: the scenario has no section 'sweep', or --set fixes its keys",
                "for example --over cluster.gpus=64..512:x2");
  }
  double points = 1;
  for (const SweepAxis& axis : axes) {
    points *= axis.together ? 1 : static_cast<double>(axis.values.size());
  }
  if (points > static_cast<double>(kMostPoints)) {
    refuse_axis(fmt::format("{:.0f} points are more than {}", points, kMostPoints),
                "fewer values, or several sweeps");
  }
  return axes;
}

}  // namespace danlu
