// What every drawing as SVG has alike: the root with a title and a description (which a reader of
// the page speaks), a page that is light or dark as the reader's is, words and lines. None needs a
// script or a font of its own.
//
//   class   words: h the heading, s small, m centred, e ending at their place
//           grid lines behind the drawing, page what has the page's colour
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace danlu {

/// In pixels where nothing else is said.
struct SvgDrawing {
  double width = 0;
  double height = 0;
  std::string title;        // one line
  std::string description;  // what is seen, in a sentence or two
  std::string_view style;   // CSS of its own,
  std::string_view dark;    // and what of it is different on a dark page
  std::string_view defs;    // elements that others refer to
  std::string body;         // elements, from the page on upwards
};

/// The whole file.
std::string svg_text(const SvgDrawing& drawing);

/// Elements of a body, each on a line. Words may hold anything.
std::string svg_words(double x, double y, std::string_view style, std::string_view words);
/// Centred at a place, from below upwards.
std::string svg_words_upwards(double x, double y, std::string_view words);
std::string svg_line(std::string_view style, double x1, double y1, double x2, double y2);

/// Colours that are told apart on a light and on a dark page, in the order of their use.
inline constexpr std::array<std::string_view, 10> kSvgColours{
    "#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee",
    "#aa3377", "#ee8833", "#44aa99", "#882255", "#999933"};

}  // namespace danlu
