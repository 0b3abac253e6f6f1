// Inside sim/scenario: what the YAML library does not say about a text by itself.
#pragma once

#include <yaml-cpp/yaml.h>

#include <optional>
#include <string>
#include <string_view>

namespace danlu {

/// What stands there, in words: "a list", "nothing", or the text in quotes.
std::string node_kind(const YAML::Node& node);

/// What the YAML library says of broken text, and what a person can do about it.
std::string syntax_hint(std::string_view message);

/// Where text follows the first document, which YAML::Load would pass over. (YAML::LoadAll never
/// ends on a document that starts with a comma.)
std::optional<YAML::Mark> second_document(const std::string& text);

}  // namespace danlu
