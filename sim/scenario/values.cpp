#include "sim/scenario/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "sim/base/files_read.hpp"

namespace danlu {
namespace {

constexpr std::size_t kLargestFile = 1 << 20;

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& why,
                         const std::string& hint = "") {
  throw InputError(Problem{{file.string(), 0, 0}, why, hint, ""});
}

}  // namespace

std::optional<NumberRange> parse_range(std::string_view name) {
  constexpr std::size_t kMostDigits = 7;
  const auto is_number = [](std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos &&
           text.size() <= kMostDigits && (text == "0" || text[0] != '0');
  };
  const std::size_t dash = name.find('-');
  const std::string first(name.substr(0, dash));
  const std::string last(dash == std::string_view::npos ? first : name.substr(dash + 1));
  if (!is_number(first) || !is_number(last) || std::stoi(first) > std::stoi(last)) {
    return std::nullopt;
  }
  return NumberRange{std::stoi(first), std::stoi(last)};
}

const Value& Values::at(std::string_view path) const {
  const auto found = values_.find(path);
  check(found != values_.end(), fmt::format("no value at '{}'", path));
  return found->second;
}

bool Values::misses(std::string_view path) const {
  const auto covers = [&](const std::string& wrong) {
    return wrong.empty() || path == wrong || path.starts_with(wrong + ".");
  };
  return !has(path) && std::none_of(wrong_.begin(), wrong_.end(), covers);
}

bool Values::has_below(std::string_view prefix) const {
  const auto first = values_.lower_bound(prefix);
  return first != values_.end() && first->first.starts_with(prefix);
}

void Values::set_whole(const std::string& path, Value place) {
  sections_[path] = std::move(place);
  whole_.insert(path);
}

std::vector<std::string> Values::paths() const {
  std::vector<std::string> found;
  for (const auto& entry : values_) {
    found.push_back(entry.first);
  }
  return found;
}

std::vector<std::string> Values::names(std::string_view section) const {
  const std::string prefix = section.empty() ? "" : std::string(section) + ".";
  std::set<std::string> found;
  for (const auto* table : {&values_, &sections_}) {
    for (auto at = table->lower_bound(prefix); at != table->end() && at->first.starts_with(prefix);
         ++at) {
      const std::string rest = at->first.substr(prefix.size());
      found.insert(rest.substr(0, rest.find('.')));
    }
  }
  found.erase("");
  return {found.begin(), found.end()};
}

std::map<int, double> Values::numbers(std::string_view section) const {
  const std::string prefix = std::string(section) + ".";
  std::map<int, double> found;
  for (auto at = values_.lower_bound(prefix); at != values_.end() && at->first.starts_with(prefix);
       ++at) {
    found[std::stoi(at->first.substr(prefix.size()))] = at->second.number;
  }
  return found;
}

std::vector<std::string> Values::names_below(std::string_view section) const {
  const std::string prefix = std::string(section) + ".";
  std::vector<std::string> found;
  for (auto at = values_.lower_bound(prefix); at != values_.end() && at->first.starts_with(prefix);
       ++at) {
    found.push_back(at->first.substr(prefix.size()));
  }
  std::sort(found.begin(), found.end(),
            [](const std::string& a, const std::string& b) { return std::stoi(a) < std::stoi(b); });
  return found;
}

void Values::erase_tree(std::string_view path) {
  for (auto* table : {&values_, &sections_}) {
    std::erase_if(*table, [&](const auto& entry) {
      return entry.first == path || entry.first.starts_with(std::string(path) + ".");
    });
  }
}

void Values::overlay(const Values& other) {
  for (const std::string& section : other.whole_) {
    erase_tree(section);
    whole_.insert(section);
  }
  ++layers_;
  for (const auto& [path, value] : other.values_) {
    values_[path] = value;
    values_[path].layer = layers_;
  }
  for (const auto& [path, place] : other.sections_) {
    sections_[path] = place;
  }
  wrong_.insert(other.wrong_.begin(), other.wrong_.end());
}

Values Values::below(std::string_view prefix) const {
  Values inner;
  for (const auto& [path, value] : values_) {
    if (path.starts_with(prefix)) {
      inner.values_[path.substr(prefix.size())] = value;
    }
  }
  for (const auto& [path, place] : sections_) {
    if (path.starts_with(prefix)) {
      inner.sections_[path.substr(prefix.size())] = place;
    } else if (prefix.starts_with(path) && prefix.size() == path.size() + 1) {
      inner.sections_[""] = place;
    }
  }
  for (const std::string& section : whole_) {
    if (section.starts_with(prefix)) {
      inner.whole_.insert(section.substr(prefix.size()));
    }
  }
  return inner;
}

Problem Values::problem(std::string_view path, std::string message, std::string hint) const {
  const Value* at = nullptr;
  std::string_view rest = path;
  if (const auto value = values_.find(path); value != values_.end()) {
    at = &value->second;
  }
  while (at == nullptr) {
    const auto section = sections_.find(rest);
    if (section != sections_.end()) {
      at = &section->second;
    } else if (rest.empty()) {
      return {{}, std::move(message), std::move(hint), ""};
    }
    const std::size_t dot = rest.rfind('.');
    rest = dot == std::string_view::npos ? "" : rest.substr(0, dot);
  }
  return {at->position, std::move(message), std::move(hint), at->source_line};
}

Problem Values::relation_problem(std::span<const std::string> paths, std::string message,
                                 std::string hint) const {
  const auto overridden = std::find_if(paths.begin(), paths.end(), [&](const std::string& path) {
    return has(path) && at(path).position.line == 0;
  });
  return problem(overridden == paths.end() ? paths.front() : *overridden, std::move(message),
                 std::move(hint));
}

void check_required(const Values& values, std::span<const KeyRow> keys,
                    std::vector<Problem>& problems) {
  for (const KeyRow& row : keys) {
    const bool few = problems.size() < kMostProblems;
    const bool of_many = row.path.find_first_of("*#") != std::string::npos;
    if (few && !of_many && row.fallback == "required" && values.misses(row.path)) {
      std::string hint = row.text;
      if (hint.starts_with("A ") ||
          (hint.size() > 1 && std::islower(static_cast<unsigned char>(hint[1])) != 0)) {
        hint[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(hint[0])));
      }
      problems.push_back(
          values.problem(row.path, fmt::format("missing key '{}'", row.path), std::move(hint)));
    }
  }
}

std::string read_text_file(const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error)) {
    refuse(file, "is a directory, not a file");
  }
  FilesRead::note(file);
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    refuse(file, fmt::format("cannot be opened: {}", std::strerror(errno)));
  }
  std::string text(kLargestFile + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (text.size() > kLargestFile) {
    refuse(file, "is larger than 1 MiB", "no input of danlu is that long");
  }
  if (text.find('\0') != std::string::npos) {
    refuse(file, "is not a text file: it holds zero bytes");
  }
  return text;
}

}  // namespace danlu
