#include "sim/scenario/values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cmath>
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

bool Values::is_wrong(std::string_view path) const {
  const auto meets = [&](const std::string& wrong) {
    return wrong.empty() || path == wrong || path.starts_with(wrong + ".") ||
           wrong.starts_with(std::string(path) + ".");
  };
  return std::any_of(wrong_.begin(), wrong_.end(), meets);
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
  Values over = other;
  over.scale(*this);
  for (const std::string& section : over.whole_) {
    erase_tree(section);
    whole_.insert(section);
  }
  ++layers_;
  for (auto& [path, value] : over.values_) {
    value.layer = layers_;
    values_[path] = std::move(value);
  }
  for (const auto& [path, place] : other.sections_) {
    sections_[path] = place;
  }
  wrong_.insert(other.wrong_.begin(), other.wrong_.end());
}

void Values::scale(const Values& below) {
  for (auto& [path, value] : values_) {
    const auto base = below.values_.find(path);
    if (value.factor == 0 || base == below.values_.end()) {
      continue;
    }
    const Value& under = base->second;
    value.number = under.number * value.factor;
    value.factor *= under.factor;  // of a factor of a factor; otherwise 0
    if (value.scaled.empty()) {
      value.scaled = value.text;
    }
  }
}

bool Values::is_in_whole(std::string_view path) const {
  return std::any_of(whole_.begin(), whole_.end(), [&](const std::string& section) {
    return path == section || path.starts_with(section + ".");
  });
}

void Values::forget_repeats(const Values& preset) {
  const auto same = [](const Value& a, const Value& b) {
    const bool by_number = a.number != 0 && b.number != 0;  // "1 GB/s" is "1000 MB/s"
    return a.factor == 0 && a.number == b.number && a.in_steps == b.in_steps &&
           a.numbers == b.numbers && a.links == b.links && (by_number || a.text == b.text);
  };
  const auto repeats = [&](const auto& entry) {
    const auto found = preset.values_.find(entry.first);
    return found != preset.values_.end() && same(entry.second, found->second);
  };
  // A section that replaces another as a whole repeats it as a whole, or not at all.
  std::erase_if(whole_, [&](const std::string& section) {
    const auto own = below(section + ".").values_;
    return own.size() == preset.below(section + ".").values_.size() &&
           std::all_of(own.begin(), own.end(), [&](const auto& entry) {
             return repeats(std::pair(section + "." + entry.first, entry.second));
           });
  });
  std::erase_if(values_,
                [&](const auto& entry) { return repeats(entry) && !is_in_whole(entry.first); });
}

void Values::lay_over(const Values& preset) {
  scale(preset);
  for (const auto& [path, value] : preset.values_) {
    if (!is_in_whole(path)) {
      values_.emplace(path, value);
    }
  }
  for (const auto& [path, place] : preset.sections_) {
    sections_.emplace(path, place);
  }
}

void Values::set_below(std::string_view prefix, const Values& inner) {
  for (const auto& [path, value] : inner.values_) {
    values_[fmt::format("{}{}", prefix, path)] = value;
  }
  for (const auto& [path, place] : inner.sections_) {
    if (!path.empty()) {
      sections_.emplace(fmt::format("{}{}", prefix, path), place);
    }
  }
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
  for (const std::string& wrong : wrong_) {
    if (wrong.starts_with(prefix)) {
      inner.wrong_.insert(wrong.substr(prefix.size()));
    } else if (prefix.starts_with(wrong + ".") || wrong.empty()) {
      inner.wrong_.insert("");
    }
  }
  return inner;
}

Problem Values::problem(std::string_view path, std::string message, std::string hint) const {
  const Value* at = nullptr;
  std::string_view rest = path;
  const auto value = values_.find(path);
  if (value != values_.end() && value->second.origin.empty()) {
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
    return has(path) && at(path).position.line == 0 && at(path).origin.empty();
  });
  return problem(overridden == paths.end() ? paths.front() : *overridden, std::move(message),
                 std::move(hint));
}

std::optional<Value> fallback_of(const KeyRow& row) {
  Value value{.text = row.fallback};
  const bool has_one = !row.fallback.empty() && row.fallback != "required";
  return has_one && !read_scalar(row, value) ? std::optional(std::move(value)) : std::nullopt;
}

void check_factors(Values& values, std::span<const KeyRow> keys, std::vector<Problem>& problems) {
  for (const std::string& path : values.paths()) {
    Value value = values.at(path);
    const KeyRow* row = find_key(keys, path);
    if (row == nullptr || (value.factor == 0 && value.scaled.empty())) {
      continue;
    }
    if (value.factor != 0) {
      const std::optional<Value> fallback = fallback_of(*row);
      if (!fallback) {
        problems.push_back(values.problem(
            path, fmt::format("'{}' is {} of nothing: no value stands below it", path, value.text),
            "write the value itself"));
        continue;
      }
      value.number = fallback->number * value.factor;
      value.factor = 0;
      value.scaled = value.text;
    }
    const bool whole = row->type != KeyType::Count || value.number == std::floor(value.number);
    if (!whole || value.number < row->minimum || value.number > row->maximum) {
      problems.push_back(values.problem(
          path, whole
                    ? fmt::format("'{}' must lie between {} and {}, found {}, which makes {}", path,
                                  limit_text(*row, row->minimum), limit_text(*row, row->maximum),
                                  value.scaled, limit_text(*row, value.number))
                    : fmt::format("'{}' must be a whole number, found {}, which makes {}", path,
                                  value.scaled, value.number)));
      continue;
    }
    value.text = exact_text(*row, value.number);
    values.set(path, std::move(value));
  }
}

void check_required(Values& values, std::span<const KeyRow> keys, std::vector<Problem>& problems) {
  constexpr std::string_view kPreset = ".preset";  // `gpu: NAME` is gpu.preset
  for (const KeyRow& row : keys) {
    const bool few = problems.size() < kMostProblems;
    const bool of_many = row.path.find_first_of("*#") != std::string::npos;
    if (few && !of_many && row.fallback == "required" && values.misses(row.path)) {
      std::string hint = row.text;
      if (hint.starts_with("A ") ||
          (hint.size() > 1 && std::islower(static_cast<unsigned char>(hint[1])) != 0)) {
        hint[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(hint[0])));
      }
      const std::string_view name(
          row.path.data(), row.path.size() - (row.path.ends_with(kPreset) ? kPreset.size() : 0));
      problems.push_back(
          values.problem(row.path, fmt::format("missing key '{}'", name), std::move(hint)));
      values.set_wrong(row.path);
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
