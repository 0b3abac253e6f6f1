// Words as the text of XML, and so of SVG.
#pragma once

#include <string>
#include <string_view>

namespace danlu {

/// What is not printable is made visible, what XML would read as markup is escaped.
std::string xml_text(std::string_view words);

}  // namespace danlu
