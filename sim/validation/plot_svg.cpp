#include "sim/validation/plot_svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/base/plot_scale.hpp"
#include "sim/base/svg.hpp"
#include "sim/base/text.hpp"
#include "sim/base/units.hpp"
#include "sim/base/xml_text.hpp"

namespace danlu {
namespace {

// In pixels.
constexpr double kPlotLeft = 90;
constexpr double kPlotTop = 50;
constexpr double kPlotSide = 560;
constexpr double kPlotBelow = 60;
constexpr double kLegendWidth = 470;
constexpr double kLegendLine = 18;
constexpr double kDot = 3;
constexpr double kOffDiagonal = 0.25;

constexpr std::string_view kOthersColour = "#9aa0a6";

constexpr std::string_view kPlotStyle =
    "text{font-size:12px}.same{stroke:#1f2328}.off{stroke:#8b949e;stroke-dasharray:5 4}\n"
    "circle{fill-opacity:.75}\n";
constexpr std::string_view kPlotDark = ".same{stroke:#e6edf3}\n";

/// Decades, which both axes show.
struct Decades {
  int least = 0, most = 1;

  double x(double value) const { return along(value, kPlotLeft, kPlotLeft + kPlotSide); }
  double y(double value) const { return along(value, kPlotTop + kPlotSide, kPlotTop); }
  double along(double value, double from, double to) const {
    return PlotScale{std::pow(10, least), std::pow(10, most), from, to, true}.at(value);
  }
};

Decades decades_of(const std::vector<ValidationPoint>& points) {
  double least = points.front().published;
  double most = least;
  for (const ValidationPoint& point : points) {
    least = std::min({least, point.published, point.simulated});
    most = std::max({most, point.published, point.simulated});
  }
  const int first = static_cast<int>(std::floor(std::log10(least)));
  return {first, std::max(first + 1, static_cast<int>(std::ceil(std::log10(most))))};
}

/// The sources that have a colour of their own: those with most rows.
std::vector<std::pair<std::string, ErrorStatistics>> coloured_sources(
    const std::vector<ValidationPoint>& points) {
  const auto all = error_statistics_by(points, &ValidationPoint::source);
  std::vector<std::pair<std::string, ErrorStatistics>> sources(all.begin(), all.end());
  std::stable_sort(sources.begin(), sources.end(),
                   [](const auto& a, const auto& b) { return a.second.rows > b.second.rows; });
  sources.resize(std::min(sources.size(), kSvgColours.size()));
  return sources;
}

std::string line_between(const Decades& axes, double from, double to, std::string_view style) {
  // y = factor x within the square: `from` and `to` are factors of the diagonal's ends.
  const double low = std::pow(10, axes.least);
  const double high = std::pow(10, axes.most);
  return svg_line(style, axes.x(low * from), axes.y(low * to), axes.x(high / to),
                  axes.y(high / from));
}

std::string axes_svg(const Decades& axes) {
  std::string svg;
  const double end = kPlotLeft + kPlotSide;
  const double foot = kPlotTop + kPlotSide;
  for (int decade = axes.least; decade <= axes.most; ++decade) {
    const double value = std::pow(10, decade);
    const std::string label = to_text(Seconds{value});
    svg += svg_line("grid", axes.x(value), kPlotTop, axes.x(value), foot);
    svg += svg_line("grid", kPlotLeft, axes.y(value), end, axes.y(value));
    svg += svg_words(axes.x(value), foot + 18, "m", label);
    svg += svg_words(kPlotLeft - 8, axes.y(value) + 4, "e", label);
  }
  svg += line_between(axes, 1, 1, "same");
  svg += line_between(axes, 1, 1 + kOffDiagonal, "off");
  svg += line_between(axes, 1 + kOffDiagonal, 1, "off");
  svg += svg_words(kPlotLeft + kPlotSide / 2, foot + 42, "m", "published");
  svg += svg_words_upwards(18, kPlotTop + kPlotSide / 2, "simulated");
  return svg;
}

}  // namespace

std::string plot_svg(const Validation& validation) {
  const std::vector<ValidationPoint>& points = validation.points;
  check(!points.empty(), "a drawing needs points");
  const Decades axes = decades_of(points);
  const auto sources = coloured_sources(points);
  const ErrorStatistics all = error_statistics(points);
  SvgDrawing drawing{
      .width = kPlotLeft + kPlotSide + kLegendWidth,
      .height = kPlotTop + kPlotSide + kPlotBelow,
      .title = fmt::format("{} rows of '{}': median error {:.1f} %, mean {:+.1f} %", all.rows,
                           validation.table, 100 * all.median_abs.value_or(0),
                           100 * all.mean.value_or(0)),
      .description = fmt::format("published times across, simulated times upwards, a dot for each "
                                 "row, a colour for each source; the line is where both are equal, "
                                 "the dashed ones a factor of {:g} off it",
                                 1 + kOffDiagonal),
      .style = kPlotStyle,
      .dark = kPlotDark,
      .defs = {},
      .body = {}};
  std::string& svg = drawing.body;
  svg += svg_words(kPlotLeft, 28, "h", drawing.title);
  svg += axes_svg(axes);

  std::map<std::string_view, std::string_view> colours;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    colours[sources[i].first] = kSvgColours[i];
  }
  for (const ValidationPoint& point : points) {
    const auto found = colours.find(point.source);
    svg += fmt::format(
        R"(<circle cx="{:.1f}" cy="{:.1f}" r="{}" fill="{}"><title>{}: {:+.1f} %</title></circle>)"
        "\n",
        axes.x(point.published), axes.y(point.simulated), kDot,
        found == colours.end() ? kOthersColour : found->second, xml_text(shown(point.id)),
        100 * point.error());
  }
  double y = kPlotTop + kLegendLine / 2;
  const auto add_source = [&](std::string_view colour, const std::string& words) {
    svg += fmt::format(R"(<circle cx="{}" cy="{}" r="5" fill="{}"/><text x="{}" y="{}">{}</text>)"
                       "\n",
                       kPlotLeft + kPlotSide + 24, y, colour, kPlotLeft + kPlotSide + 36, y + 4,
                       xml_text(words));
    y += kLegendLine;
  };
  int rest = all.rows;
  for (const auto& [source, statistics] : sources) {
    rest -= statistics.rows;
    add_source(colours[source],
               fmt::format("{} ({} rows, {:.1f} %)", shown(source), statistics.rows,
                           100 * statistics.median_abs.value_or(0)));
  }
  if (rest > 0) {
    add_source(kOthersColour, fmt::format("other sources ({} rows)", rest));
  }
  return svg_text(drawing);
}

}  // namespace danlu
