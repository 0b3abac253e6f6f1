#include "sim/import/shell.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>

#include "sim/base/text.hpp"
#include "sim/import/shell_values.hpp"

namespace danlu {
namespace {

using Tokens = std::vector<ShellToken>;
using Truth = std::optional<bool>;  // nothing: only known to who runs the script

bool is_operator(const ShellToken& token, std::string_view what) {
  return token.kind == ShellToken::Kind::Operator && token.raw == what;
}

/// `[ a = b ]`, `[[ a == b && -z c ]]`: three-valued, since not every word is known.
class Condition {
 public:
  Condition(const ShellVariables& variables, const Tokens& tokens)
      : variables_(variables), tokens_(tokens) {}

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
    for (; at_ < tokens_.size() && !is_operator(tokens_[at_], "&&") &&
           !is_operator(tokens_[at_], "||");
         ++at_) {
      const std::string& raw = tokens_[at_].raw;
      if (raw == "[" || raw == "[[" || raw == "]" || raw == "]]") {
        continue;
      }
      if (tokens_[at_].kind == ShellToken::Kind::Operator) {
        words.push_back({raw, true, {}, ""});
        continue;
      }
      const std::vector<ShellWord> expanded = variables_.expand(tokens_[at_]);
      words.push_back(expanded.size() == 1 ? expanded[0] : ShellWord{"", expanded.empty(), {}, ""});
    }
    const bool negated = !words.empty() && words[0].text == "!";
    if (negated) {
      words.erase(words.begin());
    }
    const Truth plain = compare(words);
    return plain ? Truth(*plain != negated) : plain;
  }

