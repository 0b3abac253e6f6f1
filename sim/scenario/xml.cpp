#include "sim/scenario/xml.hpp"

#include <expat.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "sim/base/text.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {
namespace {

constexpr std::size_t kDeepest = 64;  // no machine has so many bridges in a row

/// Builds the tree while expat calls back. The first thing that is wrong stops the parser.
class XmlReader {
 public:
  XmlReader(std::string file, const std::string& text)
      : file_(std::move(file)),
        text_(text),
        lines_(split(text, '\n')),
        parser_(XML_ParserCreate(nullptr), XML_ParserFree) {
    check(parser_ != nullptr, "there is memory for an XML parser");
    XML_SetUserData(parser_.get(), this);
    XML_SetElementHandler(parser_.get(), begin, end);
    XML_SetStartDoctypeDeclHandler(parser_.get(), doctype);
  }

  XmlElement read() {
    const auto status =
        XML_Parse(parser_.get(), text_.data(), static_cast<int>(text_.size()), XML_TRUE);
    if (wrong_.message.empty() && status != XML_STATUS_OK) {
      wrong_ = here();
      wrong_.message = fmt::format("not XML: {}", XML_ErrorString(XML_GetErrorCode(parser_.get())));
    }
    if (!wrong_.message.empty()) {
      throw InputError(std::move(wrong_));
    }
    return std::move(root_.children.front());
  }

 private:
  Problem here() const {
    const auto line = static_cast<int>(XML_GetCurrentLineNumber(parser_.get()));
    const auto column = static_cast<int>(XML_GetCurrentColumnNumber(parser_.get()));
    const auto row = static_cast<std::size_t>(line) - 1;
    std::string text(row < lines_.size() ? lines_[row] : "");
    text.erase(text.find_last_not_of('\r') + 1);
    return {{file_, line, column + 1}, "", "", std::move(text)};
  }

  void stop(std::string message, std::string hint) {
    wrong_ = here();
    wrong_.message = std::move(message);
    wrong_.hint = std::move(hint);
    XML_StopParser(parser_.get(), XML_FALSE);
  }

  static void begin(void* user, const XML_Char* name, const XML_Char** attributes) {
    auto& reader = *static_cast<XmlReader*>(user);
    if (reader.open_.size() >= kDeepest) {
      reader.stop(fmt::format("elements are nested more than {} deep", kDeepest),
                  "no machine is so deep: leave out what is not PCIe");
      return;
    }
    XmlElement& parent = reader.open_.empty() ? reader.root_ : *reader.open_.back();
    XmlElement& element = parent.children.emplace_back();
    element.name = name;
    for (; *attributes != nullptr; attributes += 2) {
      element.attributes.emplace_back(attributes[0], attributes[1]);
    }
    element.place = reader.here();
    reader.open_.push_back(&element);  // its siblings come only after it is closed
  }

  static void end(void* user, const XML_Char* /*name*/) {
    static_cast<XmlReader*>(user)->open_.pop_back();
  }

  static void doctype(void* user, const XML_Char* /*name*/, const XML_Char* /*system*/,
                      const XML_Char* /*publics*/, int /*internal*/) {
    static_cast<XmlReader*>(user)->stop("a topology file has no document type",
                                        "leave out <!DOCTYPE ...>");
  }

  std::string file_;
  const std::string& text_;
  std::vector<std::string_view> lines_;
  std::unique_ptr<XML_ParserStruct, decltype(&XML_ParserFree)> parser_;
  XmlElement root_;  // above the file's own
  std::vector<XmlElement*> open_;
  Problem wrong_;
};

}  // namespace

std::optional<std::string> XmlElement::attribute(std::string_view wanted) const {
  const auto found = std::find_if(attributes.begin(), attributes.end(),
                                  [&](const auto& entry) { return entry.first == wanted; });
  return found == attributes.end() ? std::nullopt : std::optional(found->second);
}

XmlElement read_xml(const std::filesystem::path& file) {
  const std::string text = read_text_file(file);
  return XmlReader(file.string(), text).read();
}

}  // namespace danlu
