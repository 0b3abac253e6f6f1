#include "sim/import/shell_lexer.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "sim/base/text.hpp"

namespace danlu {

std::size_t end_of_group(const std::string& text, std::size_t from, int level) {
  constexpr int kDeepest = 100;
  if (level > kDeepest) {
    return std::string::npos;
  }
  const char first = text[from];
  if (first == '\'') {
    const std::size_t end = text.find('\'', from + 1);
    return end == std::string::npos ? end : end + 1;
  }
  const bool brace = text.compare(from, 2, "${") == 0;
  const bool parenthesis = text.compare(from, 2, "$(") == 0;
  const char closing = brace ? '}' : parenthesis ? ')' : first;
  int depth = 1;  // of parentheses
  for (std::size_t i = from + (brace || parenthesis ? 2 : 1); i < text.size();) {
    const char letter = text[i];
    if (letter == '\\') {
      i += 2;
    } else if (letter == closing && --depth == 0) {
      return i + 1;
    } else if (parenthesis && letter == '(') {
      ++depth;
      ++i;
    } else if (letter == '$' && i + 1 < text.size() && (text[i + 1] == '{' || text[i + 1] == '(')) {
      i = end_of_group(text, i, level + 1);
    } else if (first != '"' && (letter == '\'' || letter == '"')) {
      i = end_of_group(text, i, level + 1);
    } else {
      ++i;
    }
    if (i == std::string::npos) {
      break;
    }
  }
  return std::string::npos;
}

namespace {

class ShellLexer {
 public:
  ShellLexer(const std::string& text, const std::string& name)
      : text_(text), name_(name), lines_(split(text_, '\n')) {}

  std::vector<ShellToken> read() {
    std::vector<ShellToken> tokens;
    while (std::optional<ShellToken> token = next()) {
      tokens.push_back(std::move(*token));
    }
    return tokens;
  }

 private:
  ShellToken token_here(ShellToken::Kind kind) const {
    const std::string_view line = lines_[line_];
    const std::string_view before = line.substr(0, at_ - line_start_);
    return {.kind = kind,
            .raw = "",
            .items = {},
            .position = {name_, static_cast<int>(line_) + 1,
                         static_cast<int>(characters(before).size()) + 1},
            .source_line = std::string(line)};
  }

  /// One letter on.
  void step() {
    if (text_[at_] == '\n') {
      ++line_;
      line_start_ = at_ + 1;
    }
    ++at_;
  }
  void step_to(std::size_t end) {
    while (at_ < end && at_ < text_.size()) {
      step();
    }
  }

  void skip_blanks() {
    while (at_ < text_.size()) {
      const char letter = text_[at_];
      if (text_.compare(at_, 2, "\\\n") == 0) {
        step_to(at_ + 2);
      } else if (letter == ' ' || letter == '\t' || letter == '\r') {
        step();
      } else if (letter == '#') {
        step_to(text_.find('\n', at_));
      } else {
        return;
      }
    }
  }

  std::optional<ShellToken> next() {
    skip_blanks();
    if (at_ >= text_.size()) {
      return std::nullopt;
    }
    constexpr auto kOperators =
        std::to_array<std::string_view>({"&&", "||", ";;", "<<<", "<<", "&>>", "&>", ">>", ">&",
                                         "<&", ">|", "|&", ";", "&", "|", "<", ">", "(", ")"});
    ShellToken token = token_here(ShellToken::Kind::Operator);
    if (text_[at_] == '\n') {
      token.raw = ";";
      step();
      skip_here_document();
      return token;
    }
    if (const std::size_t end = end_of_sum(); end != std::string::npos) {
      token.kind = ShellToken::Kind::Sum;
      token.raw = text_.substr(at_ + 2, end - at_ - 4);
      step_to(end);
      return token;
    }
    for (const std::string_view one : kOperators) {
      if (text_.compare(at_, one.size(), one) == 0) {
        token.raw = one;
        step_to(at_ + one.size());
        if (one == "<<") {
          ends_here_ = end_of_here_document();
          token.items = {here_document()};
        }
        return token;
      }
    }
    return word();
  }

