#include "sim/import/shell_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <string_view>

namespace danlu {
namespace {

bool is_name_letter(char letter) {
  return std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_';
}
bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_name_letter) &&
         std::isdigit(static_cast<unsigned char>(text.front())) == 0;
}

/// Where the name that begins at `from` ends.
std::size_t end_of_name(std::string_view text, std::size_t from) {
  while (from < text.size() && is_name_letter(text[from])) {
    ++from;
  }
  return from;
}

std::string trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\n");
  return first == std::string_view::npos
             ? ""
             : std::string(text.substr(first, text.find_last_not_of(" \t\n") - first + 1));
}

/// A sum by recursive descent: of || over && over comparisons over sums of products of signs and
/// parentheses.
class SumReader {
 public:
  explicit SumReader(const std::string& text) : text_(text) {}

  std::optional<long> read() {
    const long value = either();
    skip();
    return good_ && at_ == text_.size() ? std::optional(value) : std::nullopt;
  }

 private:
  void skip() { at_ = std::min(text_.find_first_not_of(" \t\n", at_), text_.size()); }
  char peek() {
    skip();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  bool take(std::string_view what) {
    skip();
    const bool found = text_.compare(at_, what.size(), what) == 0;
    at_ += found ? what.size() : 0;
    return found;
  }
  long either() {
    long value = both();
    while (take("||")) {
      const long other = both();
      value = value != 0 || other != 0 ? 1 : 0;
    }
    return value;
  }
  long both() {
    long value = comparison();
    while (take("&&")) {
      const long other = comparison();
      value = value != 0 && other != 0 ? 1 : 0;
    }
    return value;
  }
  long comparison() {
    const long left = sum();
    bool holds = false;
    if (take("==")) {
      holds = left == sum();
    } else if (take("!=")) {
      holds = left != sum();
    } else if (take("<=")) {
      holds = left <= sum();
    } else if (take(">=")) {
      holds = left >= sum();
    } else if (take("<")) {
      holds = left < sum();
    } else if (take(">")) {
      holds = left > sum();
    } else {
      return left;
    }
    return holds ? 1 : 0;
  }
  long sum() {
    long value = product();
    while (peek() == '+' || peek() == '-') {
      const char sign = text_[at_++];
      const long other = product();
      value = sign == '+' ? value + other : value - other;
    }
    return value;
  }
  long product() {
    long value = factor();
    while (peek() == '*' || peek() == '/' || peek() == '%') {
      const char sign = text_[at_++];
      const long other = factor();
      if (sign != '*' && other == 0) {
        good_ = false;
        return 0;
      }
      constexpr double kMost = 1e18;
      if (sign == '*' &&
          std::abs(static_cast<double>(value) * static_cast<double>(other)) > kMost) {
        good_ = false;
        return 0;
      }
      value = sign == '*' ? value * other : sign == '/' ? value / other : value % other;
    }
    return value;
  }
  long factor() {
    constexpr std::size_t kMostDigits = 15;
    constexpr int kDeepest = 100;
    if (peek() == '-') {
      ++at_;
      long sign = -1;
      for (; peek() == '-'; ++at_) {
        sign = -sign;
      }
      return sign * factor();
    }
    if (peek() == '!') {
      ++at_;
      const long value = ++depth_ < kDeepest ? factor() : 0;
      good_ = good_ && depth_ < kDeepest;
      --depth_;
      return value == 0 ? 1 : 0;
    }
    if (peek() == '(') {
      ++at_;
      const long value = ++depth_ < kDeepest ? either() : 0;
      --depth_;
      good_ = good_ && peek() == ')';
      ++at_;
      return value;
    }
    const std::size_t start = at_;
    while (at_ < text_.size() && std::isdigit(static_cast<unsigned char>(text_[at_])) != 0) {
      ++at_;
    }
    good_ = good_ && at_ > start && at_ - start <= kMostDigits;
    return good_ ? std::stol(text_.substr(start, at_ - start)) : 0;
  }

  const std::string& text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  bool good_ = true;
};

}  // namespace

std::optional<long> shell_sum(const std::string& text) {
  return SumReader(text).read();
}

