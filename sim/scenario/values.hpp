// A YAML file checked against a table of keys becomes Values: typed values by key path, each with
// its place in the file. The only user of yaml-cpp; it guards that library's habits (duplicate
// keys, octal numbers, yes/no, NaN, merge keys, missing marks).
#pragma once

#include <array>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/error.hpp"
#include "sim/scenario/keys.hpp"
#include "sim/scenario/sweep_spec.hpp"

namespace danlu {

/// The most problems that are shown; the rest is only mentioned.
inline constexpr std::size_t kMostProblems = 20;

/// "3" or "4-7", as the name of an entry.
struct NumberRange {
  int first = 0;
  int last = 0;
};
std::optional<NumberRange> parse_range(std::string_view name);

/// A line of a text, and where it begins.
struct TextLine {
  std::string text;
  SourcePosition position;  // line 0: from the command line
  std::string source_line;
};

/// One value, in base units, and where it stands.
struct Value {
  std::string text;                          // as written
  double number = 0;                         // Count, Number, Quantity; Flag: 0 or 1
  bool in_steps = false;                     // an Interval whose number counts steps
  std::vector<double> numbers;               // Counts, Durations
  std::vector<std::array<double, 3>> links;  // GPU, GPU, count or share
  std::vector<TextLine> lines;               // Lines
  SweepSpec swept;                           // Swept, SweptRows
  SourcePosition position;                   // line 0: from the command line
  std::string source_line;
  std::string origin;  // where it comes from if from no file: "model preset gpt3-175b"
  double factor = 0;   // "2x": that many times what lies below it; 0: a value of its own
  std::string scaled;  // "2x", of a value that was such a factor
  std::string note;    // what was assumed for it, to be told if the value stands in the end
  int layer = 0;       // in Values that were laid over others: which of them it came with
};

class Values {
 public:
  bool has(std::string_view path) const { return values_.find(path) != values_.end(); }
  /// The value at `path`, which has() says is there.
  const Value& at(std::string_view path) const;

  /// Puts `value` at `path`, replacing what was there.
  void set(const std::string& path, Value value) { values_[path] = std::move(value); }
  void set_section(const std::string& path, Value place) { sections_[path] = std::move(place); }
  /// A section that replaces another as a whole: a list, or a duration that is written alone.
  void set_whole(const std::string& path, Value place);
  /// Remembers that something stands at `path` that could not be read.
  void set_wrong(const std::string& path) { wrong_.insert(path); }
  /// Whether nothing stands at `path`, not even something that could not be read.
  bool misses(std::string_view path) const;
  /// Whether something at, below or above `path` could not be read.
  bool is_wrong(std::string_view path) const;
  /// Whether there is a value below `prefix` ("cluster.").
  bool has_below(std::string_view prefix) const;
  /// Where there are values.
  std::vector<std::string> paths() const;
  /// The names of what stands right below a section.
  std::vector<std::string> names(std::string_view section) const;
  /// What stands right below a section whose keys are whole numbers, by number.
  std::map<int, double> numbers(std::string_view section) const;
  /// The names right below a section ("4-7"), in the order of the first number.
  std::vector<std::string> names_below(std::string_view section) const;
  /// With which of the Values laid over one another that at `path` came; -1 where nothing stands.
  int layer_of(std::string_view path) const { return has(path) ? at(path).layer : -1; }
  /// Removes everything at and below `path`.
  void erase_tree(std::string_view path);
  /// Takes over all of `other`'s values, which win; those that are factors multiply what is there.
  void overlay(const Values& other);
  /// Forgets what only repeats a preset: it is the preset's.
  void forget_repeats(const Values& preset);
  /// Puts a preset under these values, which win; factors multiply what the preset has.
  void lay_over(const Values& preset);
  /// Puts all of `inner` below `prefix` ("cluster."), replacing what was there.
  void set_below(std::string_view prefix, const Values& inner);
  /// Multiplies what `below` has by the factors that stand here.
  void scale(const Values& below);
  /// Whether a section stands at `path`, even an empty one.
  bool has_section(std::string_view path) const { return sections_.contains(path); }
  /// The values and sections below `prefix` ("cluster."), without it.
  Values below(std::string_view prefix) const;

  /// A problem shown at the value of `path`, or at the nearest section above it.
  Problem problem(std::string_view path, std::string message, std::string hint = "") const;
  /// A problem of several keys together, shown at the first of them, or at the first that the
  /// command line set: that is what the user touched last.
  Problem relation_problem(std::span<const std::string> paths, std::string message,
                           std::string hint = "") const;

 private:
  /// Whether what stands at `path` belongs to a section that replaces another as a whole.
  bool is_in_whole(std::string_view path) const;

  std::map<std::string, Value, std::less<>> values_;
  std::map<std::string, Value, std::less<>> sections_;  // only their places
  std::set<std::string, std::less<>> wrong_;
  std::set<std::string, std::less<>> whole_;
  int layers_ = 0;
};

/// What is wrong with a value, and what to do about it.
struct Complaint {
  std::string message;
  std::string hint;
};

/// Checks `value.text` against its row and fills in its number; says what is wrong with it.
std::optional<Complaint> read_scalar(const KeyRow& row, Value& value);

/// The words of a list "[core_attn, mlp]", or its lists: "none" and "[core_attn, mlp]" of
/// "[none, [core_attn, mlp]]".
std::vector<std::string_view> words_in(std::string_view list);

/// The row's default as a value, if it has one.
std::optional<Value> fallback_of(const KeyRow& row);

/// Reads YAML text against `keys`. What is wrong goes to `problems`; what is right is returned.
/// `under` puts the document at a key path ("training.micro_batch" for --set, whose problems have
/// no line), "" at the root.
Values read_values(const std::string& yaml, const std::string& file, std::span<const KeyRow> keys,
                   std::string_view under, std::vector<Problem>& problems);

/// Puts "key.path=value" of the command line over `values`.
void apply_override(const std::string& override_text, std::span<const KeyRow> keys, Values& values,
                    std::vector<Problem>& problems);

/// Problems with factors ("2x"): one with nothing below it, and one that leads out of the range of
/// its key. A key's default is below it.
void check_factors(Values& values, std::span<const KeyRow> keys, std::vector<Problem>& problems);

/// A problem for every required key that `values` lacks, and which then counts as wrong.
void check_required(Values& values, std::span<const KeyRow> keys, std::vector<Problem>& problems);

/// The whole of a text file of at most 1 MiB. Throws InputError saying why it cannot be read.
std::string read_text_file(const std::filesystem::path& file);

}  // namespace danlu
