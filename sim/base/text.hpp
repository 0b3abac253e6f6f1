// Small text helpers: "did you mean", joining, splitting, and showing what a user wrote.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace danlu {

/// The candidate closest to `word` by edit distance, or "" when none is near enough to suggest.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

/// "a, b, c"
std::string join(std::span<const std::string_view> words, std::string_view separator);

/// "a|b|c" cut at the bars; the pieces view into `text`.
std::vector<std::string_view> split(std::string_view text, char separator);

/// The characters of UTF-8 text; a byte that is not UTF-8 stands alone. The pieces view into
/// `text`.
std::vector<std::string_view> characters(std::string_view text);

/// Whether a piece of characters() is harmless to print: neither a control character nor a stray
/// byte.
bool is_printable(std::string_view character);

/// The text as a terminal can show it: what is not printable becomes '?', and what comes after the
/// first `longest` characters becomes "...".
std::string shown(std::string_view text, std::size_t longest = 40);

}  // namespace danlu