/// One word of the script, letter by letter.
class WordExpander {
 public:
  WordExpander(const ShellVariables& variables, const ShellToken& token, int depth,
               bool is_pattern = false)
      : variables_(variables), token_(token), depth_(depth), is_pattern_(is_pattern) {}

  std::vector<ShellWord> expand(const std::string& raw) {
    walk(raw, false);
    finish();
    return std::move(words_);
  }
  /// The same as one text, however many words it holds.
  ShellWord expand_whole(const std::string& raw) {
    splits_ = false;
    walk(raw, false);
    return current_.value_or(new_word());
  }

 private:
  static constexpr int kDeepest = 30;
  static constexpr long kAll = 1'000'000;  // words

  ShellWord new_word() const { return {"", true, token_.position, token_.source_line}; }
  ShellWord& current() {
    if (!current_) {
      current_ = new_word();
    }
    return *current_;
  }
  void finish() {
    if (current_) {
      words_.push_back(std::move(*current_));
      current_.reset();
    }
  }

  /// Text as fnmatch() takes it for itself, where it is in quotes of a pattern.
  std::string literal(const std::string& text, bool quoted = true) const {
    std::string escaped;
    for (const char letter : text) {
      const bool is_special = std::string_view("*?[\\").find(letter) != std::string_view::npos;
      escaped += is_special && quoted && is_pattern_ ? "\\" : "";
      escaped += letter;
    }
    return escaped;
  }
  /// Marked, and in one piece wherever its text goes.
  void add_unknown(const std::string& text) {
    std::string marked = kUnknown + text;
    std::replace_if(
        marked.begin(), marked.end(),
        [](char letter) { return letter == ' ' || letter == '\t' || letter == '\n'; },
        kUnknownBlank);
    current().text += marked;
  }
  /// A word that begins with another's text stands where that does.
  void place(const ShellWord& word) {
    if (!current_) {
      current().position = word.position;
      current().source_line = word.source_line;
    }
  }
  /// Text of a variable; outside quotes blanks part words.
  void add_text(const ShellWord& word, bool quoted) {
    if (quoted || !splits_) {
      place(word);
      current().text += literal(word.text, quoted);
      return;
    }
    for (const char letter : word.text) {
      if (letter == ' ' || letter == '\t' || letter == '\n') {
        finish();
      } else {
        place(word);
        current().text += letter;
      }
    }
  }

  void walk(const std::string& raw, bool quoted) {
    for (std::size_t i = 0; i < raw.size();) {
      const char letter = raw[i];
      if (letter == '\\' && i + 1 < raw.size()) {
        current().text += raw[i + 1] == '\n' ? "" : literal(raw.substr(i + 1, 1));
        i += 2;
      } else if (letter == '\'' && !quoted) {
        const std::size_t end = end_of_group(raw, i);
        current().text += literal(raw.substr(i + 1, end - i - 2));
        i = end;
      } else if (letter == '"') {
        const std::size_t end = end_of_group(raw, i);
        if (end == std::string::npos) {
          current().text += letter;
          ++i;
          continue;
        }
        const std::string inside = raw.substr(i + 1, end - i - 2);
        const bool many =
            inside.find("[@]") != std::string::npos || inside.find("$@") != std::string::npos;
        if (!many) {
          current();
        }
        walk(inside, true);
        i = end;
      } else if (letter == '`') {
        const std::size_t end = std::min(end_of_group(raw, i), raw.size());
        add_unknown(raw.substr(i, end - i));
        i = end;
      } else if (letter == '$') {
        i = dollar(raw, i, quoted);
      } else if (!quoted && splits_ && (letter == ' ' || letter == '\t' || letter == '\n')) {
        finish();
        ++i;
      } else {
        current().text += literal({letter}, quoted);
        ++i;
      }
    }
  }

