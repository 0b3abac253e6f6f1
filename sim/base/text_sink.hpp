// Where a text goes that is too long to be held whole: piece by piece, as it is made.
#pragma once

#include <fmt/compile.h>
#include <fmt/format.h>

#include <functional>
#include <iterator>
#include <string_view>

namespace danlu {

/// Takes the next piece of a text. What it throws goes through those who write.
using TextSink = std::function<void(std::string_view)>;

/// Gathers small texts into pieces that are worth passing on.
class TextPieces {
 public:
  explicit TextPieces(const TextSink& out) : out_(out) {}

  void append(std::string_view text) {
    constexpr std::size_t kPiece = std::size_t{1} << 16;
    text_.append(text);
    if (text_.size() >= kPiece) {
      pass_on();
    }
  }
  /// `format` is a FMT_COMPILE(...).
  template <typename Format, typename First, typename... Others>
  void append(const Format& format, const First& first, const Others&... others) {
    fmt::format_to(std::back_inserter(text_), format, first, others...);
    append("");
  }

  /// After the last text.
  void pass_on() {
    out_({text_.data(), text_.size()});
    text_.clear();
  }

 private:
  const TextSink& out_;
  fmt::memory_buffer text_;
};

}  // namespace danlu
