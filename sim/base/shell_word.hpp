// Text as a word of a shell, for commands that a user copies.
#pragma once

#include <string>
#include <string_view>

namespace danlu {

/// The text as one word: in single quotes where it needs them.
std::string shell_word(std::string_view text);

}  // namespace danlu
