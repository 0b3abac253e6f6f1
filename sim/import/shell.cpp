#include "sim/import/shell.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "sim/base/text.hpp"
#include "sim/import/shell_choice.hpp"
#include "sim/import/shell_commands.hpp"
#include "sim/import/shell_condition.hpp"
#include "sim/import/shell_statements.hpp"
#include "sim/import/shell_values.hpp"

namespace danlu {
namespace {

using Tokens = std::vector<ShellToken>;
using Part = std::span<const ShellToken>;
using Truth = ShellTruth;

/// Goes through the statements. One class of more than 150 lines: blocks, lists of && and ||, and
/// functions together decide whether a statement counts.
class ScriptReader {
 public:
  ScriptReader(ShellVariables known, std::vector<std::string> watched)
      : watched_(std::move(watched)), variables_(std::move(known)) {}

  ShellScript read(const Tokens& tokens) {
    read_all(tokens);
    ShellScript script =
        choose_command(std::move(commands_), variables_, variables_.written_out(watched_));
    if (statements_ >= kMostStatements) {
      script.notes.push_back(fmt::format(
          "with its loops and functions the script has more than {} statements: what comes after "
          "them is left out",
          kMostStatements));
    }
    for (const auto& [names, why] :
         {std::pair(uncalled(),
                    "nothing is seen to call these functions, so the flags in them are "
                    "left out"),
          std::pair(uncertain_,
                    "whether the script comes to these is not known, so what they say "
                    "is left out")}) {
      if (!names.empty()) {
        script.notes.push_back(fmt::format("{}: {}", why, fmt::join(names, ", ")));
      }
    }
    return script;
  }

 private:
  static constexpr long kMostStatements = 200'000;

  enum class Block { Runs, Skipped, Maybe, Done };  // Done: another branch was taken, or it is left

  /// What is open: `block` says whether what it holds runs, `outer` whether the list before it
  /// (`a && if ...`) comes to it.
  struct Frame {
    enum class Kind { If, Loop, Case, Group, Subshell, Call };
    Kind kind;
    Block block;
    Block outer;
    Truth status;                               // of the list before it
    std::optional<ShellToken> subject{};        // of a case: what its patterns are held against
    bool at_pattern = false;                    // of a case: a pattern comes next
    std::optional<ShellVariables> variables{};  // of a subshell: what its end brings back
  };

  struct Function {
    Tokens body;
    int line;
    bool called = false;
  };

  bool runs() const {
    return guard_ == Block::Runs && !ended_ &&
           std::all_of(frames_.begin(), frames_.end(), [](const Frame& frame) {
             return frame.block == Block::Runs && frame.outer == Block::Runs;
           });
  }
  bool may_run() const {
    const auto may = [](Block block) { return block == Block::Runs || block == Block::Maybe; };
    return may(guard_) && !ended_ &&
           std::all_of(frames_.begin(), frames_.end(),
                       [&](const Frame& frame) { return may(frame.block) && may(frame.outer); });
  }

  static Block block_of(Truth truth) {
    return !truth ? Block::Maybe : *truth ? Block::Runs : Block::Skipped;
  }

  void read_all(Part tokens) {
    for (std::size_t at = 0; at < tokens.size() && ++statements_ < kMostStatements;) {
      if (const std::size_t end = take_whole(tokens, at); end > at) {
        at = end;
        continue;
      }
      Tokens statement;
      bool brackets = false;  // [[ a && b ]] is one
      const bool is_case = is_word(tokens[at], {"case"});
      for (; at < tokens.size() && (!ends_statement(tokens[at]) || brackets); ++at) {
        if (is_case && is_word(tokens[at], {"in"})) {
          break;
        }
        brackets = is_word(tokens[at], {"[["}) ||
                   (brackets && !is_word(tokens[at], {"]]"}) && !is_operator(tokens[at], ";"));
        statement.push_back(tokens[at]);
      }
      const auto head =
          std::find_if_not(statement.begin(), statement.end(), [](const ShellToken& token) {
            return is_word(token, {"then", "do", "else", "{", "!", "time"});
          });
      if (head != statement.end() && is_word(*head, {"if", "elif"})) {
        while (at < tokens.size() && !is_operator(tokens[at], ";")) {  // the whole condition
          statement.push_back(tokens[at++]);
        }
      }
      const std::string end = at < tokens.size() && !is_case ? tokens[at].raw : ";";
      ++at;
      const bool empty = statement.empty();
      take(std::move(statement));
      go_on(end, empty);
    }
  }

