#include "sim/scenario/power_limit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "sim/base/units.hpp"

namespace danlu {
namespace {

constexpr double kExponent = 0.7;
constexpr double kLeastMeasured = 0.5;  // of a board's power
constexpr const char* kPower = "gpu.power";
constexpr std::string_view kSustained = ".sustained";
constexpr std::string_view kAttention = "gpu.attention.";

/// What `preset` says that its products and attention keep for long, by key. An attention that
/// names no such share keeps what it reaches; products that name none, all.
std::vector<std::pair<std::string, double>> shares_of(const Values& preset) {
  std::vector<std::pair<std::string, double>> shares{{"gpu.gemm.sustained", 1}};
  for (const std::string& path : preset.paths()) {
    constexpr std::string_view kShare = ".share";
    if (path.starts_with("gpu.") && path.ends_with(kSustained)) {
      const bool is_first = path == shares.front().first;
      (is_first ? shares.front() : shares.emplace_back(path, 0)).second = preset.at(path).number;
    } else if (path.starts_with(kAttention) && path.ends_with(kShare)) {
      std::string key = path.substr(0, path.size() - kShare.size());
      key += kSustained;
      if (!preset.has(key)) {
        shares.emplace_back(std::move(key), std::min(1.0, preset.at(path).number));
      }
    }
  }
  return shares;
}

}  // namespace

std::vector<std::string> keep_to_power(Values& cluster, const Values& preset, const Values& said) {
  if (!preset.has(kPower) || !cluster.has(kPower) ||
      cluster.at(kPower).number == preset.at(kPower).number) {
    return {};
  }
  const Value& power = cluster.at(kPower);
  const double of_preset = power.number / preset.at(kPower).number;
  const double keeps = std::pow(of_preset, kExponent);
  std::string stay;
  for (const auto& [key, share] : shares_of(preset)) {
    if (said.has(key)) {
      stay += fmt::format("{}'cluster.{}'", stay.empty() ? "" : ", ", key);
      continue;
    }
    Value scaled = power;
    scaled.number = std::min(1.0, share * keeps);
    scaled.text = fmt::format("{:.3g}", scaled.number);
    scaled.origin = fmt::format("derived: goes with {}", kPower);
    cluster.set(key, std::move(scaled));
  }
  const std::string now = format_quantity(power.number, Dimension::Power);
  const std::string before = format_quantity(preset.at(kPower).number, Dimension::Power);
  return {fmt::format(
      "'cluster.{}' is {} of the GPU's {}: products and attention that run for long have {:.3g} of "
      "their speed, ({} / {})^{} (docs/explain/power.md){}{}",
      kPower, now, before, keeps, now, before, kExponent,
      stay.empty() ? "" : fmt::format("; {} as written", stay),
      of_preset < kLeastMeasured ? "; nothing was measured below half of a board's power" : "")};
}

}  // namespace danlu
