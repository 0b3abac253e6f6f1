// Points of a sweep as SVG: a key across, a figure upwards, a line for each value of another key.
//
//   step.time_s (s)
//   10 |  o                  o  does not fit: hollow
//      |    .                   a point that is not there breaks its line
//    5 |  x  . o     o
//    0 |______x____x_____
//        16  32   64         numbers to scale, words a place each
//           cluster.gpus
//
// The axis of figures begins at 0, but not where they all lie in the upper half, unless they are as
// good as equal; it is logarithmic where the most is ten times the least.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sim/base/error.hpp"
#include "sim/base/plot_scale.hpp"
#include "sim/base/svg.hpp"
#include "sim/base/text.hpp"
#include "sim/base/units.hpp"
#include "sim/base/xml_text.hpp"
#include "sim/report/page.hpp"
#include "sim/report/sweep_report.hpp"

namespace danlu {
namespace {

// In pixels.
constexpr double kLinesLeft = 90;
constexpr double kLinesTop = 70;
constexpr double kLinesWidth = 560;
constexpr double kLinesHeight = 360;
constexpr double kLinesBelow = 64;
constexpr double kKeysWidth = 300;  // of the legend, to the right
constexpr double kKeyLine = 20;
constexpr double kInset = 20;  // of numbers from the ends of their axis
constexpr double kMiddle = 4;  // baseline below the middle of words
constexpr double kLetter = 7;  // about
constexpr double kLinesFoot = kLinesTop + kLinesHeight;
constexpr double kLinesEnd = kLinesLeft + kLinesWidth;

constexpr std::string_view kLinesStyle =
    ".line{fill:none;stroke-width:2}circle{stroke-width:2}.axis{stroke:#8b949e}\n";
// The colours are used again with other dashes.
constexpr std::array<std::string_view, 3> kDashes{"none", "8 4", "2 3"};
static_assert(kMostPlotLines == kSvgColours.size() * kDashes.size());

std::string colour_of_line(std::size_t line) {
  return std::string(kSvgColours[line % kSvgColours.size()]);
}

std::optional<double> number_of(const Figure& figure) {
  if (const double* number = std::get_if<double>(&figure.value)) {
    return *number;
  }
  if (const std::uint64_t* count = std::get_if<std::uint64_t>(&figure.value)) {
    return static_cast<double>(*count);
  }
  return std::nullopt;
}

/// The unit that an axis is marked in.
struct AxisUnit {
  double factor = 1;
  std::string name;
};

/// That of the words of a figure, "27.82 GiB", where they are its value in a unit that is known;
/// else the figure's own, which its name says.
AxisUnit unit_of(double value, const std::string& words) {
  const std::size_t blank = words.find(' ');
  const std::optional<double> number = parse_number(words.substr(0, blank));
  if (blank == std::string::npos || !number) {
    return {};
  }
  constexpr double kRounded = 0.01;
  const std::string name = words.substr(blank + 1);
  const auto is_unit = [&](double factor) {
    return std::abs(*number * factor - value) <= kRounded * std::abs(value);
  };
  if (name == "%" && is_unit(0.01)) {
    return {0.01, name};
  }
  for (const Dimension dimension : {Dimension::Size, Dimension::Bandwidth, Dimension::Duration,
                                    Dimension::ComputeRate, Dimension::Power}) {
    const std::optional<ParsedQuantity> unit = parse_quantity("1 " + name, dimension);
    if (unit && is_unit(unit->value)) {
      return {unit->value, name};
    }
  }
  return {};
}

std::string tick_words(double value) {
  constexpr double kThousand = 1000;
  constexpr double kLong = 1e7;
  const double size = std::abs(value);
  return size >= kThousand && size < kLong ? thousands(value) : fmt::format("{:.6g}", value);
}

/// The values of a key and where they stand.
struct Across {
  std::vector<double> places;      // of each value
  std::vector<std::size_t> order;  // from left to right
  bool logarithmic = false;
  double room = kLinesWidth;  // for the words of a value
};

/// Numbers to scale, where there are two at least; words at equal distances.
Across places_of(const std::vector<std::string>& values) {
  Across across;
  across.order.resize(values.size());
  std::iota(across.order.begin(), across.order.end(), std::size_t{0});
  std::vector<double> numbers;
  for (const std::string& value : values) {
    if (const std::optional<double> number = parse_number(value)) {
      numbers.push_back(*number);
    }
  }
  std::vector<double> rising = numbers;
  std::sort(rising.begin(), rising.end());
  rising.erase(std::unique(rising.begin(), rising.end()), rising.end());
  if (numbers.size() < values.size() || rising.size() < 2) {
    across.room = kLinesWidth / static_cast<double>(values.size());
    for (const std::size_t i : across.order) {
      across.places.push_back(kLinesLeft + (static_cast<double>(i) + 0.5) * across.room);
    }
    return across;
  }
  across.logarithmic = go_by_a_factor(rising);
  const PlotScale scale{rising.front(), rising.back(), kLinesLeft + kInset, kLinesEnd - kInset,
                        across.logarithmic};
  for (const double number : numbers) {
    across.places.push_back(scale.at(number));
  }
  std::stable_sort(across.order.begin(), across.order.end(),
                   [&](std::size_t a, std::size_t b) { return numbers[a] < numbers[b]; });
  return across;
}

/// The figures' axis, in its unit.
struct Upwards {
  PlotScale scale;
  std::vector<double> ticks;
  AxisUnit unit;

