#include "sim/scenario/yaml_documents.hpp"

#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <array>
#include <sstream>
#include <utility>
#include <vector>

#include "sim/base/text.hpp"

namespace danlu {
namespace {

/// Notes where each document of a text starts.
class DocumentStarts : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark& mark) override { marks.push_back(mark); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnAlias(const YAML::Mark& /*mark*/, YAML::anchor_t /*anchor*/) override {}
  void OnScalar(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                const std::string& /*value*/) override {}
  void OnSequenceStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/,
                       YAML::anchor_t /*anchor*/, YAML::EmitterStyle::value /*style*/) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark& /*mark*/, const std::string& /*tag*/, YAML::anchor_t /*anchor*/,
                  YAML::EmitterStyle::value /*style*/) override {}
  void OnMapEnd() override {}

  std::vector<YAML::Mark> marks;
};

/// Whether the first line that is none of comment alone begins with a key: `word:`. Nothing that
/// follows is indented less.
bool is_mapping(std::string_view text) {
  while (text.starts_with('#') || text.starts_with('\n')) {
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  const std::string_view word =
      text.substr(0, std::min(text.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), text.size()));
  const std::string_view rest = text.substr(word.size());
  return !word.empty() && (rest.starts_with(": ") || rest.starts_with(":\n"));
}

/// Whether a line starts with this; lines end with LF, CR or both.
bool has_line(std::string_view text, std::string_view start) {
  for (std::size_t at = text.find(start); at != std::string_view::npos;
       at = text.find(start, at + 1)) {
    if (at == 0 || text[at - 1] == '\n' || text[at - 1] == '\r') {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string node_kind(const YAML::Node& node) {
  switch (node.Type()) {
    case YAML::NodeType::Map:
      return "a mapping";
    case YAML::NodeType::Sequence:
      return node.size() == 0 ? "an empty list" : "a list";
    case YAML::NodeType::Null:
      return "nothing";
    default:
      return quote(node.Scalar());
  }
}

std::string syntax_hint(std::string_view message) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kHints{{
      {"end of map flow", "a '{' is not closed by '}', or a ',' is missing before here"},
      {"end of sequence flow", "a '[' is not closed by ']', or a ',' is missing before here"},
      {"illegal map value",
       "one 'key: value' to a line, with a blank after ':' and the same indentation in a section"},
      {"illegal flow end", "a bracket too many"},
      {"unknown token", "put quotes around text that starts with this character"},
      {"illegal block entry", "a list item stands where none can: compare the indentation"},
      {"end of map not found", "compare the indentation with the lines above"},
      {"end of sequence not found", "compare the indentation with the lines above"},
      {"illegal EOF in scalar", "a quote is not closed"},
  }};
  for (const auto& [start, hint] : kHints) {
    if (message.starts_with(start)) {
      return std::string(hint);
    }
  }
  return "";
}

std::optional<YAML::Mark> second_document(const std::string& text) {
  // A mapping goes on to the end but for such a mark or a directive: it need not be read twice.
  if (is_mapping(text) && !has_line(text, "---") && !has_line(text, "...") &&
      !has_line(text, "%")) {
    return std::nullopt;
  }
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DocumentStarts starts;
  while (starts.marks.size() < 2 && parser.HandleNextDocument(starts)) {
  }
  return starts.marks.size() < 2 ? std::nullopt : std::optional(starts.marks[1]);
}

}  // namespace danlu