  /// What is read by itself, beside statements: where it ends, or `at` where none stands there.
  std::size_t take_whole(Part tokens, std::size_t at) {
    if (is_word(tokens[at], {"then", "do", "else", "{"})) {  // and the statement behind it
      take({tokens[at]});
      return at + 1;
    }
    if (frames_.size() > floor_ && frames_.back().at_pattern) {
      return take_pattern(tokens, at);
    }
    const std::size_t end = define(tokens, at);
    return end > at ? end : unroll(tokens, at);
  }

  /// A pattern of a case, "a | b )": whether what follows it runs.
  std::size_t take_pattern(Part tokens, std::size_t at) {
    Frame& frame = frames_.back();
    if (is_operator(tokens[at], ";") || is_operator(tokens[at], "(")) {
      return at + 1;
    }
    if (is_word(tokens[at], {"esac"})) {
      frame.at_pattern = false;
      return at;
    }
    Truth matches = false;
    for (; at < tokens.size() && !is_operator(tokens[at], ")"); ++at) {
      if (tokens[at].kind == ShellToken::Kind::Word && matches != Truth(true)) {
        const Truth one = shell_pattern(variables_, *frame.subject, tokens[at]);
        matches = one == Truth(true) || matches == Truth(false) ? one : matches;
      }
    }
    frame.at_pattern = false;
    frame.block = frame.block == Block::Skipped ? block_of(matches)
                  : frame.block == Block::Maybe ? Block::Maybe
                                                : Block::Done;
    return std::min(at + 1, tokens.size());
  }

  /// for NAME in words; do ...; done, once for each word, where all are known, nothing in the loop
  /// leaves it, and there are not too many.
  std::size_t unroll(Part tokens, std::size_t at) {
    constexpr int kDeepest = 20;  // loops in loops
    if (!is_word(tokens[at], {"for"}) || at + 3 >= tokens.size() ||
        !is_word(tokens[at + 2], {"in"}) || !runs() || loops_ >= kDeepest) {
      return at;
    }
    std::vector<ShellWord> words;
    std::size_t begin = at + 3;
    for (; begin < tokens.size() && !ends_statement(tokens[begin]); ++begin) {
      const std::vector<ShellWord> more = variables_.expand(tokens[begin]);
      words.insert(words.end(), more.begin(), more.end());
    }
    const bool all_known = std::none_of(words.begin(), words.end(), [](const ShellWord& word) {
      return word.text.find(kUnknown) != std::string::npos;
    });
    while (begin < tokens.size() && is_operator(tokens[begin], ";")) {
      ++begin;
    }
    const std::size_t end = end_of_loop(tokens, begin);
    if (!all_known || end == tokens.size()) {
      return at;
    }
    const Part body = tokens.subspan(begin + 1, end - begin - 1);
    const long room = std::max(kMostStatements - statements_, 0L);
    if (leaves_loop(body) || words.size() * body.size() > static_cast<std::size_t>(room)) {
      return at;
    }
    ++loops_;
    for (const ShellWord& word : words) {
      variables_.put(tokens[at + 1].raw, ShellVariables::Variable{.words = {word}});
      read_all(body);
    }
    --loops_;
    return end + 1;
  }

  /// What the operator behind a statement says of the next one.
  void go_on(const std::string& end, bool empty) {
    if (end == "(") {
      if (frames_.empty() || frames_.back().kind != Frame::Kind::Case) {
        open(Frame::Kind::Subshell, Block::Runs);
        frames_.back().variables = variables_;
      }
      in_list_ = false;
      return;
    }
    if (end == ";;" && frames_.size() > floor_) {
      frames_.back().at_pattern = frames_.back().kind == Frame::Kind::Case;
    }
    if (end == ")") {
      if (frames_.size() > floor_ && frames_.back().kind == Frame::Kind::Subshell) {
        close();
      }
      in_list_ = false;
      return;
    }
    if (end == "&&" || end == "||") {
      guard_ = block_of(status_ ? Truth(*status_ == (end == "&&")) : status_);
      in_list_ = true;
    } else if (end == "|" || end == "|&") {
      in_list_ = true;
    } else if (end != ";" || !empty || !in_list_) {  // a list goes on behind the line's end
      guard_ = Block::Runs;
      in_list_ = false;
    }
  }

