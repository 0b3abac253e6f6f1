#include "sim/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "sim/base/edit_distance.hpp"

namespace danlu {

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return lower;
}

namespace {

/// The bytes of the UTF-8 character that `text` starts with; 1 if it starts with none.
std::size_t character_size(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  std::size_t size = 1;
  if (lead >= 0xc2 && lead <= 0xf4) {
    size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  }
  if (size > text.size()) {
    return 1;
  }
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return 1;
    }
  }
  const bool overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  const bool no_character = (lead == 0xed && byte(1) > 0x9f) || (lead == 0xf4 && byte(1) > 0x8f);
  return size > 1 && (overlong || no_character) ? 1 : size;
}

/// The number of a piece of characters(); of a stray byte, the byte.
char32_t code_point(std::string_view character) {
  constexpr std::array<unsigned, 5> kLeadBits{0, 0xff, 0x1f, 0x0f, 0x07};
  char32_t code = static_cast<unsigned char>(character[0]) & kLeadBits[character.size()];
  for (const char c : character.substr(1)) {
    code = code << 6 | (static_cast<unsigned char>(c) & 0x3fU);
  }
  return code;
}

/// What turns the direction of writing, and what ends a line without looking like it.
bool is_invisible(char32_t code) {
  return code == 0x061c || code == 0x200e || code == 0x200f || (code >= 0x2028 && code <= 0x202e) ||
         (code >= 0x2066 && code <= 0x2069);
}

std::string escaped(std::string_view character) {
  if (character.size() == 1) {
    switch (character[0]) {
      case '\n':
        return "\\n";
      case '\t':
        return "\\t";
      case '\r':
        return "\\r";
      default:
        break;
    }
  }
  const char32_t code = code_point(character);
  const bool stray = character.size() == 1 && code >= 0x80;
  return stray ? fmt::format("\\x{:02x}", static_cast<unsigned>(code))
               : fmt::format("\\u{:04x}", static_cast<unsigned>(code));
}

/// Whether a word is another with words before or behind it: num_heads, hidden_size.
bool has_at_an_end(std::string_view word, std::string_view part) {
  return word.starts_with(fmt::format("{}_", part)) || word.ends_with(fmt::format("_{}", part)) ||
         word.starts_with(fmt::format("{}-", part)) || word.ends_with(fmt::format("-{}", part));
}

/// micro_batch as others write it: microbatch_size; eager-16bit as in eager16.
std::string in_one_word(std::string text) {
  std::erase_if(text, [](char letter) { return letter == '_' || letter == '-'; });
  return text;
}

/// The longest candidate that a word begins with: vocabulary.
std::string_view longest_start(std::string_view word,
                               std::span<const std::string_view> candidates) {
  constexpr std::size_t kShortest = 5;  // letters that say enough
  std::string_view longest;
  for (const std::string_view candidate : candidates) {
    if (word.starts_with(candidate) && candidate.size() >= std::max(kShortest, longest.size())) {
      longest = candidate;
    }
  }
  return longest;
}

}  // namespace

std::string_view nearest(std::string_view word, std::span<const std::string_view> candidates) {
  constexpr std::size_t kLongestWord = 64;  // a word this long is no slip of the finger
  if (word.size() > kLongestWord) {
    return "";
  }
  const std::string lower = lower_case(word);
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(word.size() / 3, 2) + 1;
  for (const std::string_view candidate : candidates) {
    const std::string known = lower_case(candidate);
    const bool extends =
        word.size() >= 3 && (known.starts_with(lower) || has_at_an_end(known, lower) ||
                             in_one_word(known).starts_with(in_one_word(lower)));
    const bool is_extended =
        has_at_an_end(lower, known) || has_at_an_end(lower, in_one_word(known));
    const std::size_t distance = extends ? 0 : is_extended ? 2 : edit_distance(lower, known);
    if (distance < best_distance && distance < candidate.size()) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best.empty() ? longest_start(lower, candidates) : best;
}

std::string join(std::span<const std::string_view> words, std::string_view separator) {
  std::string text;
  for (const std::string_view word : words) {
    text += text.empty() ? "" : separator;
    text += word;
  }
  return text;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> pieces;
  while (true) {
    const std::size_t end = text.find(separator);
    pieces.push_back(text.substr(0, end));
    if (end == std::string_view::npos) {
      return pieces;
    }
    text.remove_prefix(end + 1);
  }
}

std::vector<std::string_view> characters(std::string_view text) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    pieces.push_back(text.substr(0, character_size(text)));
    text.remove_prefix(pieces.back().size());
  }
  return pieces;
}

bool is_printable(std::string_view character) {
  const char32_t code = code_point(character);
  return character.size() == 1 ? code >= 0x20 && code < 0x7f : code >= 0xa0 && !is_invisible(code);
}

std::string printable(std::string_view text, std::string_view kept) {
  std::string result;
  while (!text.empty()) {
    const std::string_view character = text.substr(0, character_size(text));
    const bool stays = is_printable(character) || kept.find(character) != std::string_view::npos;
    stays ? result += character : result += escaped(character);
    text.remove_prefix(character.size());
  }
  return result;
}

std::string shown(std::string_view text, std::size_t longest) {
  const bool long_text = text.size() / 4 > longest;
  const std::string_view start = long_text ? text.substr(0, 4 * longest + 4) : text;
  const std::vector<std::string_view> pieces = characters(start);
  if (pieces.size() <= longest) {
    return printable(start);
  }
  const char* end = pieces[longest].data();
  return printable(start.substr(0, static_cast<std::size_t>(end - start.data()))) + "...";
}

std::string quote(std::string_view text) {
  return "'" + shown(text) + "'";
}

}  // namespace danlu