  /// One past the "))" of a "((" that stands here; npos: none does, or it is not closed.
  std::size_t end_of_sum() const {
    if (text_.compare(at_, 2, "((") != 0) {
      return std::string::npos;
    }
    int depth = 0;
    for (std::size_t i = at_; i < text_.size() && text_[i] != '\n'; ++i) {
      depth += text_[i] == '(' ? 1 : text_[i] == ')' ? -1 : 0;
      if (depth == 0) {
        return text_[i - 1] == ')' ? i + 1 : std::string::npos;
      }
    }
    return std::string::npos;
  }

  ShellToken word() {
    ShellToken token = token_here(ShellToken::Kind::Word);
    const std::size_t start = at_;
    while (at_ < text_.size()) {
      const char letter = text_[at_];
      const bool opens = letter == '$' && at_ + 1 < text_.size() &&
                         (text_[at_ + 1] == '{' || text_[at_ + 1] == '(');
      if (opens || letter == '\'' || letter == '"' || letter == '`') {
        const std::size_t end = end_of_group(text_, at_);
        if (end == std::string::npos) {
          const ShellToken place = token_here(ShellToken::Kind::Word);
          throw InputError(Problem{place.position,
                                   "what opens here is not closed, or is nested too deeply",
                                   "a quote, '${' or '$('", place.source_line});
        }
        step_to(end);
      } else if (letter == '\\') {
        step_to(at_ + 2);
      } else if (letter == '(' && at_ > start && text_[at_ - 1] == '=') {
        token.kind = ShellToken::Kind::Array;
        token.raw = text_.substr(start, at_ - start);
        step();
        token.items = items(token);
        return token;
      } else if (std::string_view(" \t\r\n;&|<>()").find(letter) != std::string_view::npos) {
        break;
      } else {
        step();
      }
    }
    token.raw = text_.substr(start, at_ - start);
    return token;
  }

  std::vector<ShellToken> items(const ShellToken& array) {
    std::vector<ShellToken> found;
    while (std::optional<ShellToken> token = next()) {
      if (token->kind == ShellToken::Kind::Operator && token->raw == ")") {
        return found;
      }
      if (token->kind != ShellToken::Kind::Operator) {
        found.push_back(std::move(*token));
      }
    }
    throw InputError(
        Problem{array.position, "the array that opens here is not closed", "", array.source_line});
  }

  /// The word that ends a here-document, which stands behind its "<<".
  std::string end_of_here_document() {
    at_ += at_ < text_.size() && text_[at_] == '-' ? 1 : 0;
    skip_blanks();
    std::string end;
    literal_here_ = false;
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n;|").find(text_[at_]) == std::string_view::npos) {
      if (std::string_view("'\"\\").find(text_[at_]) == std::string_view::npos) {
        end += text_[at_];
      } else {
        literal_here_ = true;
      }
      step();
    }
    return end;
  }
  /// The lines between this one and that which ends the document, in quotes: in single ones where
  /// its end is quoted, so that nothing in it is expanded.
  ShellToken here_document() const {
    ShellToken word = token_here(ShellToken::Kind::Word);
    const char quote = literal_here_ ? '\'' : '"';
    const std::string inner = literal_here_ ? "'\\''" : "\\\"";
    for (std::size_t line = line_ + 1; line < lines_.size(); ++line) {
      const std::size_t first = lines_[line].find_first_not_of(" \t");
      if (first != std::string_view::npos && lines_[line].substr(first) == ends_here_) {
        break;
      }
      for (const char letter : std::string(lines_[line]) + "\n") {
        word.raw += letter == quote ? inner : std::string(1, letter);
      }
    }
    word.raw = quote + word.raw + quote;
    return word;
  }
  void skip_here_document() {
    while (!ends_here_.empty() && at_ < text_.size()) {
      const std::string_view line = lines_[line_];
      const std::size_t first = line.find_first_not_of(" \t");
      const bool last = first != std::string_view::npos && line.substr(first) == ends_here_;
      step_to(std::min(text_.find('\n', at_), text_.size() - 1) + 1);
      if (last) {
        ends_here_.clear();
      }
    }
  }

  const std::string& text_;
  const std::string& name_;
  std::vector<std::string_view> lines_;
  std::string ends_here_;
  bool literal_here_ = false;  // its end is quoted
  std::size_t at_ = 0;
  std::size_t line_ = 0;
  std::size_t line_start_ = 0;
};

}  // namespace

std::vector<ShellToken> shell_tokens(const std::string& text, const std::string& name) {
  return ShellLexer(text, name).read();
}

}  // namespace danlu