  static Truth compare(const std::vector<ShellWord>& words) {
    if (std::any_of(words.begin(), words.end(), [](const ShellWord& w) {
          return w.text.find(kUnknown) != std::string::npos;
        })) {
      return std::nullopt;
    }
    if (words.size() == 2 && (words[0].text == "-z" || words[0].text == "-n")) {
      return words[1].text.empty() == (words[0].text == "-z");
    }
    if (words.size() != 3) {
      return std::nullopt;
    }
    const std::string& how = words[1].text;
    if (how == "=" || how == "==" || how == "!=") {
      return (words[0].text == words[2].text) == (how != "!=");
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

  const ShellVariables& variables_;
  const Tokens& tokens_;
  std::size_t at_ = 0;
};

/// Goes through the statements. One class: blocks decide whether statements count.
class ScriptReader {
 public:
  explicit ScriptReader(Tokens tokens) : tokens_(std::move(tokens)) {}

  ShellScript read() {
    for (std::size_t at = 0; at < tokens_.size();) {
      Tokens statement;
      for (; at < tokens_.size() && !ends_statement(tokens_[at]); ++at) {
        statement.push_back(tokens_[at]);
      }
      if (!statement.empty() && is_word(statement[0], {"if", "elif"})) {
        while (at < tokens_.size() && !is_operator(tokens_[at], ";")) {  // the whole condition
          statement.push_back(tokens_[at++]);
        }
      }
      ++at;
      take(statement);
    }
    return choose();
  }

 private:
  enum class Block { Runs, Skipped, Maybe, Done };  // Done: another branch was taken

  static bool ends_statement(const ShellToken& token) {
    return token.kind == ShellToken::Kind::Operator && token.raw != "<" && token.raw != ">" &&
           token.raw != ">>" && token.raw != "<<" && token.raw != "<<<";
  }
  static bool is_word(const ShellToken& token, std::initializer_list<std::string_view> words) {
    return token.kind == ShellToken::Kind::Word &&
           std::find(words.begin(), words.end(), token.raw) != words.end();
  }

  bool runs() const {
    return std::all_of(blocks_.begin(), blocks_.end(),
                       [](Block block) { return block == Block::Runs; });
  }
  bool may_run() const {
    return std::all_of(blocks_.begin(), blocks_.end(),
                       [](Block block) { return block == Block::Runs || block == Block::Maybe; });
  }

  static Block block_of(Truth truth) {
    return !truth ? Block::Maybe : *truth ? Block::Runs : Block::Skipped;
  }

  void take(Tokens statement) {
    while (!statement.empty()) {
      const ShellToken& first = statement[0];
      if (is_word(first, {"if", "elif"})) {
        const Tokens test(statement.begin() + 1, statement.end());
        const Truth truth = Condition(variables_, test).value();
        if (first.raw == "if") {
          blocks_.push_back(block_of(truth));
        } else if (!blocks_.empty()) {
          Block& block = blocks_.back();
          block = block == Block::Skipped ? block_of(truth)
                  : block == Block::Maybe ? Block::Maybe
                                          : Block::Done;
        }
        return;
      }
      if (is_word(first, {"else"}) && !blocks_.empty()) {
        Block& block = blocks_.back();
        block = block == Block::Skipped ? Block::Runs
                : block == Block::Maybe ? Block::Maybe
                                        : Block::Done;
      } else if (is_word(first, {"for", "while", "until", "case", "select"})) {
        blocks_.push_back(Block::Maybe);
        return;
      } else if (is_word(first, {"fi", "done", "esac"})) {
        if (!blocks_.empty()) {
          blocks_.pop_back();
        }
      } else if (!is_word(first, {"then", "do", "{", "}", "!", "time"})) {
        run(statement);
        return;
      }
      statement.erase(statement.begin());
    }
  }

  void run(const Tokens& statement) {
    if (!may_run()) {
      return;
    }
    std::size_t first = 0;
    if (is_word(statement[0], {"export", "local", "declare", "readonly", "typeset"})) {
      for (first = 1; first < statement.size(); ++first) {
        assign(statement[first]);
      }
      return;
    }
    while (first < statement.size() && is_assignment(statement[first])) {
      ++first;
    }
    if (first == statement.size()) {
      for (const ShellToken& token : statement) {
        assign(token);
      }
      return;
    }
    std::vector<ShellWord> command;
    for (std::size_t i = first; i < statement.size(); ++i) {
      if (statement[i].kind == ShellToken::Kind::Operator) {
        ++i;  // where output goes, or input comes from
        continue;
      }
      for (const ShellWord& word : variables_.expand(statement[i])) {
        add_parts(word, command);
      }
    }
    if (!command.empty()) {
      commands_.push_back(std::move(command));
    }
  }

  static bool is_assignment(const ShellToken& token) {
    ShellVariables scratch;
    return scratch.assign(token, false);
  }

  void assign(const ShellToken& token) {
    if (!variables_.assign(token, runs()) || runs()) {
      return;
    }
    uncertain_.push_back(fmt::format("{} (line {})",
                                     shown(token.raw.substr(0, token.raw.find_first_of("+="))),
                                     token.position.line));
  }

  /// A word that holds several, as "--flag value" in an array or a command in quotes.
  static void add_parts(const ShellWord& word, std::vector<ShellWord>& command) {
    const bool several = word.text.find_first_of(" \n\t") != std::string::npos &&
                         word.text.find("--") != std::string::npos;
    for (std::size_t from = 0; from <= word.text.size();) {
      const std::size_t to =
          several ? std::min(word.text.find_first_of(" \n\t", from), word.text.size())
                  : word.text.size();
      if (!several || to > from) {
        ShellWord one = word;
        one.text = word.text.substr(from, to - from);
        one.known = one.text.find(kUnknown) == std::string::npos;
        one.text.erase(std::remove(one.text.begin(), one.text.end(), kUnknown), one.text.end());
        std::replace(one.text.begin(), one.text.end(), kUnknownBlank, ' ');
        command.push_back(std::move(one));
      }
      from = to + 1;
    }
  }

  static long flags_in(const std::vector<ShellWord>& command) {
    return std::count_if(command.begin(), command.end(), [](const ShellWord& word) {
      return word.text.starts_with("--") && word.text.size() > 2;
    });
  }
  static bool starts_python(const std::vector<ShellWord>& command) {
    return std::any_of(command.begin(), command.end(),
                       [](const ShellWord& word) { return word.text.ends_with(".py"); });
  }

  /// Lines that begin with a flag, which no command does: a file of arguments alone, as one.
  std::vector<ShellWord> take_bare_lines() {
    std::vector<ShellWord> bare;
    std::erase_if(commands_, [&](const std::vector<ShellWord>& command) {
      const bool is_bare = command.front().text.starts_with("--");
      if (is_bare) {
        bare.insert(bare.end(), command.begin(), command.end());
      }
      return is_bare;
    });
    return bare;
  }

  ShellScript choose() {
    std::vector<ShellWord> bare = take_bare_lines();
    if (!bare.empty()) {
      commands_.push_back(bare);
    }
    std::vector<ShellWord> best;
    long most = 0;
    for (const bool python : {true, false}) {
      for (std::vector<ShellWord>& command : commands_) {
        if (starts_python(command) == python && flags_in(command) > most) {
          most = flags_in(command);
          best = command;
        }
      }
      constexpr long kFew = 3;  // fewer are some tool's
      if (most > kFew) {
        break;
      }
    }
    std::vector<ShellWord> loose;
    for (const ShellWord& word : variables_.all_flags()) {
      add_parts(word, loose);
    }
    if (flags_in(loose) > most && !starts_python(best)) {
      notes_.emplace_back(
          "no command with flags was found: the flags of all variables are taken together");
      best = std::move(loose);
    }
    if (!bare.empty() && !best.empty() &&
        best.front().position.line != bare.front().position.line) {
      notes_.push_back(fmt::format(
          "line {} begins with a flag and is of no command (a backslash may be missing before it): "
          "what begins so is left out, {} flags",
          bare.front().position.line, flags_in(bare)));
    }
    if (!uncertain_.empty()) {
      notes_.push_back(
          fmt::format("whether the script comes to these is not known, so what they "
                      "say is left out: {}",
                      fmt::join(uncertain_, ", ")));
    }
    return {std::move(best), std::move(notes_)};
  }

  Tokens tokens_;
  ShellVariables variables_;
  std::vector<Block> blocks_;
  std::vector<std::vector<ShellWord>> commands_;
  std::vector<std::string> uncertain_;  // variables
  std::vector<std::string> notes_;
};

}  // namespace

ShellScript read_shell(const std::string& text, const std::string& name) {
  return ScriptReader(shell_tokens(text, name)).read();
}

}  // namespace danlu