  void open(Frame::Kind kind, Block block) {
    frames_.push_back({kind, block, guard_, status_});
    guard_ = Block::Runs;
  }
  void close() {
    if (frames_.size() <= floor_) {
      return;
    }
    const Frame& frame = frames_.back();
    const bool is_list = frame.kind != Frame::Kind::If && frame.kind != Frame::Kind::Loop &&
                         frame.kind != Frame::Kind::Case;
    if (frame.outer == Block::Skipped) {
      status_ = frame.status;
    } else if (frame.outer == Block::Maybe || !is_list) {
      status_ = std::nullopt;
    }
    if (frame.variables) {
      variables_ = *frame.variables;
    }
    guard_ = frame.outer;
    frames_.pop_back();
  }

  void take(Tokens statement) {
    bool negated = false;
    while (!statement.empty()) {
      const ShellToken first = statement[0];
      const bool in_if = frames_.size() > floor_ && frames_.back().kind == Frame::Kind::If;
      if (is_word(first, {"if", "elif"})) {
        const Tokens test(statement.begin() + 1, statement.end());
        if (first.raw == "if") {
          const Truth truth = shell_condition(variables_, test, runs());
          open(Frame::Kind::If, block_of(truth));
        } else if (in_if) {
          Block& block = frames_.back().block;
          block = block == Block::Skipped ? block_of(shell_condition(variables_, test, false))
                  : block == Block::Maybe ? Block::Maybe
                                          : Block::Done;
        }
        return;
      }
      if (is_word(first, {"else"}) && in_if) {
        Block& block = frames_.back().block;
        block = block == Block::Skipped ? Block::Runs
                : block == Block::Maybe ? Block::Maybe
                                        : Block::Done;
      } else if (is_word(first, {"for", "while", "until", "case", "select"})) {
        if (is_word(first, {"for", "select"}) && statement.size() > 1 && may_run()) {
          forget(statement[1]);
        }
        if (first.raw == "case" && statement.size() > 1) {
          open(Frame::Kind::Case, Block::Skipped);
          frames_.back().subject = statement[1];
          frames_.back().at_pattern = true;
        } else {
          open(Frame::Kind::Loop, Block::Maybe);
        }
        return;
      } else if (is_word(first, {"{"})) {
        open(Frame::Kind::Group, Block::Runs);
      } else if (is_word(first, {"fi", "done", "esac", "}"})) {
        close();
      } else if (is_word(first, {"!"})) {
        negated = !negated;
      } else if (!is_word(first, {"then", "do", "time"})) {
        run(statement);
        status_ = negated && status_ ? Truth(!*status_) : status_;
        return;
      }
      statement.erase(statement.begin());
    }
  }

  /// Where a function that is defined at `at` ends; `at` where none is. Its body waits for a call.
  std::size_t define(Part tokens, std::size_t at) {
    const auto is = [&](std::size_t i, std::string_view what) {
      return i < tokens.size() && tokens[i].raw == what;
    };
    const bool keyword = is(at, "function") && at + 1 < tokens.size();
    const std::size_t name = at + (keyword ? 1 : 0);
    const bool brackets = is(name + 1, "(") && is(name + 2, ")");
    if (tokens[name].kind != ShellToken::Kind::Word || (!keyword && !brackets)) {
      return at;
    }
    std::size_t from = name + (brackets ? 3 : 1);
    while (is(from, ";")) {
      ++from;
    }
    const bool braces = is(from, "{");
    if (!braces && !is(from, "(")) {
      return at;
    }
    const std::size_t end = end_of_body(tokens, from);
    if (may_run()) {  // with the parentheses of a subshell
      const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(from + (braces ? 1 : 0));
      const std::size_t last = std::min(end + (braces ? 0 : 1), tokens.size());
      functions_[tokens[name].raw] = {
          .body =
              Tokens(begin, std::max(begin, tokens.begin() + static_cast<std::ptrdiff_t>(last))),
          .line = tokens[name].position.line};
    }
    return std::min(end + 1, tokens.size());
  }

