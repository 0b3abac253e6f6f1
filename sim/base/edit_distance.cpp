#include "sim/base/edit_distance.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>
#include <string>
#include <vector>

namespace danlu {
namespace {

/// seq_length of seq_len, and no seq_len_limit.
bool goes_on_without_a_part(std::string_view word, std::string_view start) {
  constexpr std::size_t kMost = 3;  // letters
  return word.size() <= start.size() + kMost && word.starts_with(start) &&
         word.find_first_of("-_.0123456789", start.size()) == std::string_view::npos;
}

/// fp8 and fp4 are two things.
bool have_the_same_digits(std::string_view a, std::string_view b) {
  const auto digits = [](std::string_view word) {
    std::string all;
    std::copy_if(word.begin(), word.end(), std::back_inserter(all),
                 [](char letter) { return letter >= '0' && letter <= '9'; });
    return all;
  };
  return digits(a) == digits(b);
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

std::string_view misspelt(std::string_view word, std::span<const std::string_view> candidates) {
  constexpr std::size_t kMost = 2;      // letters
  constexpr std::size_t kShortest = 8;  // of which two others still are the same word
  std::string_view best;
  std::size_t best_distance = kMost + 1;
  for (const std::string_view candidate : candidates) {
    const auto [shorter, longer] = std::minmax({word.size(), candidate.size()});
    const bool is_near = shorter >= kShortest && longer <= shorter + kMost;
    const std::size_t distance = goes_on_without_a_part(word, candidate) ? 1
                                 : is_near ? edit_distance(word, candidate)
                                           : best_distance;
    if (distance < best_distance && have_the_same_digits(word, candidate)) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace danlu
