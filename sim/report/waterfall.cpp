#include "sim/report/waterfall.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "sim/report/page.hpp"

namespace danlu {
namespace {

/// The running total as a bar that starts where the last one ended.
std::string step_bar(double from, double to, double scale) {
  const auto left = std::lround(std::min(from, to) * scale);
  const auto right = std::max(left + (from == to ? 0 : 1), std::lround(std::max(from, to) * scale));
  return std::string(static_cast<std::size_t>(left), ' ') +
         std::string(static_cast<std::size_t>(right - left), to < from ? '-' : '+');
}

std::string bar_of(double length, double scale) {
  return std::string(static_cast<std::size_t>(std::lround(length * scale)), '=');
}

/// "+1.665 s", "-2.000 d".
Figure with_sign(Figure figure) {
  if (std::get<double>(figure.value) > 0) {
    figure.text.insert(0, "+");
  }
  return figure;
}

}  // namespace

std::vector<Column> waterfall_columns() {
  return {{"", "", 22, true},
          {"", "change", 10},
          {"", "share", 10},
          {"", "", 0, true, "  ", Shown::PageOnly}};
}

std::vector<Row> waterfall_rows(const Waterfall& waterfall) {
  constexpr double kRounding = 1e-12;
  const double from = waterfall.from.value;
  const double longest = std::max(from, waterfall.to.value);
  double highest = longest;
  double running = from;
  for (const WaterfallPart& part : waterfall.parts) {
    running += part.change.value;
    highest = std::max(highest, running);
  }
  const double scale = highest > 0 ? kBarWidth / highest : 0;
  std::vector<Row> rows;
  const auto add_total = [&](Seconds time) {
    rows.push_back({.label = waterfall.what,
                    .cells = {waterfall.figure(time), Figure::absent(""),
                              Figure::words(bar_of(time.value, scale))}});
  };
  const auto add_change = [&](std::string key, std::string label, Seconds change,
                              const std::string& bar, Shown shown) {
    const double part = change.value / from;
    rows.push_back(
        {.key = std::move(key),
         .label = std::move(label),
         .cells = {with_sign(waterfall.figure(change)),
                   from > 0 ? Figure::number(part, signed_percent(part)) : Figure::absent(""),
                   Figure::words(bar)},
         .shown = shown});
  };
  add_change(waterfall.key, "difference", waterfall.to - waterfall.from, "", Shown::OffPage);
  add_total(waterfall.from);
  running = from;
  for (const WaterfallPart& part : waterfall.parts) {
    const double change = part.change.value;
    const bool differs = std::abs(change) >= kRounding * longest && change != 0;
    add_change(part.key, part.label, part.change,
               differs ? step_bar(running, running + change, scale) : "",
               differs ? Shown::Everywhere : Shown::OffPage);
    running += differs ? change : 0;
  }
  add_total(waterfall.to);
  add_change("", "difference", waterfall.to - waterfall.from, "", Shown::PageOnly);
  return rows;
}

}  // namespace danlu
