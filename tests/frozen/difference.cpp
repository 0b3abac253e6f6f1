#include "tests/frozen/difference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

namespace danlu::testing {
namespace {

double relative_difference(double a, double b) {
  return a == b ? 0 : std::abs(a - b) / std::max(std::abs(a), std::abs(b));
}

double rounding() {
  const char* asked = std::getenv("FROZEN_ROUNDING");
  return asked == nullptr ? kRounding : std::strtod(asked, nullptr);
}

bool are_equal_numbers(const Json& stored, const Json& found) {
  if (!stored.is_number() || !found.is_number()) {
    return false;
  }
  const auto a = stored.get<double>();
  const auto b = found.get<double>();
  return std::abs(a - b) <= rounding() * std::max({std::abs(a), std::abs(b), kSmall});
}

/// A value in a message: one line, and not a page of it.
std::string shown(const Json& value) {
  constexpr std::size_t kMost = 120;
  const std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() <= kMost ? text : text.substr(0, kMost) + "...";
}

class Comparison {
 public:
  explicit Comparison(const std::string& document) : document_(document) {}

  void compare(const std::string& path, const Json& stored, const Json& found) {
    if (stored.is_object() && found.is_object()) {
      compare_objects(path, stored, found);
    } else if (stored.is_array() && found.is_array()) {
      compare_arrays(path, stored, found);
    } else if (stored.is_number() && found.is_number()) {
      if (!are_equal_numbers(stored, found)) {
        const double size = relative_difference(stored.get<double>(), found.get<double>());
        add(path,
            fmt::format("stored {}, found {} (relative difference {:.2g})", shown(stored),
                        shown(found), size),
            size);
      }
    } else if (stored != found) {
      add(path, fmt::format("stored {}, found {}", shown(stored), shown(found)));
    }
  }

  std::vector<Difference> take() { return std::move(found_); }

 private:
  void add(const std::string& path, std::string text, double size = Difference::kTotal) {
    found_.push_back({document_, path, std::move(text), size});
  }

  void compare_objects(const std::string& path, const Json& stored, const Json& found) {
    const std::string before = path.empty() ? "" : path + ".";
    for (const auto& [key, value] : stored.items()) {
      if (found.contains(key)) {
        compare(before + key, value, found.at(key));
      } else {
        add(before + key, fmt::format("stored {}, found nothing", shown(value)));
      }
    }
    for (const auto& [key, value] : found.items()) {
      if (!stored.contains(key)) {
        add(before + key, fmt::format("stored nothing, found {}", shown(value)));
      }
    }
  }

  void compare_arrays(const std::string& path, const Json& stored, const Json& found) {
    if (stored.size() != found.size()) {
      add(path, fmt::format("stored {} entries, found {}", stored.size(), found.size()));
    }
    for (std::size_t i = 0; i < std::min(stored.size(), found.size()); ++i) {
      compare(fmt::format("{}[{}]", path, i), stored[i], found[i]);
    }
  }

  const std::string& document_;
  std::vector<Difference> found_;
};

/// "communication[].time_s": the same place of every entry.
std::string without_numbers(const std::string& path) {
  std::string kept;
  bool inside = false;
  for (const char c : path) {
    inside = inside && c != ']';
    kept += inside ? "" : std::string(1, c);
    inside = inside || c == '[';
  }
  return kept;
}

}  // namespace

std::vector<Difference> differences(const std::string& document, const Json& stored,
                                    const Json& found) {
  Comparison comparison(document);
  comparison.compare("", stored, found);
  return comparison.take();
}

Json keep_rounding(const Json& stored, Json found) {
  if (are_equal_numbers(stored, found)) {
    return stored;
  }
  if (stored.is_object() && found.is_object()) {
    for (auto& [key, value] : found.items()) {
      value = stored.contains(key) ? keep_rounding(stored.at(key), value) : value;
    }
  } else if (stored.is_array() && found.is_array()) {
    for (std::size_t i = 0; i < std::min(stored.size(), found.size()); ++i) {
      found[i] = keep_rounding(stored[i], found[i]);
    }
  }
  return found;
}

void sort_by_size(std::vector<Difference>& differences) {
  std::stable_sort(differences.begin(), differences.end(),
                   [](const Difference& a, const Difference& b) { return a.size > b.size; });
}

std::string message(const std::vector<Difference>& differences) {
  constexpr std::size_t kListed = 10;
  std::string text;
  std::map<std::string, int> others;
  for (std::size_t i = 0; i < differences.size(); ++i) {
    const Difference& d = differences[i];
    if (i < kListed) {
      text += fmt::format("{}: {}: {}\n", d.document, d.path, d.text);
    } else {
      ++others[without_numbers(d.path)];
    }
  }
  if (!others.empty()) {
    text += fmt::format("and {} more:", differences.size() - kListed);
    for (const auto& [path, count] : others) {
      text += fmt::format(" {} x {}", count, path);
    }
    text += "\n";
  }
  return text;
}

}  // namespace danlu::testing
