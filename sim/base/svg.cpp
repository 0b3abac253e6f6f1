#include "sim/base/svg.hpp"

#include <fmt/format.h>

#include "sim/base/xml_text.hpp"

namespace danlu {
namespace {

constexpr std::string_view kSvgStyle =
    "text{font:13px system-ui,sans-serif;fill:#1f2328}.h{font-weight:600;font-size:15px}\n"
    ".s{font-size:11px}.m{text-anchor:middle}.e{text-anchor:end}\n"
    ".page{fill:#fff}.grid{stroke:#e7eaee}\n";
constexpr std::string_view kSvgDark =
    "text{fill:#e6edf3}.page{fill:#0d1117}.grid{stroke:#262c36}\n";

}  // namespace

std::string svg_text(const SvgDrawing& drawing) {
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:g} {1:g}\" width=\"{0:g}\" "
      "height=\"{1:g}\" role=\"img\">\n<title>{2}</title>\n<desc>{3}</desc>\n",
      drawing.width, drawing.height, xml_text(drawing.title), xml_text(drawing.description));
  text += fmt::format("<style>\n{}{}@media (prefers-color-scheme:dark){{{}{}}}\n</style>\n",
                      kSvgStyle, drawing.style, kSvgDark, drawing.dark);
  if (!drawing.defs.empty()) {
    text += fmt::format("<defs>{}</defs>\n", drawing.defs);
  }
  text += fmt::format("<rect class=\"page\" width=\"{:g}\" height=\"{:g}\"/>\n", drawing.width,
                      drawing.height);
  return text + drawing.body + "</svg>\n";
}

std::string svg_words(double x, double y, std::string_view style, std::string_view words) {
  const std::string kind = style.empty() ? "" : fmt::format(" class=\"{}\"", style);
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\"{}>{}</text>\n", x, y, kind, xml_text(words));
}

std::string svg_words_upwards(double x, double y, std::string_view words) {
  return fmt::format(
      "<text class=\"m\" transform=\"translate({:.1f} {:.1f}) rotate(-90)\">{}</text>\n", x, y,
      xml_text(words));
}

std::string svg_line(std::string_view style, double x1, double y1, double x2, double y2) {
  return fmt::format(
      "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", style, x1,
      y1, x2, y2);
}

}  // namespace danlu