  double at(double value) const { return scale.at(value / unit.factor); }
};

/// One class: all parts of the drawing share its axes.
class SweepLines {
 public:
  SweepLines(const SweepReport& sweep, const SweepPlot& plot) : sweep_(sweep), plot_(plot) {
    across_axis_ = axis_named(plot.across);
    by_axis_ = plot.by.empty() ? std::nullopt : std::optional(axis_named(plot.by));
    const auto name = std::find(sweep.names.begin(), sweep.names.end(), plot.figure);
    check(name != sweep.names.end(), "what is drawn is a figure of the sweep");
    figure_ = static_cast<std::size_t>(name - sweep.names.begin());
    across_ = places_of(values_across());
    upwards_ = upwards();
  }

  std::string text() {
    add_axes();
    for (std::size_t line = 0; line < lines(); ++line) {
      add_line(line);
    }
    add_legend();
    std::string title = fmt::format("Sweep of {}: {}", sweep_.scenario, plot_.figure);
    body_ += svg_words(16, 26, "h", title);
    if (const std::string words = settled(); !words.empty()) {
      body_ += svg_words(16, 46, "", words);
    }
    return svg_text({.width = kLinesEnd + kKeysWidth,
                     .height = std::max(kLinesFoot + kLinesBelow, y_ + kKeyLine),
                     .title = std::move(title),
                     .description = description(),
                     .style = kLinesStyle,
                     .dark = {},
                     .defs = {},
                     .body = std::move(body_)});
  }

 private:
  std::size_t axis_named(const std::string& key) const {
    const auto axis = std::find_if(sweep_.axes.begin(), sweep_.axes.end(),
                                   [&](const SweepAxis& one) { return one.key == key; });
    check(axis != sweep_.axes.end(), "what is drawn is a key of the sweep");
    return static_cast<std::size_t>(axis - sweep_.axes.begin());
  }
  const std::vector<std::string>& values_across() const { return sweep_.axes[across_axis_].values; }
  std::size_t lines() const { return by_axis_ ? sweep_.axes[*by_axis_].values.size() : 1; }

  /// Whether a key changes with that across, or with that which tells lines apart.
  bool goes_across(std::size_t axis) const {
    return first_together(sweep_.axes, axis) == first_together(sweep_.axes, across_axis_);
  }
  bool tells_apart(std::size_t axis) const {
    return by_axis_ && first_together(sweep_.axes, axis) == first_together(sweep_.axes, *by_axis_);
  }

  std::optional<double> value_of(const SweepPoint& point) const {
    return number_of(point.figures[figure_]);
  }

