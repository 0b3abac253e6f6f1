#include "sim/import/shell_condition.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <string>

namespace danlu {

namespace shell_condition_parts {  // the folder is built as one
namespace {

using Tokens = std::vector<ShellToken>;
using Truth = ShellTruth;

/// One condition, word by word. One class: tests share where they are.
class Condition {
 public:
  Condition(ShellVariables& variables, const Tokens& tokens, bool certain)
      : variables_(variables), tokens_(tokens), certain_(certain) {}

  Truth value() {
    Truth result = test();
    while (at_ < tokens_.size()) {
      const bool both = is_operator(tokens_[at_], "&&");
      if (!both && !is_operator(tokens_[at_], "||")) {
        return std::nullopt;
      }
      ++at_;
      const Truth next = test();
      if (result && next) {
        result = both ? *result && *next : *result || *next;
      } else {  // one of them alone may decide
        const bool decides = (result && *result != both) || (next && *next != both);
        result = decides ? Truth(!both) : std::nullopt;
      }
    }
    return result;
  }

 private:
  /// The words up to the next && or ||, without brackets.
  Truth test() {
    std::vector<ShellWord> words;
    std::optional<long> sum;
    bool is_sum = false;
    bool is_test = in_brackets_;
    for (; at_ < tokens_.size() && !is_operator(tokens_[at_], "&&") &&
           !is_operator(tokens_[at_], "||");
         ++at_) {
      const ShellToken& token = tokens_[at_];
      if (token.kind == ShellToken::Kind::Sum) {
        is_sum = true;
        sum = variables_.calculate(token, token.raw, certain_);
      } else if (token.raw == "[" || token.raw == "[[" ||
                 (token.raw == "test" && words.empty() && !is_test)) {
        is_test = true;
        in_brackets_ = token.raw == "[[";
      } else if (token.raw == "]" || token.raw == "]]") {
        in_brackets_ = false;
      } else if (token.kind == ShellToken::Kind::Operator) {
        words.push_back({token.raw, true, {}, ""});
      } else {
        const std::vector<ShellWord> expanded = variables_.expand(token);
        words.push_back(expanded.size() == 1 ? expanded[0]
                                             : ShellWord{"", expanded.empty(), {}, ""});
      }
    }
    const bool negated = !words.empty() && words[0].text == "!";
    if (negated) {
      words.erase(words.begin());
    }
    const Truth plain = is_sum    ? (words.empty() && sum ? Truth(*sum != 0) : std::nullopt)
                        : is_test ? compare(words)
                                  : command(words);
    return plain ? Truth(*plain != negated) : plain;
  }

  static Truth command(const std::vector<ShellWord>& words) {
    return words.size() != 1          ? std::nullopt
           : words[0].text == "true"  ? Truth(true)
           : words[0].text == "false" ? Truth(false)
                                      : std::nullopt;
  }

  static Truth compare(const std::vector<ShellWord>& words) {
    if (std::any_of(words.begin(), words.end(), [](const ShellWord& w) {
          return w.text.find(kUnknown) != std::string::npos;
        })) {
      return std::nullopt;
    }
    if (words.size() == 1) {
      return !words[0].text.empty();
    }
    if (words.size() == 2 && (words[0].text == "-z" || words[0].text == "-n")) {
      return words[1].text.empty() == (words[0].text == "-z");
    }
    if (words.size() != 3) {
      return std::nullopt;
    }
    const std::string& how = words[1].text;
    if (how == "=" || how == "==" || how == "!=") {
      const bool pattern = words[2].text.find_first_of("*?[") != std::string::npos;
      return pattern ? std::nullopt : Truth((words[0].text == words[2].text) == (how != "!="));
    }
    const std::optional<long> left = shell_sum(words[0].text);
    const std::optional<long> right = shell_sum(words[2].text);
    if (!left || !right) {
      return std::nullopt;
    }
    return how == "-eq"   ? Truth(*left == *right)
           : how == "-ne" ? Truth(*left != *right)
           : how == "-lt" ? Truth(*left < *right)
           : how == "-le" ? Truth(*left <= *right)
           : how == "-gt" ? Truth(*left > *right)
           : how == "-ge" ? Truth(*left >= *right)
                          : std::nullopt;
  }

  ShellVariables& variables_;
  const Tokens& tokens_;
  bool certain_;
  bool in_brackets_ = false;
  std::size_t at_ = 0;
};

}  // namespace
}  // namespace shell_condition_parts

ShellTruth shell_pattern(const ShellVariables& variables, const ShellToken& subject,
                         const ShellToken& pattern) {
  if (pattern.raw == "*") {
    return true;
  }
  const std::vector<ShellWord> words = variables.expand(subject);
  const std::string word = words.empty() ? "" : words[0].text;
  const std::string glob = variables.expand_pattern(pattern).text;
  if (words.size() > 1 || word.find(kUnknown) != std::string::npos ||
      glob.find(kUnknown) != std::string::npos) {
    return std::nullopt;
  }
  return fnmatch(glob.c_str(), word.c_str(), 0) == 0;
}

ShellTruth shell_condition(ShellVariables& variables, const std::vector<ShellToken>& tokens,
                           bool certain) {
  return shell_condition_parts::Condition(variables, tokens, certain).value();
}

}  // namespace danlu
