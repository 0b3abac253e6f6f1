// The front of step and memory as SVG: memory across, the step upwards. The line is the shortest
// step with so much memory; where it turns, a plan of the front stands.
//
//   step  |      .   . .
//         | o__
//         |    |     .        .  other plans that were played
//         |    o______        o  the front
//         |___________o___
//                   memory
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "sim/base/plot_scale.hpp"
#include "sim/base/svg.hpp"
#include "sim/base/text.hpp"
#include "sim/base/xml_text.hpp"
#include "sim/report/page.hpp"
#include "sim/report/search_report.hpp"

namespace danlu {
namespace {

// In pixels.
constexpr double kFrontLeft = 90;
constexpr double kFrontEnd = 690;
constexpr double kFrontTop = 84;
constexpr double kFrontFoot = 444;
constexpr double kFrontBelow = 84;
constexpr double kBelowMiddle = 4;  // baseline of words

constexpr std::string_view kFrontStyle =
    ".line{fill:none;stroke:#d64550;stroke-width:2}.front{fill:#d64550}.other{fill:#8b949e}\n"
    ".axis{stroke:#8b949e}\n";

struct FrontAxis {
  std::vector<double> ticks;
  PlotScale scale;

  std::string words(std::string_view what, std::string_view unit) const {
    return fmt::format("{} ({}{})", what, unit, scale.logarithmic ? ", logarithmic" : "");
  }
};

/// Logarithmic where the most is some times the least: plans that save the last bit of memory may
/// take far longer than all others.
FrontAxis axis_of(const std::vector<double>& values, double from, double to) {
  constexpr int kSteps = 6;
  constexpr double kSomeTimes = 3;
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  const bool logarithmic = *most > kSomeTimes * *least;
  FrontAxis axis{
      logarithmic ? logarithmic_ticks(*least, *most) : linear_ticks(*least, *most, kSteps), {}};
  axis.scale = {axis.ticks.front(), axis.ticks.back(), from, to, logarithmic};
  return axis;
}

/// One class: axes, line and dots share their scales.
class FrontDrawing {
 public:
  explicit FrontDrawing(const SearchReport& search) : search_(search) {
    std::vector<double> memories, steps;
    for (const FrontPlan& plan : search.front) {
      memories.push_back(gib(plan.memory));
      steps.push_back(plan.step.value);
    }
    for (const auto& [memory, step] : search.behind_front) {
      memories.push_back(gib(memory));
      steps.push_back(step.value);
    }
    across_ = axis_of(memories, kFrontLeft, kFrontEnd);
    upwards_ = axis_of(steps, kFrontFoot, kFrontTop);
  }

  std::string text() {
    add_axes();
    for (const auto& [memory, step] : search_.behind_front) {
      add_dot("other", 2.5, memory, step, fmt::format("{}, {}", to_text(step), to_text(memory)));
    }
    add_front();
    std::string title = fmt::format("{}: step and memory", search_.scenario);
    const std::string what = fmt::format(
        "red: the front ({}), none is as fast with less memory; grey: others that were played ({})",
        search_.front.size(), search_.behind_front.size());
    body_ += svg_words(16, 26, "h", title);
    body_ += svg_words(16, 46, "", what);
    return svg_text({.width = kFrontEnd + 30,
                     .height = kFrontFoot + kFrontBelow,
                     .title = std::move(title),
                     .description = "memory across, the step upwards; " + what,
                     .style = kFrontStyle,
                     .dark = {},
                     .defs = {},
                     .body = std::move(body_)});
  }

 private:
  static double gib(Bytes bytes) { return bytes / 1_GiB; }
  double x(Bytes memory) const { return across_.scale.at(gib(memory)); }
  double y(Seconds step) const { return upwards_.scale.at(step.value); }

  void add_axes() {
    for (const double tick : upwards_.ticks) {
      const double at = upwards_.scale.at(tick);
      body_ += svg_line("grid", kFrontLeft, at, kFrontEnd, at);
      body_ += svg_words(kFrontLeft - 8, at + kBelowMiddle, "e", fmt::format("{:.6g}", tick));
    }
    body_ += svg_line("axis", kFrontLeft, kFrontFoot, kFrontEnd, kFrontFoot);
    for (const double tick : across_.ticks) {
      const double at = across_.scale.at(tick);
      body_ += svg_line("axis", at, kFrontFoot, at, kFrontFoot + 5);
      body_ += svg_words(at, kFrontFoot + 20, "m", fmt::format("{:.6g}", tick));
    }
    body_ += svg_words((kFrontLeft + kFrontEnd) / 2, kFrontFoot + 46, "m",
                       across_.words("memory of the fullest GPU", "GiB"));
    body_ += svg_words_upwards(22, (kFrontTop + kFrontFoot) / 2, upwards_.words("step", "s"));
  }

  void add_dot(std::string_view style, double radius, Bytes memory, Seconds step,
               const std::string& words) {
    body_ += fmt::format(
        "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{}\"><title>{}"
        "</title></circle>\n",
        style, x(memory), y(step), radius, xml_text(words));
  }

  /// From much memory to little: over to the next plan's memory, then up to its step.
  void add_front() {
    std::string path;
    for (const FrontPlan& plan : search_.front) {
      path += path.empty() ? fmt::format("M{:.1f},{:.1f}", kFrontEnd, y(plan.step))
                           : fmt::format("V{:.1f}", y(plan.step));
      path += fmt::format("H{:.1f}", x(plan.memory));
    }
    body_ += fmt::format("<path class=\"line\" d=\"{}\"/>\n", path);
    for (const FrontPlan& plan : search_.front) {
      add_dot("front", 4, plan.memory, plan.step,
              fmt::format("{}, {}: {}", to_text(plan.step), to_text(plan.memory),
                          plan.plan.empty() ? "the scenario as it stands" : plan.plan));
    }
  }

  const SearchReport& search_;
  FrontAxis across_, upwards_;
  std::string body_;
};

}  // namespace

std::string write_front_svg(const SearchReport& search) {
  return FrontDrawing(search).text();
}

}  // namespace danlu