  /// The point of a line at a value of the key across; others have one value.
  const SweepPoint& point_of(std::size_t line, std::size_t value) const {
    std::size_t number = 0;  // the last axis varies fastest
    for (std::size_t axis = 0; axis < sweep_.axes.size(); ++axis) {
      if (!sweep_.axes[axis].together) {
        number = number * sweep_.axes[axis].values.size() + (goes_across(axis)   ? value
                                                             : tells_apart(axis) ? line
                                                                                 : 0);
      }
    }
    return sweep_.points[number];
  }

  Upwards upwards() const {
    constexpr int kSteps = 6;
    constexpr double kTenTimes = 10;
    constexpr double kEqual = 1e-4;  // which six digits of a mark tell apart
    const SweepPoint* highest = nullptr;
    std::optional<double> least;
    for (const SweepPoint& point : sweep_.points) {
      if (const std::optional<double> value = value_of(point)) {
        least = std::min(least.value_or(*value), *value);
        highest = highest == nullptr || *value > *value_of(*highest) ? &point : highest;
      }
    }
    if (highest == nullptr) {
      return {};
    }
    const double most = *value_of(*highest);
    Upwards axis{.scale = {}, .ticks = {}, .unit = unit_of(most, highest->figures[figure_].text)};
    const double low = *least / axis.unit.factor;
    const double high = most / axis.unit.factor;
    const bool logarithmic = low > 0 && high >= kTenTimes * low;
    axis.ticks = logarithmic ? logarithmic_ticks(low, high)
                 : low > high / 2 && high - low > kEqual * high
                     ? linear_ticks(low, high, kSteps)
                     : linear_ticks(std::min(low, 0.0), std::max(high, 0.0), kSteps);
    axis.scale = {axis.ticks.front(), axis.ticks.back(), kLinesFoot, kLinesTop, logarithmic};
    return axis;
  }

  void add_axes() {
    for (const double tick : upwards_.ticks) {
      const double y = upwards_.scale.at(tick);
      body_ += svg_line("grid", kLinesLeft, y, kLinesEnd, y);
      body_ += svg_words(kLinesLeft - 8, y + kMiddle, "e", tick_words(tick));
    }
    if (upwards_.ticks.empty()) {
      body_ += svg_words(kLinesLeft + kLinesWidth / 2, kLinesTop + kLinesHeight / 2, "m",
                         "no point has this figure");
    }
    body_ += svg_line("axis", kLinesLeft, kLinesFoot, kLinesEnd, kLinesFoot);
    double taken = 0;  // up to here, by words
    for (const std::size_t value : across_.order) {
      constexpr double kFewest = 6;
      const double place = across_.places[value];
      const double letters = std::max(kFewest, across_.room / kLetter - 1);
      const std::string words = shown(values_across()[value], static_cast<std::size_t>(letters));
      const double half = static_cast<double>(words.size()) * kLetter / 2;
      body_ += svg_line("axis", place, kLinesFoot, place, kLinesFoot + 5);
      if (place - half >= taken) {
        body_ += svg_words(place, kLinesFoot + 20, "m", words);
        taken = place + half + kLetter;
      }
    }
    body_ += svg_words(kLinesLeft + kLinesWidth / 2, kLinesFoot + 46, "m",
                       plot_.across + (across_.logarithmic ? " (logarithmic)" : ""));
    body_ += svg_words_upwards(18, kLinesTop + kLinesHeight / 2, figure_words());
  }

  /// "step.time_s (s, logarithmic)"
  std::string figure_words() const {
    const std::string& unit = upwards_.unit.name;
    const std::string_view logarithmic = upwards_.scale.logarithmic ? "logarithmic" : "";
    const std::string_view comma = !unit.empty() && !logarithmic.empty() ? ", " : "";
    const std::string more = fmt::format("{}{}{}", unit, comma, logarithmic);
    return plot_.figure + (more.empty() ? "" : fmt::format(" ({})", more));
  }

  void add_line(std::size_t line) {
    std::string path, dots;
    bool goes_on = false;
    for (const std::size_t value : across_.order) {
      const SweepPoint& point = point_of(line, value);
      const std::optional<double> figure = value_of(point);
      if (figure) {
        const double x = across_.places[value];
        const double y = upwards_.at(*figure);
        path += fmt::format("{}{:.1f},{:.1f}", goes_on ? 'L' : 'M', x, y);
        const bool fits = point.status != SweepPoint::Status::NoFit;
        dots += dot(line, x, y, fits,
                    fmt::format("{}: {}{}", fmt::join(point.values, ", "),
                                point.figures[figure_].text, fits ? "" : ", does not fit"));
      }
      goes_on = figure.has_value();
    }
    if (!path.empty()) {
      add_path(line, path);
    }
    body_ += dots;
  }

