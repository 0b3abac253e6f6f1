// Inside sim/report: lines of text for people, and how numbers look in them.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>

#include "sim/base/text.hpp"

namespace danlu {

inline constexpr int kBarWidth = 40;

/// Collects lines; headings stand out on a terminal. Its escapes are the only ones in it: those of
/// names that came from files are made visible.
class Page {
 public:
  explicit Page(bool colour) : colour_(colour) {}

  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    text_ += printable(fmt::format(format, std::forward<Args>(args)...));
    text_.erase(text_.find_last_not_of(' ') + 1);
    text_ += '\n';
  }
  void heading(const std::string& words) {
    text_ += '\n';
    title(words);
  }
  void title(const std::string& words) {
    text_ += fmt::format("{}{}{}\n", colour_ ? "\x1b[1m" : "", printable(words),
                         colour_ ? "\x1b[0m" : "");
  }
  std::string take() { return std::move(text_); }

 private:
  bool colour_;
  std::string text_;
};

/// 1234567 as "1,234,567".
inline std::string thousands(double number) {
  std::string digits = fmt::format("{:.0f}", number);
  for (int at = static_cast<int>(digits.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return digits;
}
/// A figure with the digits that a model is good for: four, three below 1, never none: "1,235,000",
/// "50.22", "0.0113".
inline std::string figure(double number) {
  constexpr double kThousand = 1000;
  const double rounded = std::stod(fmt::format("{:.4g}", number));
  if (rounded == 0 || std::abs(rounded) >= kThousand) {
    return thousands(rounded);
  }
  return std::abs(rounded) >= 1 ? fmt::format("{:#.4g}", rounded) : fmt::format("{:#.3g}", number);
}
/// A mean number of things: whole ones where there are many.
inline std::string count_text(double number) {
  constexpr double kMany = 10;
  return number >= kMany || number == std::floor(number) ? thousands(number) : figure(number);
}
/// One decimal; below 0.1 % two digits, so that nothing becomes nothing: "54.0 %", "0.025 %",
/// "<0.001 %".
inline std::string percent(double fraction) {
  constexpr double kLeast = 1e-3;
  const double hundredths = 100 * fraction;
  if (hundredths != 0 && std::abs(hundredths) < kLeast) {
    return "<0.001 %";
  }
  constexpr double kTenth = 0.1;
  return std::abs(hundredths) >= kTenth ? fmt::format("{:.1f} %", hundredths)
                                        : fmt::format("{:.2g} %", hundredths);
}
inline std::string signed_percent(double fraction) {
  return fmt::format("{}{}", fraction >= 1e-5 ? "+" : "", percent(fraction));
}
inline std::string percent(const std::optional<double>& fraction) {
  return fraction ? percent(*fraction) : "n/a";
}
inline std::string bar(double fraction) {
  const auto filled = std::lround(std::clamp(fraction, 0.0, 1.0) * kBarWidth);
  return std::string(static_cast<std::size_t>(filled), '#');
}
/// A key of JSON as words.
inline std::string part_name(std::string_view key) {
  std::string name(key);
  std::replace(name.begin(), name.end(), '_', ' ');
  return name;
}

}  // namespace danlu
