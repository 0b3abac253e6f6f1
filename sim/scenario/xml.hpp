// An XML file as a tree of elements that know their place. The only user of expat, which counts
// lines, columns and depth while it reads.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/base/error.hpp"

namespace danlu {

struct XmlElement {
  std::string name;
  std::vector<std::pair<std::string, std::string>> attributes;
  std::vector<XmlElement> children;
  Problem place;  // without words: where the element begins, and that line

  /// The value of an attribute; none if it is not there.
  std::optional<std::string> attribute(std::string_view wanted) const;
};

/// The root of a file's elements, at most 64 deep and without a document type. Throws InputError.
XmlElement read_xml(const std::filesystem::path& file);

}  // namespace danlu
