#include "sim/base/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>

#include "sim/base/text.hpp"

namespace danlu {
namespace {

/// What a unit is for, besides being read.
enum class Use { Read, ReadBits, Shown };

struct Unit {
  std::string_view name;
  double factor;
  Use use = Use::Read;
};

constexpr double kBit = 1.0 / 8;

constexpr std::array kBytes{
    Unit{"B", 1, Use::Shown},
    Unit{"kB", 1e3},
    Unit{"MB", 1e6},
    Unit{"GB", 1e9},
    Unit{"TB", 1e12},
    Unit{"PB", 1e15},
    Unit{"KiB", 1024.0, Use::Shown},
    Unit{"MiB", 1048576.0, Use::Shown},
    Unit{"GiB", 1073741824.0, Use::Shown},
    Unit{"TiB", 1099511627776.0, Use::Shown},
};
constexpr std::array kBandwidths{
    Unit{"B/s", 1, Use::Shown},
    Unit{"kB/s", 1e3},
    Unit{"MB/s", 1e6, Use::Shown},
    Unit{"GB/s", 1e9, Use::Shown},
    Unit{"TB/s", 1e12, Use::Shown},
    Unit{"PB/s", 1e15},
    Unit{"bps", kBit, Use::ReadBits},
    Unit{"kbps", 1e3 * kBit, Use::ReadBits},
    Unit{"Mbps", 1e6 * kBit, Use::ReadBits},
    Unit{"Gbps", 1e9 * kBit, Use::ReadBits},
    Unit{"Tbps", 1e12 * kBit, Use::ReadBits},
    Unit{"b/s", kBit, Use::ReadBits},
    Unit{"kb/s", 1e3 * kBit, Use::ReadBits},
    Unit{"Mb/s", 1e6 * kBit, Use::ReadBits},
    Unit{"Gb/s", 1e9 * kBit, Use::ReadBits},
    Unit{"Tb/s", 1e12 * kBit, Use::ReadBits},
};
constexpr std::array kDurations{
    Unit{"s", 1, Use::Shown},
    Unit{"ms", 1e-3, Use::Shown},
    Unit{"us", 1e-6, Use::Shown},
    Unit{"ns", 1e-9, Use::Shown},
    Unit{"min", 60.0},
    Unit{"h", 3600.0},
    Unit{"d", 86400.0},
};
constexpr std::array kRates{
    Unit{"FLOP/s", 1, Use::Shown},     Unit{"GFLOP/s", 1e9, Use::Shown},
    Unit{"TFLOP/s", 1e12, Use::Shown}, Unit{"PFLOP/s", 1e15, Use::Shown},
    Unit{"EFLOP/s", 1e18, Use::Shown},
};
constexpr std::array kPowers{Unit{"W", 1, Use::Shown}, Unit{"kW", 1e3, Use::Shown},
                             Unit{"MW", 1e6, Use::Shown}};
constexpr std::array kPrices{Unit{"USD/h", 1, Use::Shown}};

std::span<const Unit> units_of(Dimension dimension) {
  switch (dimension) {
    case Dimension::Number:
      return {};
    case Dimension::Size:
      return kBytes;
    case Dimension::Bandwidth:
      return kBandwidths;
    case Dimension::Duration:
      return kDurations;
    case Dimension::ComputeRate:
      return kRates;
    case Dimension::Power:
      return kPowers;
    case Dimension::Price:
      return kPrices;
  }
  return {};
}

/// The largest shown unit of which `value` holds one or more, else the smallest; null for numbers.
const Unit* unit_to_show(double value, Dimension dimension) {
  const Unit* best = nullptr;
  for (const Unit& unit : units_of(dimension)) {
    const auto held = [&](const Unit& one) { return std::abs(value) >= one.factor; };
    const bool better = best == nullptr || (held(*best) ? held(unit) && unit.factor > best->factor
                                                        : unit.factor < best->factor);
    if (unit.use == Use::Shown && better) {
      best = &unit;
    }
  }
  return best;
}

}  // namespace

std::optional<double> parse_number(std::string_view text) {
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
  }
  double value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  const bool whole = error == std::errc{} && stop == end && std::isfinite(value);
  return whole ? std::optional(value) : std::nullopt;
}

