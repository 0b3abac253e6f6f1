#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "sim/collective/algorithms.hpp"
#include "sim/report/writers.hpp"

namespace danlu {
namespace {

std::string choice_text(const CollectiveChoice& choice) {
  return fmt::format("{} {}", name_of(choice.algorithm), name_of(choice.protocol));
}

}  // namespace

Difference difference(const Report& base, const Report& other) {
  Difference result{.step = other.step.time - base.step.time};
  for (const TimePart part : result.parts.parts.ids()) {
    result.parts[part] = other.step.breakdown[part] - base.step.breakdown[part];
  }
  return result;
}

std::vector<std::string> turned_choices(const Report& base, const Report& other) {
  std::vector<std::string> turned;
  for (const CommunicationReport& now : other.communication) {
    for (const CommunicationReport& was : base.communication) {
      if (was.axis == now.axis && was.op == now.op && was.group == now.group &&
          was.group_size == now.group_size && was.bytes_per_rank == now.bytes_per_rank &&
          was.choice != now.choice) {
        turned.push_back(fmt::format("{}, {}, {} ranks, {}: {}, was {}", collective_name(now.op),
                                     now.group, now.group_size, to_text(now.bytes_per_rank),
                                     choice_text(now.choice), choice_text(was.choice)));
      }
    }
  }
  return turned;
}

namespace {

constexpr std::array kDimensions{Dimension::Size,        Dimension::Bandwidth, Dimension::Duration,
                                 Dimension::ComputeRate, Dimension::Power,     Dimension::Price};

/// The preset that a key belongs to: a section whose figures it brings along.
std::string_view preset_of(std::string_view key) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kPresets{
      {{"model.", "model.preset"},
       {"cluster.gpu.", "cluster.gpu.preset"},
       {"cluster.", "cluster.topology"},
       {"faults.", "faults.preset"}}};
  for (const auto& [section, preset] : kPresets) {
    if (key.starts_with(section)) {
      return preset;
    }
  }
  return "";
}

/// The power that a GPU's shares of its peak go with.
constexpr std::string_view kPower = "cluster.gpu.power";
bool goes_with_power(std::string_view key) {
  return (key.starts_with("cluster.gpu.") && key.ends_with(".sustained")) ||
         (key.starts_with("cluster.gpu.attention.") && key.ends_with(".share"));
}

/// Whether two texts say one thing: "400 Gbps" and "50 GB/s", "1e3" and "1000".
bool same_value(std::string_view a, std::string_view b) {
  constexpr double kRounding = 1e-12;
  const auto near = [](double x, double y) { return std::abs(x - y) <= kRounding * std::abs(x); };
  if (a == b) {
    return true;
  }
  if (const auto x = parse_number(a), y = parse_number(b); x && y) {
    return near(*x, *y);
  }
  return std::any_of(kDimensions.begin(), kDimensions.end(), [&](Dimension dimension) {
    const auto x = parse_quantity(a, dimension);
    const auto y = parse_quantity(b, dimension);
    return x && y && near(x->value, y->value);
  });
}

/// Bandwidth first, then memory, then compute: what people compare hardware by.
bool is_main_figure(std::string_view key) {
  constexpr std::array<std::string_view, 12> kFigures{
      "cluster.node.scale_up.kind",  "cluster.node.scale_up.bandwidth",
      "cluster.node.pcie.bandwidth", "cluster.node.nics.count",
      "cluster.node.nics.bandwidth", "cluster.fabric.oversubscription",
      "cluster.gpu.memory.capacity", "cluster.gpu.memory.bandwidth",
      "cluster.gpu.peak_dense.bf16", "cluster.gpu.peak_dense.fp8",
      "cluster.node.power",          "cluster.price"};
  return std::find(kFigures.begin(), kFigures.end(), key) != kFigures.end();
}

using Settings = std::map<std::string_view, const ReportSetting*>;

std::string_view text_in(const Settings& settings, std::string_view key) {
  const auto found = settings.find(key);
  return found == settings.end() ? "-" : std::string_view(found->second->text);
}

}  // namespace

std::vector<DifferentSetting> different_settings(std::span<const Report> reports) {
  std::vector<Settings> all;
  std::vector<std::string_view> keys;  // in order, those of the first report first
  std::set<std::string_view> seen;
  for (const Report& report : reports) {
    Settings& settings = all.emplace_back();
    for (const ReportSetting& setting : report.settings) {
      settings.emplace(setting.key, &setting);
      if (setting.key != "name" && setting.key != "extends" && seen.insert(setting.key).second) {
        keys.push_back(setting.key);
      }
    }
  }
  const auto differs = [&](std::string_view key) {
    return std::any_of(all.begin(), all.end(), [&](const Settings& settings) {
      return !same_value(text_in(settings, key), text_in(all.front(), key));
    });
  };
  /// Whether no report has it from the user.
  const auto only_of_presets = [&](std::string_view key) {
    return std::all_of(all.begin(), all.end(), [&](const Settings& settings) {
      const auto found = settings.find(key);
      return found == settings.end() || !found->second->from_user;
    });
  };
  std::vector<DifferentSetting> different;
  for (const std::string_view key : keys) {
    const std::string_view preset = preset_of(key);
    const bool leads = key != preset && !preset.empty() && differs(preset);
    const bool follows =
        (leads || (goes_with_power(key) && differs(kPower))) && only_of_presets(key);
    if (!differs(key) || (follows && !is_main_figure(key))) {
      continue;
    }
    DifferentSetting& setting = different.emplace_back();
    setting.key = key;
    setting.follows = follows;
    for (const Settings& settings : all) {
      setting.texts.emplace_back(text_in(settings, key));
    }
  }
  return different;
}

std::string communication_name(CollectiveOp op, std::string_view group) {
  return fmt::format("{}, {}", collective_name(op), group);
}

std::string_view collective_name(CollectiveOp op) {
  return name_of(op);
}

}  // namespace danlu
