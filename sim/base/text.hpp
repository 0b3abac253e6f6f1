// Small text helpers: "did you mean", joining, splitting, and showing what a user wrote.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace danlu {

/// The candidate closest to `word` by edit distance (with words before or behind it as near as two
/// letters), else the longest that it begins with, or "" when none is near enough to suggest.
std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates);

/// Of ASCII's letters.
std::string lower_case(std::string_view text);

/// "a, b, c"
std::string join(std::span<const std::string_view> words, std::string_view separator);

/// "a|b|c" cut at the bars; the pieces view into `text`.
std::vector<std::string_view> split(std::string_view text, char separator);

/// The characters of UTF-8 text; a byte that is not UTF-8 stands alone. The pieces view into
/// `text`.
std::vector<std::string_view> characters(std::string_view text);

/// Whether a piece of characters() is harmless on a terminal: no control character, nothing that
/// turns the direction of writing, no stray byte.
bool is_printable(std::string_view character);

/// The text as a terminal can show it: \n, \t, \r and \u001b stand for what is not printable, \xff
/// for a byte that is not UTF-8. What is in `kept` stays as it is. Inside a string of JSON it means
/// what it meant before.
std::string printable(std::string_view text, std::string_view kept = "");

/// The same of the first `longest` characters; "..." stands for the others.
std::string shown(std::string_view text, std::size_t longest = 40);
/// The same in quotes.
std::string quote(std::string_view text);
inline constexpr std::size_t kLongestPath = 120;  // of a path in a message

}  // namespace danlu
