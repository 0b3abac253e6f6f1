// Physical quantities as types: bytes + seconds does not compile, and bytes / (bytes per second) is
// seconds. Base units are byte, FLOP (one multiply or one add) and second; a double holds whole
// bytes exactly up to 2^53 = 9 PB.
//
//   Seconds t = 100_MB / 400_Gbps;   // 2 ms
#pragma once

#include <compare>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace danlu {

/// A double tagged with the powers of byte, FLOP and second.
template <int Byte, int Flop, int Second>
struct Quantity {
  double value = 0;

  // The check takes the 0 that <=> is compared with for a pointer.
  constexpr auto operator<=>(const Quantity&) const = default;  // NOLINT(modernize-use-nullptr)
  constexpr Quantity operator-() const { return {-value}; }
  constexpr Quantity operator+(Quantity other) const { return {value + other.value}; }
  constexpr Quantity operator-(Quantity other) const { return {value - other.value}; }
  constexpr Quantity operator*(double factor) const { return {value * factor}; }
  constexpr Quantity operator/(double divisor) const { return {value / divisor}; }
  constexpr Quantity& operator+=(Quantity other) { return value += other.value, *this; }
  constexpr Quantity& operator-=(Quantity other) { return value -= other.value, *this; }
};

template <int B, int F, int S>
constexpr Quantity<B, F, S> operator*(double factor, Quantity<B, F, S> quantity) {
  return {factor * quantity.value};
}

template <int B1, int F1, int S1, int B2, int F2, int S2>
constexpr auto operator*(Quantity<B1, F1, S1> a, Quantity<B2, F2, S2> b) {
  return Quantity<B1 + B2, F1 + F2, S1 + S2>{a.value * b.value};
}

template <int B1, int F1, int S1, int B2, int F2, int S2>
constexpr auto operator/(Quantity<B1, F1, S1> a, Quantity<B2, F2, S2> b) {
  if constexpr (B1 == B2 && F1 == F2 && S1 == S2) {
    return a.value / b.value;
  } else {
    return Quantity<B1 - B2, F1 - F2, S1 - S2>{a.value / b.value};
  }
}

using Bytes = Quantity<1, 0, 0>;
using Flops = Quantity<0, 1, 0>;
using Seconds = Quantity<0, 0, 1>;
inline constexpr Seconds kNever{std::numeric_limits<double>::infinity()};
using BytesPerSecond = Quantity<1, 0, -1>;
using FlopsPerSecond = Quantity<0, 1, -1>;

constexpr Bytes operator""_B(unsigned long long v) {
  return {static_cast<double>(v)};
}
constexpr Bytes operator""_MB(unsigned long long v) {
  return {static_cast<double>(v) * 1e6};
}
constexpr Bytes operator""_GB(unsigned long long v) {
  return {static_cast<double>(v) * 1e9};
}
constexpr Bytes operator""_KiB(unsigned long long v) {
  return {static_cast<double>(v) * 1024};
}
constexpr Bytes operator""_MiB(unsigned long long v) {
  return {static_cast<double>(v) * 1048576};
}
constexpr Bytes operator""_GiB(unsigned long long v) {
  return {static_cast<double>(v) * 1073741824.0};
}
constexpr Seconds operator""_s(long double v) {
  return {static_cast<double>(v)};
}
constexpr Seconds operator""_s(unsigned long long v) {
  return {static_cast<double>(v)};
}
constexpr Seconds operator""_us(long double v) {
  return {static_cast<double>(v) * 1e-6};
}
constexpr Seconds operator""_us(unsigned long long v) {
  return {static_cast<double>(v) * 1e-6};
}
constexpr BytesPerSecond operator""_Gbps(unsigned long long v) {
  return {static_cast<double>(v) * 1e9 / 8};
}
constexpr BytesPerSecond operator""_GBps(unsigned long long v) {
  return {static_cast<double>(v) * 1e9};
}
constexpr FlopsPerSecond operator""_TFLOPs(unsigned long long v) {
  return {static_cast<double>(v) * 1e12};
}

/// What a number in a YAML file measures; every dimension but Number must carry a unit.
enum class Dimension { Number, Size, Bandwidth, Duration, ComputeRate, Power, Price };

/// The result of reading "400 Gbps": the value in base units, and whether the unit counted bits.
struct ParsedQuantity {
  double value = 0;
  bool in_bits = false;
};

/// Reads `text` ("400 Gbps", "80 GiB", "1.5 us") as the given dimension, in base units.
/// Empty if the number is malformed or not finite, or the unit is missing or unknown.
std::optional<ParsedQuantity> parse_quantity(std::string_view text, Dimension dimension);

/// Reads a plain decimal number ("1e9", "0.5"), nothing before or after it; empty if it is not one.
std::optional<double> parse_number(std::string_view text);

/// The units a dimension accepts, for messages: "GB/s, Gbps, ...".
std::string_view accepted_units(Dimension dimension);
/// "500 W" for "500w": the same with a unit that is but for capitals the one that stands there; ""
/// where there is none, or two of them (Mb, MB).
std::string with_known_unit(std::string_view text, Dimension dimension);

/// Every unit that parse_quantity takes, for schemas: "B/s", "kB/s", ...
std::vector<std::string_view> unit_names(Dimension dimension);

/// "a bandwidth", "a duration", ...: the dimension in a sentence.
std::string_view dimension_name(Dimension dimension);

/// A value in its most readable unit with four significant digits: "25 GB/s", "1.174 ms".
std::string format_quantity(double value, Dimension dimension);

inline std::string to_text(Bytes v) {
  return format_quantity(v.value, Dimension::Size);
}
inline std::string to_text(Seconds v) {
  return format_quantity(v.value, Dimension::Duration);
}
inline std::string to_text(BytesPerSecond v) {
  return format_quantity(v.value, Dimension::Bandwidth);
}
inline std::string to_text(FlopsPerSecond v) {
  return format_quantity(v.value, Dimension::ComputeRate);
}

inline constexpr double kMinute = 60, kHour = 3600, kDay = 86400;  // seconds

}  // namespace danlu
