// Inside sim/import: where statements of a script begin and end, token by token.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <span>
#include <string_view>

#include "sim/import/shell_lexer.hpp"

namespace danlu {

bool is_operator(const ShellToken& token, std::string_view what);
bool is_word(const ShellToken& token, std::initializer_list<std::string_view> words);
/// Whether it is an operator between two statements, and no redirection.
bool ends_statement(const ShellToken& token);
/// Whether it is a flag of a program, or an array with some.
bool holds_flags(const ShellToken& token);

/// Where the brace or parenthesis stands that closes the one at `from`; the end of all where none
/// does.
std::size_t end_of_body(std::span<const ShellToken> tokens, std::size_t from);

/// Likewise the `done` of a loop whose `do` is at `from`.
std::size_t end_of_loop(std::span<const ShellToken> tokens, std::size_t from);

/// Whether something in a loop's body goes on or ends elsewhere than at its end.
bool leaves_loop(std::span<const ShellToken> body);

}  // namespace danlu
