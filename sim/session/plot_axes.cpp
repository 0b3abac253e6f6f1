#include "sim/session/plot_axes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/base/error.hpp"
#include "sim/base/text.hpp"

namespace danlu {
namespace {

[[noreturn]] void refuse_plot(std::string message, std::string hint) {
  throw InputError(Problem{{"--axes", 0, 0}, std::move(message), std::move(hint), ""});
}

/// "did you mean ...", or what there is.
std::string what_there_is(std::string_view word, const std::vector<std::string>& known) {
  const std::vector<std::string_view> candidates(known.begin(), known.end());
  const std::string_view near = nearest(word, candidates);
  return near.empty() ? fmt::format("there is {}", join(candidates, ", "))
                      : fmt::format("did you mean '{}'?", near);
}

SweepPlot read_parts(std::string_view text) {
  SweepPlot plot;
  for (const std::string_view part : split(text, ',')) {
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string_view name = part.substr(0, equals);
    std::string* place = name == "x"    ? &plot.across
                         : name == "y"  ? &plot.figure
                         : name == "by" ? &plot.by
                                        : nullptr;
    if (place == nullptr || equals + 1 >= part.size()) {
      refuse_plot(fmt::format("expected x=KEY, y=FIGURE or by=KEY, found '{}'", shown(part)),
                  "for example --axes x=cluster.gpus,y=step.mfu,by=cluster.topology");
    }
    if (!place->empty()) {
      refuse_plot(fmt::format("{} is given twice", name), "leave one of the two out");
    }
    *place = part.substr(equals + 1);
  }
  return plot;
}

/// The last key of several values that is not `other`, or "".
std::string last_varied(const std::vector<SweepAxis>& axes, const std::string& other) {
  const auto last = std::find_if(axes.rbegin(), axes.rend(), [&](const SweepAxis& axis) {
    return axis.key != other && axis.values.size() > 1;
  });
  return last == axes.rend() ? "" : last->key;
}

}  // namespace

SweepPlot read_plot_axes(std::string_view text, const std::vector<SweepAxis>& axes,
                         const std::vector<std::string>& names) {
  SweepPlot plot = text.empty() ? SweepPlot{} : read_parts(text);
  std::vector<std::string> keys;
  for (const SweepAxis& axis : axes) {
    keys.push_back(axis.key);
  }
  for (const std::string& key : {plot.across, plot.by}) {
    if (!key.empty() && std::find(keys.begin(), keys.end(), key) == keys.end()) {
      refuse_plot(fmt::format("'{}' is no key of the sweep", shown(key)), what_there_is(key, keys));
    }
  }
  if (!plot.across.empty() && plot.across == plot.by) {
    refuse_plot(fmt::format("x and by are both {}", shown(plot.across)), "leave by out");
  }
  if (plot.across.empty()) {
    const std::string varied = last_varied(axes, plot.by);
    plot.across = varied.empty() && axes.back().key != plot.by ? axes.back().key : varied;
  }
  if (plot.across.empty()) {
    refuse_plot(fmt::format("there is no other key than by={} to go across", shown(plot.by)),
                fmt::format("for example --axes x={}", shown(plot.by)));
  }
  plot.by = plot.by.empty() ? last_varied(axes, plot.across) : plot.by;
  plot.figure = plot.figure.empty() ? names.front() : plot.figure;
  for (const SweepAxis& axis : axes) {
    if (axis.key == plot.by && axis.values.size() > kMostPlotLines) {
      refuse_plot(fmt::format("{} lines, one for each {}, cannot be told apart; {} can",
                              axis.values.size(), shown(axis.key), kMostPlotLines),
                  "a sweep of fewer values, or that key as x");
    }
    if (axis.key != plot.across && axis.key != plot.by && axis.values.size() > 1) {
      refuse_plot(fmt::format("points differ in {}, which has {} values and is neither x nor by",
                              shown(axis.key), axis.values.size()),
                  fmt::format("a sweep of one of them, as in --over {}={}", shown(axis.key),
                              shown(axis.values.front())));
    }
  }
  return plot;
}

void check_plotted(const SweepReport& sweep, const SweepPlot& plot) {
  const auto name = std::find(sweep.names.begin(), sweep.names.end(), plot.figure);
  if (name == sweep.names.end()) {
    refuse_plot(fmt::format("'{}' is no figure of the sweep", shown(plot.figure)),
                what_there_is(plot.figure, sweep.names));
  }
  const auto figure = static_cast<std::size_t>(name - sweep.names.begin());
  for (const SweepPoint& point : sweep.points) {
    const FigureValue& value = point.figures[figure].value;
    if (std::holds_alternative<bool>(value) || std::holds_alternative<std::string>(value)) {
      refuse_plot(fmt::format("'{}' is no number: {}", shown(plot.figure),
                              shown(point.figures[figure].text)),
                  "for example y=step.time_s");
    }
  }
}

}  // namespace danlu