  std::size_t dollar(const std::string& raw, std::size_t at, bool quoted) {
    if (raw.compare(at, 3, "$((") == 0) {
      const std::size_t end = end_of_group(raw, at);
      add_sum(raw.substr(at, end - at));
      return end;
    }
    if (raw.compare(at, 2, "$(") == 0) {
      const std::size_t end = end_of_group(raw, at);
      add_unknown(raw.substr(at, end - at));
      return end;
    }
    if (raw.compare(at, 2, "${") == 0) {
      const std::size_t end = end_of_group(raw, at);
      add_braced(raw.substr(at + 2, end - at - 3), quoted);
      return end;
    }
    std::size_t end = at + 1;
    while (end < raw.size() && is_name_letter(raw[end])) {
      ++end;
    }
    if (end == at + 1) {  // "$@", "$#", a lone "$"
      end = std::min(end + 1, raw.size());
      const std::string written = raw.substr(at, end - at);
      written == "$@" || written == "$*" ? add_all(find("@"), written, quoted)
      : written == "$#"                  ? add_variable("#", written, quoted)
                                         : add_unknown(written);
      return end;
    }
    add_variable(raw.substr(at + 1, end - at - 1), raw.substr(at, end - at), quoted);
    return end;
  }

  const ShellVariables::Variable* find(const std::string& name) const {
    const auto found = variables_.variables_.find(name);
    if (found == variables_.variables_.end()) {
      return nullptr;
    }
    found->second.tell_use();
    return &found->second;
  }

  void add_variable(const std::string& name, const std::string& written, bool quoted) {
    const ShellVariables::Variable* variable = find(name);
    if (variable == nullptr) {
      add_unknown(written);
    } else if (!variable->words.empty()) {
      add_text(variable->words.front(), quoted);
    }
  }

  void add_sum(const std::string& written) {
    std::string inside = written.substr(3, written.size() - 5);
    for (std::size_t i = 0; i < inside.size();) {  // names stand without '$' too
      std::size_t end = i;
      while (end < inside.size() && is_name_letter(inside[end])) {
        ++end;
      }
      if (is_name(inside.substr(i, end - i)) && (i == 0 || inside[i - 1] != '{')) {
        const bool dollar = i > 0 && inside[i - 1] == '$';
        inside.insert(i, dollar ? "" : "$");
        end += dollar ? 0 : 1;
      }
      i = std::max(end, i + 1);
    }
    const ShellWord text = WordExpander(variables_, token_, depth_ + 1).expand_whole(inside);
    const std::optional<long> sum = shell_sum(text.text);
    sum ? void(current().text += std::to_string(*sum)) : add_unknown(written);
  }

  /// Each of several words by itself.
  void add_all(const ShellVariables::Variable* variable, const std::string& written, bool quoted) {
    if (variable == nullptr) {
      add_unknown(written);
      return;
    }
    if (!splits_) {  // as one text, with blanks between
      for (std::size_t i = 0; i < variable->words.size(); ++i) {
        current().text += (i > 0 ? " " : "") + literal(variable->words[i].text, quoted);
      }
      return;
    }
    for (const ShellWord& word : variable->words) {
      finish();
      add_text(word, quoted);
    }
    finish();
  }

  /// Of an array the words of "[@]:from:count", or that of "[index]".
  void add_slice(const ShellVariables::Variable* variable, const std::string& rest,
                 const std::string& written, bool quoted) {
    const bool range = rest.starts_with("[@]:") || rest.starts_with("[*]:");
    const std::size_t colon = range ? rest.find(':', 4) : std::string::npos;
    const auto number = [&](const std::string& text) {
      return shell_sum(WordExpander(variables_, token_, depth_ + 1).expand_whole(text).text);
    };
    const std::optional<long> first = depth_ >= kDeepest ? std::nullopt
                                      : range            ? number(rest.substr(4, colon - 4))
                                      : rest.ends_with(']')
                                          ? number(rest.substr(1, rest.size() - 2))
                                          : std::nullopt;
    const std::optional<long> count = !range                       ? std::optional(1L)
                                      : colon == std::string::npos ? std::optional(kAll)
                                                                   : number(rest.substr(colon + 1));
    if (variable == nullptr || !first || !count || *first < 0 || *count < 0 ||
        std::any_of(variable->words.begin(), variable->words.end(), [](const ShellWord& word) {
          return word.text.find(kUnknown) != std::string::npos;
        })) {
      add_unknown(written);
      return;
    }
    ShellVariables::Variable part{.words = {}, .array = true};
    const auto size = static_cast<long>(variable->words.size());
    for (long i = *first; i < size && i - *first < *count; ++i) {
      part.words.push_back(variable->words[static_cast<std::size_t>(i)]);
    }
    add_all(&part, written, quoted);
  }

