// A map of plans as SVG: two axes, a cell for each two values, its colour the best step there from
// the fastest (dark) to the slowest (pale), hatched where no plan fits.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "sim/base/svg.hpp"
#include "sim/base/text.hpp"
#include "sim/report/page.hpp"
#include "sim/report/search_report.hpp"

namespace danlu {
namespace {

// In pixels.
constexpr double kMapLeft = 110;
constexpr double kMapTop = 84;
constexpr double kCellWidth = 84;
constexpr double kCellHeight = 34;
constexpr double kMapBelow = 56;
constexpr double kWordsBelow = 5;  // baseline below the middle

constexpr std::string_view kMapStyle =
    ".c{fill:#10202e;text-anchor:middle}.l{fill:#fff;text-anchor:middle}\n"
    ".none{fill:none;stroke:#d0d7de}.best{fill:none;stroke:#d64550;stroke-width:3}\n";
constexpr std::string_view kMapDark = ".none{stroke:#30363d}\n";
constexpr std::string_view kMapDefs = R"svg(<pattern id="no" width="7" height="7"
patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="7" height="7"
fill="#e7eaee"/><path d="M0 0V7" stroke="#8b949e" stroke-width="2"/></pattern>)svg";

/// From dark green at 0 to pale at 1.
std::string colour_at(double share) {
  const auto mixed = [&](double dark, double pale) {
    return static_cast<int>(std::lround(dark + share * (pale - dark)));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", mixed(35, 240), mixed(120, 240), mixed(80, 205));
}

std::string name_of_key(std::string_view key) {
  return std::string(key.substr(key.find('.') + 1));
}

}  // namespace

std::string write_map_svg(const SearchReport& search) {
  const PlanMap& map = search.map;
  double least = 1e300, most = 0;
  for (const MapCell& cell : map.cells) {
    if (cell.step) {
      least = std::min(least, cell.step->value);
      most = std::max(most, cell.step->value);
    }
  }
  const auto columns = static_cast<double>(map.across_values.size());
  const auto rows = static_cast<double>(map.down_values.size());
  const double width = std::max(kMapLeft + columns * kCellWidth + 20, 640.0);
  const double height = kMapTop + rows * kCellHeight + kMapBelow;
  SvgDrawing drawing{
      .width = width,
      .height = height,
      .title = fmt::format("{}: best step", search.scenario),
      .description = fmt::format("{} down, {} across: the darker, the shorter the best step there; "
                                 "the best of all has a frame",
                                 name_of_key(map.down), name_of_key(map.across)),
      .style = kMapStyle,
      .dark = kMapDark,
      .defs = kMapDefs,
      .body = {}};
  std::string& svg = drawing.body;
  const auto words = [&](double x, double y, std::string_view kind, const std::string& text) {
    svg += svg_words(x, y, kind, text);
  };
  words(16, 26, "h", drawing.title);
  words(16, 46, "",
        fmt::format("{} down, {} across", name_of_key(map.down), name_of_key(map.across)));
  for (std::size_t column = 0; column < map.across_values.size(); ++column) {
    words(kMapLeft + (static_cast<double>(column) + 0.5) * kCellWidth, kMapTop - 8, "m",
          map.across_values[column]);
  }
  for (std::size_t row = 0; row < map.down_values.size(); ++row) {
    const double y = kMapTop + static_cast<double>(row) * kCellHeight;
    words(kMapLeft - 10, y + kCellHeight / 2 + kWordsBelow, "e", map.down_values[row]);
    for (std::size_t column = 0; column < map.across_values.size(); ++column) {
      const MapCell& cell = map.at(row, column);
      const double x = kMapLeft + static_cast<double>(column) * kCellWidth;
      const double share =
          cell.step && most > least ? std::sqrt((cell.step->value - least) / (most - least)) : 0;
      const std::string fill = cell.plans == 0 ? "none" : cell.step ? colour_at(share) : "url(#no)";
      svg += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" {}/>\n", x + 1, y + 1,
          kCellWidth - 2, kCellHeight - 2,
          cell.plans == 0 ? std::string("class=\"none\"") : fmt::format("fill=\"{}\"", fill));
      if (cell.step) {
        constexpr double kDark = 0.4;
        words(x + kCellWidth / 2, y + kCellHeight / 2 + kWordsBelow, share < kDark ? "l" : "c",
              fmt::format("{}{}", cell.certain ? "" : ">", to_text(*cell.step)));
        if (cell.step->value == least) {
          svg += fmt::format(
              "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" "
              "class=\"best\"/>\n",
              x + 1, y + 1, kCellWidth - 2, kCellHeight - 2);
        }
      }
    }
  }
  words(16, height - 18, "",
        "hatched: no plan fits in memory; empty: none can run; >: the best there takes longer; "
        "-: without effect");
  return svg_text(drawing);
}

}  // namespace danlu