  void call(Function& function, const std::vector<ShellWord>& arguments) {
    constexpr std::size_t kDeepest = 20;
    function.called = true;
    if (calls_.size() >= kDeepest) {
      return;
    }
    calls_.emplace_back();
    const bool all_known = std::all_of(
        arguments.begin(), arguments.end(),
        [](const ShellWord& word) { return word.text.find(kUnknown) == std::string::npos; });
    constexpr std::size_t kNumbered = 9;
    for (std::size_t i = 1; i <= kNumbered; ++i) {
      const auto argument =
          all_known && i <= arguments.size()
              ? std::optional(ShellVariables::Variable{.words = {arguments[i - 1]}})
          : all_known ? std::optional(ShellVariables::Variable{})
                      : std::nullopt;
      make_local(std::to_string(i), argument);
    }
    make_local("@", ShellVariables::Variable{.words = arguments, .array = true});
    make_local("#", all_known ? std::optional(ShellVariables::Variable{
                                    .words = {{std::to_string(arguments.size()), true, {}, ""}}})
                              : std::nullopt);
    open(Frame::Kind::Call, Block::Runs);
    const std::size_t outer_floor = floor_;
    floor_ = frames_.size();
    const Tokens body = function.body;  // which may define itself anew
    read_all(body);
    frames_.erase(frames_.begin() + static_cast<std::ptrdiff_t>(floor_), frames_.end());
    floor_ = outer_floor;
    close();
    for (auto saved = calls_.back().rbegin(); saved != calls_.back().rend(); ++saved) {
      variables_.put(saved->first, saved->second);
    }
    calls_.pop_back();
  }
  void make_local(const std::string& name, std::optional<ShellVariables::Variable> value) {
    calls_.back().emplace_back(name, variables_.at(name));
    variables_.put(name, std::move(value));
  }

  /// `read -d '' NAME <<END`: all of the document.
  void read_here_document(const Tokens& statement) {
    const ShellToken& here = statement.back();
    if (statement.size() > 3 && is_operator(here, "<<") && !here.items.empty() &&
        is_word(statement[statement.size() - 3], {"''", "\"\""})) {
      ShellToken value = here.items.front();
      value.raw = statement[statement.size() - 2].raw + "=" + value.raw;
      assign(value);
    }
  }

  /// What a command that is nothing but shell does; whether it was one.
  bool run_builtin(const Tokens& statement) {
    const ShellToken& first = statement[0];
    if (first.kind == ShellToken::Kind::Sum || is_word(first, {"[", "[[", "test"})) {
      status_ = shell_condition(variables_, statement, runs());
    } else if (is_word(first, {"true", ":"})) {
      status_ = true;
    } else if (is_word(first, {"false"})) {
      status_ = false;
    } else if (is_word(first, {"export", "local", "declare", "readonly", "typeset"})) {
      const bool local = !calls_.empty() && is_word(first, {"local", "declare", "typeset"});
      for (std::size_t i = 1; i < statement.size(); ++i) {
        if (local && is_name(statement[i])) {
          const std::string name = name_of(statement[i]);
          const bool bare = name == statement[i].raw && runs();
          make_local(name, bare ? std::optional(ShellVariables::Variable{}) : variables_.at(name));
        }
        assign(statement[i]);
      }
      status_ = true;
    } else if (is_word(first, {"unset"})) {
      for (std::size_t i = 1; i < statement.size(); ++i) {
        if (!runs()) {
          forget(statement[i]);
        } else if (is_name(statement[i])) {
          variables_.put(statement[i].raw, ShellVariables::Variable{});
        }
      }
      status_ = true;
    } else if (is_word(first, {"read", "mapfile", "readarray"})) {
      for (std::size_t i = 1; i < statement.size(); ++i) {
        forget(statement[i]);
      }
      read_here_document(statement);
      status_ = std::nullopt;
    } else if (is_word(first, {"let"})) {
      for (std::size_t i = 1; i < statement.size(); ++i) {
        const std::vector<ShellWord> text = variables_.expand(statement[i]);
        const auto value = variables_.calculate(
            statement[i], text.size() == 1 ? text[0].text : statement[i].raw, runs());
        status_ = value ? Truth(*value != 0) : std::nullopt;
      }
    } else if (is_word(first, {"exit", "return", "exec"}) && statement.size() < 3) {
      leave(first.raw == "return" ? Frame::Kind::Call : Frame::Kind::Subshell);
    } else {
      return false;
    }
    return true;
  }

  /// Nothing more of a function or a subshell runs, or of the whole script. Where it is not certain
  /// that the script comes here, it is taken to go on.
  void leave(Frame::Kind kind) {
    if (!runs()) {
      return;
    }
    const auto frame = std::find_if(frames_.rbegin(), frames_.rend(),
                                    [&](const Frame& one) { return one.kind == kind; });
    if (frame != frames_.rend()) {
      frame->block = Block::Done;
    } else {
      ended_ = true;
    }
  }

