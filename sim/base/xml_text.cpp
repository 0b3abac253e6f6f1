#include "sim/base/xml_text.hpp"

#include "sim/base/text.hpp"

namespace danlu {

std::string xml_text(std::string_view words) {
  std::string text;
  for (const char c : printable(words)) {
    switch (c) {
      case '&':
        text += "&amp;";
        break;
      case '<':
        text += "&lt;";
        break;
      case '>':
        text += "&gt;";
        break;
      default:
        text += c;
    }
  }
  return text;
}

}  // namespace danlu
