#include "sim/report/counted_notes.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace danlu {
namespace {

bool is_of_number(char letter) {
  return (letter >= '0' && letter <= '9') || letter == '.';
}

/// The note with # for every number.
std::string without_numbers(std::string_view note) {
  std::string text;
  for (const char letter : note) {
    const bool goes_on = !text.empty() && text.back() == '#' && is_of_number(letter);
    if (!goes_on) {
      text += letter >= '0' && letter <= '9' ? '#' : letter;
    }
  }
  return text;
}

struct Counted {
  std::string shape;  // the note without its numbers
  std::string first;
  std::size_t runs = 0;
  bool differs = false;
};

}  // namespace

std::vector<std::string> counted_notes(std::span<const std::vector<std::string>> runs,
                                       std::string_view what) {
  std::vector<Counted> counted;
  for (const std::vector<std::string>& notes : runs) {
    std::set<std::string> seen;
    for (const std::string& note : notes) {
      const std::string shape = without_numbers(note);
      auto found = std::find_if(counted.begin(), counted.end(),
                                [&](const Counted& one) { return one.shape == shape; });
      if (found == counted.end()) {
        found = counted.insert(counted.end(), Counted{.shape = shape, .first = note});
      }
      found->differs |= found->first != note;
      found->runs += seen.insert(shape).second ? 1 : 0;
    }
  }
  std::stable_sort(counted.begin(), counted.end(),
                   [](const Counted& a, const Counted& b) { return a.runs > b.runs; });
  std::vector<std::string> lines;
  for (const Counted& note : counted) {
    const std::string of = runs.size() == 1 ? ""
                           : note.runs == runs.size()
                               ? fmt::format("all {} {}", runs.size(), what)
                               : fmt::format("{} of {} {}", note.runs, runs.size(), what);
    const std::string_view differs = note.differs ? ", with other numbers" : "";
    lines.push_back(of.empty() ? note.first : fmt::format("{}{}: {}", of, differs, note.first));
  }
  return lines;
}

}  // namespace danlu
