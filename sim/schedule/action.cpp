#include "sim/schedule/action.hpp"

#include <algorithm>
#include <charconv>

namespace danlu {
namespace {

std::optional<int> whole_number(std::string_view text) {
  int number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  return error == std::errc{} && rest == end && number >= 0 ? std::optional(number) : std::nullopt;
}

}  // namespace

std::optional<Action> parse_action(std::string_view text) {
  for (const ActionRow& row : kNames<ActionKind>) {
    const std::size_t at = text.find(row.letter);
    if (at == std::string_view::npos) {
      continue;
    }
    const std::optional<int> chunk = whole_number(text.substr(0, at));
    const std::optional<int> microbatch = whole_number(text.substr(at + 1));
    if (chunk && microbatch) {
      return Action{row.value, *chunk, *microbatch};
    }
  }
  return std::nullopt;
}

}  // namespace danlu
