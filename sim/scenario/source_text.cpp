#include "sim/scenario/source_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sim/base/text.hpp"

namespace danlu {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

}  // namespace

SourceText::SourceText(const std::string& yaml, std::string file) : file_(std::move(file)) {
  std::string_view rest = yaml;
  rest.remove_prefix(rest.starts_with(kByteOrderMark) ? kByteOrderMark.size() : 0);
  for (std::string_view line : split(rest, '\n')) {
    line.remove_suffix(line.ends_with('\r') ? 1 : 0);
    lines_.emplace_back(line);
  }
}

std::optional<SourceText::Fault> SourceText::fault() const {
  for (std::size_t i = 0; i < lines_.size(); ++i) {
    const std::string& line = lines_[i];
    const std::size_t first = line.find_first_not_of(" \t");
    const std::size_t tab = line.find('\t');
    const std::vector<std::string_view> pieces = characters(line);
    const auto bad = std::find_if(pieces.begin(), pieces.end(),
                                  [](std::string_view c) { return c != "\t" && !is_printable(c); });
    YAML::Mark mark;
    mark.line = static_cast<int>(i);
    if (bad != pieces.end()) {
      mark.column = static_cast<int>(bad->data() - line.data());
      const auto byte = static_cast<unsigned char>(bad->front());
      const bool control = byte < 0x80 || bad->size() > 1;
      return Fault{mark,
                   control ? fmt::format("a control character (0x{:02x}) in the text", byte)
                           : fmt::format("not a text in UTF-8: found the byte 0x{:02x}", byte),
                   ""};
    }
    if (tab < first && first != std::string::npos && line[first] != '#') {
      mark.column = static_cast<int>(tab);
      return Fault{mark, "a tab in the indentation", "YAML is indented with blanks"};
    }
  }
  return std::nullopt;
}

Value SourceText::place(const YAML::Mark& mark) const {
  Value value;
  value.position.file = file_;
  if (is_value_ || mark.is_null()) {
    return value;
  }
  auto line = static_cast<std::size_t>(mark.line);
  auto column = static_cast<std::size_t>(mark.column);
  const bool at_end = line >= lines_.size() || (line + 1 == lines_.size() && lines_[line].empty());
  if (at_end) {  // show what stands last
    line = std::min(line, lines_.size() - 1);
    while (line > 0 && lines_[line].empty()) {
      --line;
    }
    column = lines_[line].size();
  }
  value.source_line = lines_[line];
  const std::string_view before = std::string_view(value.source_line).substr(0, column);
  value.position.line = static_cast<int>(line) + 1;
  value.position.column = static_cast<int>(characters(before).size()) + 1;
  return value;
}

TextLine SourceText::line_at(std::string text, YAML::Mark mark) const {
  if (!is_value_ && !text.empty() && !mark.is_null()) {
    for (auto line = static_cast<std::size_t>(mark.line); line < lines_.size(); ++line) {
      const bool first = line == static_cast<std::size_t>(mark.line);
      const std::size_t column =
          lines_[line].find(text, first ? static_cast<std::size_t>(mark.column) : 0);
      if (column != std::string::npos) {
        mark.line = static_cast<int>(line);
        mark.column = static_cast<int>(column);
        break;
      }
    }
  }
  Value at = place(mark);
  return {std::move(text), std::move(at.position), std::move(at.source_line)};
}

}  // namespace danlu
