#include "sim/scenario/power_limit.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "sim/base/units.hpp"

namespace danlu {
namespace {

constexpr double kExponent = 0.7;
constexpr double kLeastMeasured = 0.5;  // of a board's power
constexpr const char* kPower = "gpu.power";
constexpr std::string_view kProducts = "gpu.gemm.sustained";
constexpr std::string_view kSustained = ".sustained";

double number_at(const Values& values, std::string_view key, double without) {
  return values.has(key) ? values.at(key).number : without;
}

/// The share of the dense peak that wide 16-bit products keep for long with `power` of the board's.
double kept_by_products(const Values& board, double power) {
  return std::min({1.0, number_at(board, "gpu.gemm.efficiency", 1),
                   number_at(board, kProducts, 1) * std::pow(power, kExponent)});
}

/// What another power changes, by key: all shares that run for long, and those of attention that
/// names none, which becomes slower as products do and never faster.
std::vector<std::pair<std::string, double>> shares_with(const Values& board, double power) {
  const double keeps = std::pow(power, kExponent);
  const double slower = std::min(1.0, kept_by_products(board, power) / kept_by_products(board, 1));
  std::vector<std::pair<std::string, double>> shares{
      {std::string(kProducts), number_at(board, kProducts, 1) * keeps}};
  for (const std::string& path : board.paths()) {
    constexpr std::string_view kShare = ".share";
    if (path.starts_with("gpu.") && path.ends_with(kSustained) && path != kProducts) {
      shares.emplace_back(path, board.at(path).number * keeps);
    } else if (path.starts_with("gpu.attention.") && path.ends_with(kShare) && slower < 1 &&
               !board.has(
                   fmt::format("{}{}", path.substr(0, path.size() - kShare.size()), kSustained))) {
      shares.emplace_back(path, board.at(path).number * slower);
    }
  }
  return shares;
}

/// What becomes of wide products and of attention, as a sentence of the note.
std::string told(const Values& board, double power, bool products) {
  const double before = kept_by_products(board, 1);
  const double after = kept_by_products(board, power);
  std::vector<std::string> parts;
  if (after == before) {
    const double bound = std::pow(before / number_at(board, kProducts, 1), 1 / kExponent);
    return fmt::format(
        "wide 16-bit products keep {:.3g} of the dense peak as before, which power bounds below {}",
        before, format_quantity(bound * board.at(kPower).number, Dimension::Power));
  }
  if (products) {
    parts.push_back(fmt::format(
        "wide 16-bit products that run for long keep {:.3g} of the dense peak instead of {:.3g}",
        after, before));
  }
  if (after < before) {
    parts.push_back(fmt::format("attention keeps {:.3g} of its speed", after / before));
  }
  return parts.empty() ? "attention is as fast as before"
                       : fmt::format("{}", fmt::join(parts, ", "));
}

std::string beyond_measured(double power) {
  return power < kLeastMeasured ? "; nothing was measured below half of a board's power"
         : power > 1            ? "; nothing was measured above a board's own power"
                                : "";
}

/// A share as it is shown, to four digits.
Value rounded(Value value, double share) {
  value.text = fmt::format("{:.4g}", std::min(1.0, share));
  value.number = std::strtod(value.text.c_str(), nullptr);
  value.origin = kByPower;
  return value;
}

}  // namespace

std::vector<std::string> keep_to_power(Values& cluster, const Values& board, const Values& said) {
  if (!board.has(kPower) || !cluster.has(kPower) ||
      cluster.at(kPower).number == board.at(kPower).number) {
    return {};
  }
  const double power = cluster.at(kPower).number / board.at(kPower).number;
  std::string stay;
  for (const auto& [key, share] : shares_with(board, power)) {
    Value now = rounded(cluster.at(kPower), share);
    if (said.has(key) && cluster.at(key).number != now.number) {  // and not what danlu shows
      stay += fmt::format("{}'cluster.{}'", stay.empty() ? "" : ", ", key);
      continue;
    }
    cluster.set(key, std::move(now));
  }
  const std::string now = format_quantity(cluster.at(kPower).number, Dimension::Power);
  const std::string before = format_quantity(board.at(kPower).number, Dimension::Power);
  const bool products = stay.find(kProducts) == std::string::npos;
  return {fmt::format(
      "'cluster.{}' is {} of the GPU's {}: {}, by ({} / {})^{} "
      "(docs/explain/power.md){}{}",
      kPower, now, before, told(board, power, products), now, before, kExponent,
      stay.empty() ? "" : fmt::format("; {} as written", stay), beyond_measured(power))};
}

}  // namespace danlu
