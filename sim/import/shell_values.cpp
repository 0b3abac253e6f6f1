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

/// A sum by recursive descent: sums of products of signs and parentheses.
class SumReader {
 public:
  explicit SumReader(const std::string& text) : text_(text) {}

  std::optional<long> read() {
    const long value = sum();
    skip();
    return good_ && at_ == text_.size() ? std::optional(value) : std::nullopt;
  }

 private:
  void skip() { at_ = std::min(text_.find_first_not_of(" \t\n", at_), text_.size()); }
  char peek() {
    skip();
    return at_ < text_.size() ? text_[at_] : '\0';
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
    if (peek() == '-') {
      ++at_;
      long sign = -1;
      for (; peek() == '-'; ++at_) {
        sign = -sign;
      }
      return sign * factor();
    }
    if (peek() == '(') {
      ++at_;
      const long value = ++depth_ < 100 ? sum() : 0;
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
  WordExpander(const ShellVariables& variables, const ShellToken& token, int depth)
      : variables_(variables), token_(token), depth_(depth) {}

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

  /// Marked, and in one piece wherever its text goes.
  void add_unknown(const std::string& text) {
    std::string marked = kUnknown + text;
    std::replace_if(
        marked.begin(), marked.end(),
        [](char letter) { return letter == ' ' || letter == '\t' || letter == '\n'; },
        kUnknownBlank);
    current().text += marked;
  }
  /// Text of a variable; outside quotes blanks part words.
  void add_text(const ShellWord& word, bool quoted) {
    if (quoted || !splits_) {
      if (!current_) {
        current().position = word.position;
        current().source_line = word.source_line;
      }
      current().text += word.text;
      return;
    }
    for (const char letter : word.text) {
      if (letter == ' ' || letter == '\t' || letter == '\n') {
        finish();
      } else {
        if (!current_) {
          current().position = word.position;
          current().source_line = word.source_line;
        }
        current().text += letter;
      }
    }
  }

  void walk(const std::string& raw, bool quoted) {
    for (std::size_t i = 0; i < raw.size();) {
      const char letter = raw[i];
      if (letter == '\\' && i + 1 < raw.size()) {
        current().text += raw[i + 1] == '\n' ? "" : raw.substr(i + 1, 1);
        i += 2;
      } else if (letter == '\'' && !quoted) {
        const std::size_t end = end_of_group(raw, i);
        current().text += raw.substr(i + 1, end - i - 2);
        i = end;
      } else if (letter == '"') {
        const std::size_t end = end_of_group(raw, i);
        if (end == std::string::npos) {
          current().text += letter;
          ++i;
          continue;
        }
        const std::string inside = raw.substr(i + 1, end - i - 2);
        if (inside.find("[@]}") == std::string::npos) {
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
        current().text += letter;
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
      add_unknown(raw.substr(at, end - at));
      return end;
    }
    add_variable(raw.substr(at + 1, end - at - 1), raw.substr(at, end - at), quoted);
    return end;
  }

  const ShellVariables::Variable* find(const std::string& name) const {
    const auto found = variables_.variables_.find(name);
    return found == variables_.variables_.end() ? nullptr : &found->second;
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

  /// What stands between "${" and "}".
  void add_braced(const std::string& inside, bool quoted) {
    std::size_t end = 0;
    while (end < inside.size() && is_name_letter(inside[end])) {
      ++end;
    }
    const std::string name = inside.substr(0, end);
    const std::string rest = inside.substr(end);
    const std::string written = fmt::format("${{{}}}", inside);
    const ShellVariables::Variable* variable = find(name);
    if (rest.empty()) {
      add_variable(name, written, quoted);
    } else if (rest == "[@]" || rest == "[*]") {
      if (variable == nullptr) {
        add_unknown(written);
        return;
      }
      for (const ShellWord& word : variable->words) {
        finish();
        add_text(word, quoted);
      }
      finish();
    } else if ((rest.starts_with(":-") || rest.starts_with(":=") || rest.starts_with("-") ||
                rest.starts_with("=")) &&
               depth_ < kDeepest) {
      const bool empty = variable != nullptr && !variable->words.empty() &&
                         variable->words.front().text.empty() && rest.starts_with(':');
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
  bool splits_ = true;  // outside quotes
  std::vector<ShellWord> words_;
  std::optional<ShellWord> current_;
};

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
      variables_[name] = {.words = {{fmt::format("{}${}", kUnknown, name), false, token.position,
                                     token.source_line}}};
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

std::vector<ShellWord> ShellVariables::expand(const ShellToken& token) const {
  return WordExpander(*this, token, 0).expand(token.raw);
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