  /// What stands between "${" and "}".
  void add_braced(const std::string& inside, bool quoted) {
    const std::size_t end = end_of_name(inside, 0);
    const std::string name = inside.substr(0, inside.starts_with('@') ? 1 : end);
    const std::string rest = inside.substr(name.size());
    const std::string written = fmt::format("${{{}}}", inside);
    const ShellVariables::Variable* variable = find(name);
    if (rest.empty()) {
      name == "@" ? add_all(variable, written, quoted) : add_variable(name, written, quoted);
    } else if (rest == "[@]" || rest == "[*]") {
      add_all(variable, written, quoted);
    } else if (rest.starts_with('[')) {
      add_slice(variable, rest, written, quoted);
    } else if ((rest.starts_with(":+") || rest.starts_with('+')) && variable != nullptr &&
               depth_ < kDeepest) {
      const bool unset = variable->words.empty();
      const std::string text = unset ? "" : variable->words.front().text;
      if (text.starts_with(kUnknown)) {
        add_unknown(written);
      } else if (rest.starts_with(':') ? !text.empty() : !unset) {
        const std::string instead = rest.substr(rest.starts_with(':') ? 2 : 1);
        add_text(WordExpander(variables_, token_, depth_ + 1).expand_whole(instead), quoted);
      }
    } else if ((rest.starts_with(":-") || rest.starts_with(":=") || rest.starts_with("-") ||
                rest.starts_with("=")) &&
               depth_ < kDeepest) {
      const bool unset = variable != nullptr && variable->words.empty() && !variable->array;
      const bool empty = unset || (variable != nullptr && !variable->words.empty() &&
                                   variable->words.front().text.empty() && rest.starts_with(':'));
      if (variable != nullptr && !empty) {
        add_variable(name, written, quoted);
        return;
      }
      const std::string fallback = rest.substr(rest.starts_with(':') ? 2 : 1);
      add_text(WordExpander(variables_, token_, depth_ + 1).expand_whole(fallback), quoted);
    } else {
      add_unknown(written);
    }
  }

  const ShellVariables& variables_;
  const ShellToken& token_;
  int depth_;
  bool is_pattern_;     // in which text in quotes stands for itself
  bool splits_ = true;  // outside quotes
  std::vector<ShellWord> words_;
  std::optional<ShellWord> current_;
};

std::vector<ShellToken> defaults_assigned(const ShellToken& token) {
  std::vector<ShellToken> assignments;
  for (std::size_t at = token.raw.find("${"); at != std::string::npos;
       at = token.raw.find("${", at + 2)) {
    const std::size_t end = end_of_name(token.raw, at + 2);
    const std::string_view rest = std::string_view(token.raw).substr(end);
    if (end == at + 2 || !(rest.starts_with(":=") || rest.starts_with('='))) {
      continue;
    }
    ShellToken assignment = token;
    assignment.raw = fmt::format("{}={}", token.raw.substr(at + 2, end - at - 2),
                                 token.raw.substr(at, end_of_group(token.raw, at) - at));
    assignments.push_back(std::move(assignment));
  }
  return assignments;
}

