// A drawing of steps as SVG: vectors for documents.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "sim/base/svg.hpp"
#include "sim/base/text.hpp"
#include "sim/report/gantt.hpp"
#include "sim/report/page.hpp"

namespace danlu {
namespace {

// In pixels.
constexpr double kLeft = 80;
constexpr double kTimeWidth = 1000;
constexpr double kRight = 70;
constexpr double kRowHeight = 24;
constexpr double kLineHeight = 20;
constexpr double kBaseline = 4;       // of words below the middle of their line
constexpr double kLetterWidth = 6.5;  // of the small font, about
constexpr double kLeastWidth = 0.5;   // of what is drawn inside a pass

constexpr int kSvgShades = 4;  // of chunks, which take them in turn

/// Colours by class; boxes are bright enough for dark numbers on either page.
constexpr std::string_view kGanttStyle = R"(.n{font-size:11px;text-anchor:middle;fill:#10202e}
path{stroke-width:20}.w{stroke:#e7eaee}.tick{stroke:#8b949e;stroke-width:1}
.f0{stroke:#5b9bd5}.f1{stroke:#8db9e2}.f2{stroke:#aecdea}.f3{stroke:#cfe1f3}
.b0{stroke:#5fb36a}.b1{stroke:#8cca94}.b2{stroke:#aedab4}.b3{stroke:#cfead3}
.i0{stroke:#45b8ac}.i1{stroke:#79cdc4}.i2{stroke:#a1dcd6}.i3{stroke:#c6ebe7}
.w0{stroke:#e0b03c}.w1{stroke:#e8c673}.w2{stroke:#f0d9a0}.w3{stroke:#f6e8c8}
.x0{stroke:#e8833a}.x1{stroke:#d64550}.x2{stroke:#a05fc0}
.x3{stroke:#c46a8a}.x4{stroke:#a0765a}.x5{stroke:#7f7fd0}
.u{stroke:#9aa0a6}
)";
constexpr std::string_view kGanttDark = ".w{stroke:#262c36}\n";
constexpr int kExchangeColours = 6;

/// Its letter is that of the action, small: CSS knows no other.
std::string pass_class(ActionKind kind, int chunk) {
  const char letter = static_cast<char>(row_named(kind).letter - 'A' + 'a');
  return fmt::format("{}{}", letter, chunk % kSvgShades);
}
std::string exchange_class(Axis axis) {
  return fmt::format("x{}", static_cast<int>(axis) % kExchangeColours);
}
std::string class_of(const GanttSpan& span) {
  switch (span.kind) {
    case GanttSpan::Kind::Pass:
      return pass_class(span.action->kind, span.action->chunk);
    case GanttSpan::Kind::Exchange:
      return exchange_class(span.axis);
    case GanttSpan::Kind::Update:
      break;
  }
  return "u";
}

/// Drawings as SVG. One class: all rows share a scale and what the legend has to explain.
class SvgWriter {
 public:
  explicit SvgWriter(std::span<const Gantt> gantts) : gantts_(gantts) {
    for (const Gantt& gantt : gantts) {
      longest_ = std::max(longest_, gantt.step);
    }
    pixel_ = longest_ / kTimeWidth;
  }

  std::string text() {
    for (const Gantt& gantt : gantts_) {
      add(gantt);
    }
    add_scale();
    add_legend();
    y_ += kLineHeight / 2;
    return svg_text({.width = kLeft + kTimeWidth + kRight,
                     .height = y_,
                     .title = title(),
                     .description = "time from left to right, a line for each pipeline stage, a "
                                    "box for each pass of a microbatch, what a stage waits empty",
                     .style = kGanttStyle,
                     .dark = kGanttDark,
                     .defs = {},
                     .body = std::move(body_)});
  }

 private:
  std::string title() const {
    std::string words;
    for (const Gantt& gantt : gantts_) {
      words += (words.empty() ? "" : "; ") + gantt_heading(gantt);
    }
    return words;
  }

  double x_of(Seconds time) const { return kLeft + time / pixel_; }

  void add_words(double x, double y, std::string_view style, const std::string& words) {
    body_ += svg_words(x, y, style, words);
  }

  void add(const Gantt& gantt) {
    y_ += kLineHeight * 1.5;
    add_words(kLeft, y_, "h", gantt_heading(gantt));
    add_words(kLeft + kTimeWidth + kRight - 8, y_, "s e", "waits");
    for (const GanttRow& row : gantt.rows) {
      add_row(row, gantt.step);
    }
    for (const std::string& note : gantt_notes(gantt)) {
      y_ += kRowHeight;
      add_words(kLeft, y_, "s", "note: " + note);
    }
  }

  /// A line as thick as a box.
  static std::string thick_line(double from, double width) {
    return fmt::format("M{:.6g},0h{:.6g}", hundredths(from), hundredths(width));
  }
  static double hundredths(double pixels) { return std::round(100 * pixels) / 100; }

  /// The track, of which what the stage waits is seen; on it all boxes of one colour as one path;
  /// their numbers.
  void add_row(const GanttRow& row, Seconds step) {
    constexpr double kGap = 0.8;               // between boxes
    constexpr double kBroad = 2.5;             // enough for a gap
    std::map<std::string, std::string> paths;  // by class
    std::string numbers;
    std::set<Action> numbered;
    for (const GanttSpan& span : visible_spans(row, kLeastWidth * pixel_)) {
      legend_.add(span);
      const double from = span.interval.start / pixel_;
      const double width = span.length() / pixel_;
      paths[class_of(span)] += thick_line(from, width > kBroad ? width - kGap : width);
      if (span.kind == GanttSpan::Kind::Pass && !numbered.contains(*span.action)) {
        const std::string number = std::to_string(span.action->microbatch);
        if (static_cast<double>(number.size()) * kLetterWidth + 1 < width) {
          numbers += fmt::format("<text x=\"{:.6g}\" y=\"4\" class=\"n\">{}</text>\n",
                                 hundredths(from + width / 2), number);
          numbered.insert(*span.action);
        }
      }
    }
    y_ += kRowHeight;
    body_ += fmt::format("<g transform=\"translate({:g},{:g})\">\n", kLeft, y_);
    add_words(-8, kBaseline, "e", fmt::format("stage {}", row.stage));
    add_words(kTimeWidth + kRight - 8, kBaseline, "s e", percent(row.waits(step) / step));
    add_path("w", thick_line(0, step / pixel_));
    for (const auto& [style, path] : paths) {
      add_path(style, path);
    }
    body_ += numbers + "</g>\n";
  }

  void add_path(std::string_view style, std::string_view path) {
    body_ += fmt::format("<path class=\"{}\" d=\"{}\"/>\n", style, path);
  }

  void add_scale() {
    constexpr int kMarks = 10;
    y_ += kRowHeight;
    std::string ticks = fmt::format("M{:g} {:g}h{:g}", kLeft, y_, kTimeWidth);
    const std::vector<GanttMark> marks = gantt_marks(longest_, kMarks);
    for (const GanttMark& mark : marks) {
      ticks += fmt::format("M{:.2f} {:g}v5", x_of(mark.at), y_);
    }
    add_path("tick", ticks);
    y_ += kLineHeight;
    for (const GanttMark& mark : marks) {
      add_words(x_of(mark.at), y_, "s m", mark.text);
    }
  }

  void add_legend() {
    y_ += kLineHeight * 1.4;
    x_ = kLeft;
    for (const ActionKind kind : legend_.passes) {
      for (int shade = 0; shade < std::min(legend_.chunks, kSvgShades); ++shade) {
        add_key(pass_class(kind, shade),
                shade == 0 ? std::string(name_of(kind)) : fmt::format("chunk {}", shade));
      }
    }
    for (const Axis axis : legend_.exchanges) {
      add_key(exchange_class(axis), fmt::format("exposed {} exchange", name_of(axis)));
    }
    if (legend_.updates) {
      add_key("u", "optimizer");
    }
    add_key("w", "waits");
    y_ += kLineHeight * 1.6;
    add_words(kLeft, y_, "s",
              fmt::format("numbers are microbatches; exchanges inside a pass that are exposed for "
                          "less than half a pixel are drawn as the pass{}",
                          legend_.chunks > kSvgShades
                              ? fmt::format("; chunk {} looks like chunk 0, and so on", kSvgShades)
                              : ""));
  }

  void add_key(const std::string& style, const std::string& words) {
    constexpr double kSwatch = 14;
    const double width = kSwatch + 6 + static_cast<double>(words.size()) * 7 + 14;
    if (x_ + width > kLeft + kTimeWidth + kRight) {
      x_ = kLeft;
      y_ += kLineHeight;
    }
    add_path(style, fmt::format("M{:g},{:.6g}h{:g}", x_, y_, kSwatch));
    add_words(x_ + kSwatch + 6, y_ + kBaseline, "", words);
    x_ += width;
  }

  std::span<const Gantt> gantts_;
  Seconds longest_, pixel_;
  GanttLegend legend_;
  double x_ = 0;
  double y_ = 0;
  std::string body_;
};

}  // namespace

std::string write_gantt_svg(std::span<const Gantt> gantts) {
  return SvgWriter(gantts).text();
}

}  // namespace danlu
