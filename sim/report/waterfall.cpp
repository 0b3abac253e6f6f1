#include "sim/report/waterfall.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace danlu {
namespace {

/// The running total as a bar that starts where the last one ended.
std::string step_bar(double from, double to, double scale) {
  const auto left = std::lround(std::min(from, to) * scale);
  const auto right = std::max(left + (from == to ? 0 : 1), std::lround(std::max(from, to) * scale));
  return std::string(static_cast<std::size_t>(left), ' ') +
         std::string(static_cast<std::size_t>(right - left), to < from ? '-' : '+');
}

}  // namespace

void add_waterfall(const Waterfall& waterfall, const std::function<std::string(Seconds)>& text,
                   Page& page) {
  constexpr double kRounding = 1e-12;
  const double from = waterfall.from.value;
  const double longest = std::max(from, waterfall.to.value);
  double highest = longest;
  double running = from;
  for (const auto& [name, change] : waterfall.parts) {
    running += change.value;
    highest = std::max(highest, running);
  }
  const double scale = highest > 0 ? kBarWidth / highest : 0;
  const auto signed_text = [&](Seconds change) {
    return fmt::format("{}{}", change > Seconds{} ? "+" : "", text(change));
  };
  const auto row = [&](std::string_view name, Seconds change, const std::string& bar) {
    page.line("  {:<22} {:>10} {:>10}  {}", name, signed_text(change),
              from > 0 ? signed_percent(change.value / from) : "", bar);
  };
  const auto total = [&](Seconds time) {
    const auto width = static_cast<std::size_t>(std::lround(time.value * scale));
    page.line("  {:<22} {:>10} {:>10}  {}", waterfall.what, text(time), "",
              std::string(width, '='));
  };
  total(waterfall.from);
  running = from;
  for (const auto& [name, change] : waterfall.parts) {
    if (std::abs(change.value) >= kRounding * longest && change.value != 0) {
      row(name, change, step_bar(running, running + change.value, scale));
      running += change.value;
    }
  }
  total(waterfall.to);
  row("difference", waterfall.to - waterfall.from, "");
}

}  // namespace danlu
