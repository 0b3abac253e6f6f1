// Small text helpers: "did you mean", joining, and splitting.
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

}  // namespace danlu