bool ShellVariables::assign(const ShellToken& token, bool certain) {
  const std::size_t equals = token.raw.find('=');
  if (equals == std::string::npos || equals == 0) {
    return false;
  }
  const bool adds = token.raw[equals - 1] == '+';
  const std::string name = token.raw.substr(0, equals - (adds ? 1 : 0));
  if (!is_name(name)) {
    return false;
  }
  Variable value{.words = {}, .array = token.kind == ShellToken::Kind::Array};
  if (value.array) {
    for (const ShellToken& item : token.items) {
      const std::vector<ShellWord> words = expand(item);
      value.words.insert(value.words.end(), words.begin(), words.end());
    }
  } else {
    value.words.push_back(WordExpander(*this, token, 0).expand_whole(token.raw.substr(equals + 1)));
  }
  if (!certain) {  // what it is then is not known; more of an array is left out
    if (!adds) {
      forget(name, token);
    }
    return true;
  }
  Variable& variable = variables_[name];
  if (!adds) {
    variable = std::move(value);
  } else if (value.array) {
    variable.array = true;
    variable.words.insert(variable.words.end(), value.words.begin(), value.words.end());
  } else if (variable.words.empty()) {
    variable.words = std::move(value.words);
  } else {
    variable.words.front().text += value.words.front().text;
  }
  return true;
}

std::optional<ShellVariables::Variable> ShellVariables::at(const std::string& name) const {
  const auto found = variables_.find(name);
  return found == variables_.end() ? std::nullopt : std::optional(found->second);
}

void ShellVariables::put(const std::string& name, std::optional<Variable> value) {
  if (value) {
    variables_[name] = std::move(*value);
  } else {
    variables_.erase(name);
  }
}

void ShellVariables::forget(const std::string& name, const ShellToken& token) {
  variables_[name] = {
      .words = {{fmt::format("{}${}", kUnknown, name), false, token.position, token.source_line}}};
}

std::optional<long> ShellVariables::calculate(const ShellToken& token, const std::string& text,
                                              bool certain) {
  const auto value_of = [&](const std::string& sum) -> std::optional<long> {
    return shell_sum(WordExpander(*this, token, 0).expand_whole(fmt::format("$(({}))", sum)).text);
  };
  const std::string sum = trimmed(text);
  const bool before = sum.starts_with("++") || sum.starts_with("--");
  const std::size_t start = before ? 2 : 0;
  const std::size_t end = end_of_name(sum, start);
  const std::string name = sum.substr(start, end - start);
  const std::string rest = before ? sum.substr(0, 2) : trimmed(std::string_view(sum).substr(end));
  const bool steps = (rest == "++" || rest == "--") && (!before || end == sum.size());
  const bool sets = rest.starts_with('=') && !rest.starts_with("==");
  const bool changes = rest.size() > 2 && rest[1] == '=' &&
                       std::string_view("+-*/%").find(rest[0]) != std::string_view::npos;
  if (!is_name(name) || (!steps && !sets && !changes)) {
    return value_of(sum);
  }
  const std::optional<long> now =
      steps  ? value_of(fmt::format("{} {} 1", name, rest[0]))
      : sets ? value_of(rest.substr(1))
             : value_of(fmt::format("{} {} ({})", name, rest[0], rest.substr(2)));
  if (!certain || !now) {
    forget(name, token);
    return std::nullopt;
  }
  variables_[name] = {.words = {{std::to_string(*now), true, token.position, token.source_line}}};
  if (steps && !before) {  // its value is that from before
    return rest == "++" ? *now - 1 : *now + 1;
  }
  return now;
}

std::vector<ShellWord> ShellVariables::expand(const ShellToken& token) const {
  return WordExpander(*this, token, 0).expand(token.raw);
}

ShellWord ShellVariables::expand_pattern(const ShellToken& token) const {
  return WordExpander(*this, token, 0, true).expand_whole(token.raw);
}

std::vector<ShellWord> ShellVariables::written_out(const std::vector<std::string>& names) const {
  std::vector<ShellWord> all;
  for (const std::string& name : names) {
    const std::optional<Variable> variable = at(name);
    if (variable && !variable->array && variable->words.size() == 1 &&
        variable->words[0].text.find(kUnknown) == std::string::npos) {
      variable->tell_use();
      all.push_back(variable->words[0]);
      all.back().text = name + "=" + all.back().text;
    }
  }
  return all;
}

std::vector<ShellWord> ShellVariables::all_flags() const {
  std::vector<ShellWord> words;
  for (const auto& [name, variable] : variables_) {
    for (const ShellWord& word : variable.words) {
      if (word.text.find("--") != std::string::npos || variable.array) {
        words.push_back(word);
      }
    }
  }
  return words;
}

}  // namespace danlu
