#include "sim/scenario/yaml_documents.hpp"

#include <yaml-cpp/eventhandler.h>

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
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DocumentStarts starts;
  while (starts.marks.size() < 2 && parser.HandleNextDocument(starts)) {
  }
  return starts.marks.size() < 2 ? std::nullopt : std::optional(starts.marks[1]);
}

}  // namespace danlu