  void run(const Tokens& statement) {
    if (!may_run()) {
      return;  // and what was before decides on
    }
    const bool certain = runs();
    for (const ShellToken& token : statement) {
      for (const ShellToken& assignment : defaults_assigned(token)) {
        assign(assignment);
      }
    }
    run_now(statement);
    status_ = certain ? status_ : std::nullopt;
  }

  void run_now(const Tokens& statement) {
    if (run_builtin(statement)) {
      return;
    }
    std::size_t first = 0;
    while (first < statement.size() && is_assignment(statement[first])) {
      ++first;
    }
    if (first == statement.size()) {
      status_ = true;
      for (const ShellToken& token : statement) {
        assign(token);
        status_ =
            token.raw.find("$(") != std::string::npos && token.raw.find("$((") == std::string::npos
                ? std::nullopt
                : status_;
      }
      return;
    }
    ShellCommand command{.words = {}, .environment = variables_.written_out(watched_)};
    std::vector<ShellWord> words;
    for (std::size_t i = 0; i < statement.size(); ++i) {
      if (statement[i].kind == ShellToken::Kind::Operator) {
        ++i;  // where output goes, or input comes from
        continue;
      }
      const std::vector<ShellWord> expanded = variables_.expand(statement[i]);
      std::copy_if(
          expanded.begin(), expanded.end(), std::back_inserter(command.environment),
          [&](const ShellWord& word) { return sets_one(word, watched_); });  // also env's words
      if (i >= first) {
        words.insert(words.end(), expanded.begin(), expanded.end());
      }
    }
    if (words.empty()) {
      return;
    }
    if (const auto function = functions_.find(words[0].text); function != functions_.end()) {
      call(function->second, {words.begin() + 1, words.end()});
      return;
    }
    // These do what they say, for all that matters here; of others it is not known.
    constexpr auto kSucceed = std::to_array<std::string_view>(
        {"cd", "echo", "export", "mkdir", "module", "printf", "pushd", "popd", "set", "shopt",
         "sleep", "source", ".", "ulimit"});
    status_ = std::find(kSucceed.begin(), kSucceed.end(), words[0].text) != kSucceed.end()
                  ? Truth(true)
                  : std::nullopt;
    for (const ShellWord& word : words) {
      add_parts(word, command.words);
    }
    if (!command.words.empty()) {
      commands_.push_back(std::move(command));
    }
  }

  static std::string name_of(const ShellToken& token) {
    return token.raw.substr(0, token.raw.find_first_of("+="));
  }
  static bool is_name(const ShellToken& token) {
    ShellVariables scratch;
    return scratch.assign({.kind = ShellToken::Kind::Word,
                           .raw = name_of(token) + "=",
                           .items = {},
                           .position = token.position,
                           .source_line = ""},
                          false);
  }
  void forget(const ShellToken& token) {
    if (token.kind == ShellToken::Kind::Word && is_name(token)) {
      variables_.forget(token.raw, token);
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
    uncertain_.push_back(fmt::format("{} (line {})", shown(name_of(token)), token.position.line));
  }

  /// Functions with flags in them that nothing calls.
  std::vector<std::string> uncalled() const {
    std::vector<std::string> idle;
    for (const auto& [name, function] : functions_) {
      const bool flags = std::any_of(function.body.begin(), function.body.end(), holds_flags);
      if (!function.called && flags) {
        idle.push_back(fmt::format("{} (line {})", shown(name), function.line));
      }
    }
    return idle;
  }

  using Saved = std::pair<std::string, std::optional<ShellVariables::Variable>>;

  std::vector<std::string> watched_;
  ShellVariables variables_;
  std::vector<Frame> frames_;
  std::size_t floor_ = 0;                  // frames that the function which runs did not open
  std::vector<std::vector<Saved>> calls_;  // of each what its end brings back
  std::map<std::string, Function> functions_;
  Block guard_ = Block::Runs;  // whether the list comes to this statement
  Truth status_ = true;        // of what ran last
  bool in_list_ = false;       // an && or || waits for what follows it
  bool ended_ = false;
  long statements_ = 0;  // read so far, those of loops and functions each time
  int loops_ = 0;        // that are open and done word by word
  std::vector<ShellCommand> commands_;
  std::vector<std::string> uncertain_;  // variables
};

}  // namespace

ShellScript read_shell(const std::string& text, const std::string& name) {
  return read_shell(text, name, {}, {});
}
ShellScript read_shell(const std::string& text, const std::string& name,
                       const ShellVariables& known, std::vector<std::string> watched) {
  return ScriptReader(known, std::move(watched)).read(shell_tokens(text, name));
}

}  // namespace danlu
