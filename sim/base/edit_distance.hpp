// How far two words are apart, and which of several a slip of the finger meant.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace danlu {

/// Letters to put in, to take out or to change until one word is the other (Levenshtein 1966).
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate that `word` is but for two letters or a longer ending of its last part, or "". So
/// narrow that another name of the same family, as topk_dtype beside topk or fp4 beside fp8, is
/// none.
std::string_view misspelt(std::string_view word, std::span<const std::string_view> candidates);

}  // namespace danlu