std::optional<ParsedQuantity> parse_quantity(std::string_view text, Dimension dimension) {
  const std::size_t unit_begin = text.find_first_not_of("+-.0123456789eE");
  if (unit_begin == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view number = text.substr(0, unit_begin);
  std::string_view unit = text.substr(unit_begin);
  const std::size_t name_begin = unit.find_first_not_of(' ');
  unit = name_begin == std::string_view::npos ? "" : unit.substr(name_begin);
  const std::optional<double> value = parse_number(number);
  if (!value) {
    return std::nullopt;
  }
  for (const Unit& known : units_of(dimension)) {
    if (known.name == unit) {
      const double scaled = *value * known.factor;
      return std::isfinite(scaled)
                 ? std::optional(ParsedQuantity{scaled, known.use == Use::ReadBits})
                 : std::nullopt;
    }
  }
  return std::nullopt;
}

std::string with_known_unit(std::string_view text, Dimension dimension) {
  const std::size_t end = text.find_first_not_of("+-.0123456789");
  if (end == 0 || end == std::string_view::npos) {
    return "";
  }
  const std::size_t begin = std::min(text.find_first_not_of(' ', end), text.size());
  const std::string written = lower_case(text.substr(begin));
  std::string found;
  for (const Unit& unit : units_of(dimension)) {
    if (lower_case(unit.name) == written) {
      if (!found.empty()) {
        return "";
      }
      found = fmt::format("{} {}", text.substr(0, end), unit.name);
    }
  }
  return found;
}

std::string_view accepted_units(Dimension dimension) {
  switch (dimension) {
    case Dimension::Number:
      return "no unit";
    case Dimension::Size:
      return "B, kB, MB, GB, TB, KiB, MiB, GiB, TiB";
    case Dimension::Bandwidth:
      return "GB/s, MB/s, TB/s (bytes) or Gbps, Mbps, Tbps (bits)";
    case Dimension::Duration:
      return "ns, us, ms, s, min, h, d";
    case Dimension::ComputeRate:
      return "GFLOP/s, TFLOP/s, PFLOP/s";
    case Dimension::Power:
      return "W, kW, MW";
    case Dimension::Price:
      return "USD/h";
  }
  return "";
}

std::vector<std::string_view> unit_names(Dimension dimension) {
  std::vector<std::string_view> names;
  for (const Unit& unit : units_of(dimension)) {
    names.push_back(unit.name);
  }
  return names;
}

std::string_view dimension_name(Dimension dimension) {
  switch (dimension) {
    case Dimension::Number:
      return "a number";
    case Dimension::Size:
      return "a size";
    case Dimension::Bandwidth:
      return "a bandwidth";
    case Dimension::Duration:
      return "a duration";
    case Dimension::ComputeRate:
      return "a compute rate";
    case Dimension::Power:
      return "a power";
    case Dimension::Price:
      return "a price";
  }
  return "";
}

std::string format_quantity(double value, Dimension dimension) {
  const Unit* shown = unit_to_show(value, dimension);
  if (shown == nullptr) {
    return fmt::format("{:.4g}", value);
  }
  const Unit& unit = *shown;
  if (std::abs(value) >= 1e4 * unit.factor) {  // no powers of ten
    return fmt::format("{:.0f} {}", value / unit.factor, unit.name);
  }
  // Times keep their zeros, so that columns of them compare at a glance.
  return dimension == Dimension::Duration && value != 0
             ? fmt::format("{:#.4g} {}", value / unit.factor, unit.name)
             : fmt::format("{:.4g} {}", value / unit.factor, unit.name);
}

}  // namespace danlu
