#include "sim/validation/plot_svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <utility>

#include "sim/base/error.hpp"
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

constexpr std::array<std::string_view, 10> kColours{"#4477aa", "#ee6677", "#228833", "#ccbb44",
                                                    "#66ccee", "#aa3377", "#ee8833", "#44aa99",
                                                    "#882255", "#999933"};
constexpr std::string_view kOthersColour = "#9aa0a6";

constexpr std::string_view kPlotStyle = R"(<style>
text{font:12px system-ui,sans-serif;fill:#1f2328}.h{font-weight:600;font-size:15px}
.m{text-anchor:middle}.e{text-anchor:end}.page{fill:#fff}
.grid{stroke:#e7eaee}.same{stroke:#1f2328}.off{stroke:#8b949e;stroke-dasharray:5 4}
circle{fill-opacity:.75}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}.grid{stroke:#262c36}
.same{stroke:#e6edf3}}
</style>
)";

/// Decades from `least` to `most`, which both axes show.
struct Decades {
  int least = 0, most = 1;

  double place(double value) const {
    return kPlotSide * (std::log10(value) - least) / (most - least);
  }
  double x(double value) const { return kPlotLeft + place(value); }
  double y(double value) const { return kPlotTop + kPlotSide - place(value); }
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
  sources.resize(std::min(sources.size(), kColours.size()));
  return sources;
}

std::string line_between(const Decades& axes, double from, double to, std::string_view style) {
  // y = factor x within the square: `from` and `to` are factors of the diagonal's ends.
  const double low = std::pow(10, axes.least);
  const double high = std::pow(10, axes.most);
  return fmt::format(R"(<line class="{}" x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}"/>)"
                     "\n",
                     style, axes.x(low * from), axes.y(low * to), axes.x(high / to),
                     axes.y(high / from));
}

std::string axes_svg(const Decades& axes) {
  std::string svg;
  const double end = kPlotLeft + kPlotSide;
  const double foot = kPlotTop + kPlotSide;
  for (int decade = axes.least; decade <= axes.most; ++decade) {
    const double value = std::pow(10, decade);
    const std::string label = xml_text(to_text(Seconds{value}));
    svg += fmt::format(R"(<line class="grid" x1="{0:.1f}" y1="{1}" x2="{0:.1f}" y2="{2}"/>)"
                       "\n",
                       axes.x(value), kPlotTop, foot);
    svg += fmt::format(R"(<line class="grid" x1="{1}" y1="{0:.1f}" x2="{2}" y2="{0:.1f}"/>)"
                       "\n",
                       axes.y(value), kPlotLeft, end);
    svg += fmt::format(R"(<text class="m" x="{:.1f}" y="{}">{}</text>)"
                       "\n",
                       axes.x(value), foot + 18, label);
    svg += fmt::format(R"(<text class="e" x="{}" y="{:.1f}">{}</text>)"
                       "\n",
                       kPlotLeft - 8, axes.y(value) + 4, label);
  }
  svg += line_between(axes, 1, 1, "same");
  svg += line_between(axes, 1, 1 + kOffDiagonal, "off");
  svg += line_between(axes, 1 + kOffDiagonal, 1, "off");
  svg += fmt::format(R"(<text class="m" x="{}" y="{}">published</text>)"
                     "\n",
                     kPlotLeft + kPlotSide / 2, foot + 42);
  svg += fmt::format(
      R"svg(<text class="m" transform="translate(18 {}) rotate(-90)">simulated</text>)svg"
      "\n",
      kPlotTop + kPlotSide / 2);
  return svg;
}

}  // namespace

std::string plot_svg(const Validation& validation) {
  const std::vector<ValidationPoint>& points = validation.points;
  check(!points.empty(), "a drawing needs points");
  const Decades axes = decades_of(points);
  const auto sources = coloured_sources(points);
  const double width = kPlotLeft + kPlotSide + kLegendWidth;
  const double height = kPlotTop + kPlotSide + kPlotBelow;
  const ErrorStatistics all = error_statistics(points);
  std::string svg =
      fmt::format(R"(<svg xmlns="http://www.w3.org/2000/svg" width="{0}" height="{1}" )"
                  R"(viewBox="0 0 {0} {1}">)"
                  "\n{2}<rect class=\"page\" width=\"{0}\" height=\"{1}\"/>\n",
                  width, height, kPlotStyle);
  svg += fmt::format(R"(<text class="h" x="{}" y="28">{} rows of '{}': median error {:.1f} %, )"
                     R"(mean {:+.1f} %</text>)"
                     "\n",
                     kPlotLeft, all.rows, xml_text(validation.table),
                     100 * all.median_abs.value_or(0), 100 * all.mean.value_or(0));
  svg += axes_svg(axes);

  std::map<std::string_view, std::string_view> colours;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    colours[sources[i].first] = kColours[i];
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
  return svg + "</svg>\n";
}

}  // namespace danlu
