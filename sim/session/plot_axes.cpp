#include "sim/session/plot_axes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
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

/// Whether each value of a key stands once, so that it says which point is meant.
bool is_distinct(const SweepAxis& axis) {
  return std::set<std::string>(axis.values.begin(), axis.values.end()).size() == axis.values.size();
}

/// The place of a key, which is one of the sweep.
std::size_t place_of(const std::vector<SweepAxis>& axes, const std::string& key) {
  return static_cast<std::size_t>(
      std::find_if(axes.begin(), axes.end(),
                   [&](const SweepAxis& axis) { return axis.key == key; }) -
      axes.begin());
}

/// Whether two keys are one, or change together.
bool change_together(const std::vector<SweepAxis>& axes, const std::string& a,
                     const std::string& b) {
  return first_together(axes, place_of(axes, a)) == first_together(axes, place_of(axes, b));
}

/// The last key of several values that does not change with `other`, or "". Of keys that change
/// together the first whose values are all different.
std::string last_varied(const std::vector<SweepAxis>& axes, const std::string& other) {
  std::string found;
  std::size_t first = axes.size();  // of those that change together with what was found
  for (std::size_t i = axes.size(); i-- > 0;) {
    const bool free = other.empty() || !change_together(axes, axes[i].key, other);
    const bool same = first_together(axes, i) == first;
    if (free && axes[i].values.size() > 1 && (found.empty() || (same && is_distinct(axes[i])))) {
      found = axes[i].key;
      first = first_together(axes, i);
    }
  }
  return found;
}

/// A key that is drawn has to tell points apart.
void check_distinct(std::string_view part, const SweepAxis& axis) {
  if (!is_distinct(axis)) {
    refuse_plot(fmt::format("{}={} has one value in several rows that differ in what changes "
                            "together with it",
                            part, shown(axis.key)),
                "a key that has another value in each row");
  }
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
  if (!plot.by.empty() && change_together(axes, plot.across, plot.by)) {
    refuse_plot(fmt::format("x={} and by={} change together", shown(plot.across), shown(plot.by)),
                "leave by out");
  }
  plot.by = plot.by.empty() ? last_varied(axes, plot.across) : plot.by;
  check_distinct("x", axes[place_of(axes, plot.across)]);
  if (!plot.by.empty()) {
    check_distinct("by", axes[place_of(axes, plot.by)]);
  }
  plot.figure = plot.figure.empty() ? names.front() : plot.figure;
  for (const SweepAxis& axis : axes) {
    if (axis.key == plot.by && axis.values.size() > kMostPlotLines) {
      refuse_plot(fmt::format("{} lines, one for each {}, cannot be told apart; {} can",
                              axis.values.size(), shown(axis.key), kMostPlotLines),
                  "a sweep of fewer values, or that key as x");
    }
    const bool drawn = change_together(axes, axis.key, plot.across) ||
                       (!plot.by.empty() && change_together(axes, axis.key, plot.by));
    if (!drawn && axis.values.size() > 1) {
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
