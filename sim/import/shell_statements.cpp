#include "sim/import/shell_statements.hpp"

#include <algorithm>
#include <string>

namespace danlu {

bool is_operator(const ShellToken& token, std::string_view what) {
  return token.kind == ShellToken::Kind::Operator && token.raw == what;
}

bool is_word(const ShellToken& token, std::initializer_list<std::string_view> words) {
  return token.kind == ShellToken::Kind::Word &&
         std::find(words.begin(), words.end(), token.raw) != words.end();
}

bool ends_statement(const ShellToken& token) {
  return token.kind == ShellToken::Kind::Operator &&
         token.raw.find_first_of("<>") == std::string::npos;
}

bool holds_flags(const ShellToken& token) {
  return token.raw.find("--") != std::string::npos ||
         std::any_of(token.items.begin(), token.items.end(),
                     [](const ShellToken& item) { return item.raw.starts_with("--"); });
}

std::size_t end_of_body(std::span<const ShellToken> tokens, std::size_t from) {
  const std::string_view opens = tokens[from].raw;
  const std::string_view closes = opens == "{" ? "}" : ")";
  int depth = 0;
  for (std::size_t i = from; i < tokens.size(); ++i) {
    depth += tokens[i].raw == opens ? 1 : tokens[i].raw == closes ? -1 : 0;
    if (depth == 0) {
      return i;
    }
  }
  return tokens.size();
}

bool leaves_loop(std::span<const ShellToken> body) {
  return std::any_of(body.begin(), body.end(), [](const ShellToken& token) {
    return is_word(token, {"break", "continue", "return", "exit"});
  });
}

std::size_t end_of_loop(std::span<const ShellToken> tokens, std::size_t from) {
  int depth = 0;
  for (std::size_t i = from; i < tokens.size(); ++i) {
    const bool begins = i == 0 || ends_statement(tokens[i - 1]) ||
                        is_word(tokens[i - 1], {"then", "do", "else", "{"});
    depth += begins && is_word(tokens[i], {"do"})     ? 1
             : begins && is_word(tokens[i], {"done"}) ? -1
                                                      : 0;
    if (depth == 0) {
      return i == from ? tokens.size() : i;
    }
  }
  return tokens.size();
}

}  // namespace danlu