  void add_path(std::size_t line, std::string_view path) {
    body_ += fmt::format("<path class=\"line\" stroke=\"{}\" stroke-dasharray=\"{}\" d=\"{}\"/>\n",
                         colour_of_line(line), kDashes[line / kSvgColours.size()], path);
  }

  static std::string dot(std::size_t line, double x, double y, bool fits,
                         const std::string& words) {
    const std::string colour = colour_of_line(line);
    return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\" {} stroke=\"{}\">{}</circle>\n",
                       x, y, fits ? fmt::format("fill=\"{}\"", colour) : "class=\"page\"", colour,
                       words.empty() ? "" : fmt::format("<title>{}</title>", xml_text(words)));
  }

  void add_legend() {
    constexpr double kSwatch = 28;
    const double left = kLinesEnd + 24;
    const auto next = [&](double x, const std::string& words) {
      body_ += svg_words(x, y_ + kMiddle, "", words);
      y_ += kKeyLine;
    };
    y_ = kLinesTop;
    if (by_axis_) {
      next(left, plot_.by);
      for (std::size_t line = 0; line < lines(); ++line) {
        add_path(line, fmt::format("M{:.1f},{:.1f}h{:.1f}", left, y_, kSwatch));
        body_ += dot(line, left + kSwatch / 2, y_, true, "");
        next(left + kSwatch + 8, shown(sweep_.axes[*by_axis_].values[line], 32));
      }
      y_ += kKeyLine / 2;
    }
    for (const std::string& words : marks()) {
      next(left, words);
    }
  }

  /// What became of the points that are not as others.
  std::vector<std::string> marks() const {
    using Status = SweepPoint::Status;
    const auto count = [&](bool drawn, auto&& is) {
      return std::count_if(sweep_.points.begin(), sweep_.points.end(), [&](const SweepPoint& p) {
        return value_of(p).has_value() == drawn && is(p.status);
      });
    };
    std::vector<std::string> words;
    if (const auto hollow = count(true, [](Status is) { return is == Status::NoFit; })) {
      words.push_back(fmt::format("hollow: does not fit in memory ({})", hollow));
    }
    for (const auto& [status, name] : kNames<Status>) {
      const bool played = status == Status::Ran || status == Status::NoFit;
      if (const auto absent = count(false, [&, of = status](Status is) { return is == of; })) {
        words.push_back(
            fmt::format("not drawn: {} {}{}", absent, name, played ? " without this figure" : ""));
      }
    }
    return words;
  }

  /// The keys with one value that are neither across nor told apart by lines.
  std::string settled() const {
    std::string words;
    for (std::size_t axis = 0; axis < sweep_.axes.size(); ++axis) {
      if (!goes_across(axis) && !tells_apart(axis)) {
        words += fmt::format("{}{} is {}", words.empty() ? "" : ", ", sweep_.axes[axis].key,
                             shown(sweep_.axes[axis].values.front()));
      }
    }
    return words;
  }

  std::string description() const {
    std::string words = fmt::format("{} across, {} upwards", plot_.across, plot_.figure);
    words += by_axis_ ? fmt::format(", a line for each {}", plot_.by) : "";
    for (const std::string& mark : marks()) {
      words += "; " + mark;
    }
    return words;
  }

  const SweepReport& sweep_;
  const SweepPlot& plot_;
  std::size_t across_axis_ = 0, figure_ = 0;
  std::optional<std::size_t> by_axis_;
  Across across_;
  Upwards upwards_;
  double y_ = 0;  // down to here, of the legend
  std::string body_;
};

}  // namespace

std::string write_sweep_svg(const SweepReport& sweep, const SweepPlot& plot) {
  return SweepLines(sweep, plot).text();
}

}  // namespace danlu
