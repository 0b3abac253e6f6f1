// The tables of keys: one row per key of a scenario, a topology or a GPU file. The reader's checks,
// the JSON Schemas and the reference pages are all made from these rows.
#pragma once

#include <any>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/units.hpp"

namespace danlu {

/// The most characters of a text.
inline constexpr std::size_t kLongestText = 1000;

/// Counts, Durations: a list of whole numbers, of durations. Interval: a duration, "N steps", or
/// one of a few words. Words: one of a few words, or a list of other words. Lines: a block of text,
/// or a list of its lines. Swept: keys with their values (yaml_swept.hpp).
enum class KeyType {
  Text,
  Count,
  Number,
  Quantity,
  Choice,
  Words,
  Flag,
  Links,    // [GPU, GPU, how many]
  Shares,   // [GPU, GPU, share of the rate]
  Numbers,  // numbers by number
  Ranges,   // texts by number or range of numbers, as in 4-7
  Sources,
  Counts,
  Durations,
  Interval,
  Lines,
  Swept,      // keys, each with a list of values
  SweptRows,  // rows of keys, each with a value
};

/// One key. `fallback` is the default as a user would write it; "required" if there is none, "" if
/// the key may be absent without a default.
///
/// A part `*` of a path stands for any name: "causes.*.mtbf" is the key of every cause. A part `#`
/// stands for the place in a list: "events.#.time" is the key of every entry, the first being 0.
struct KeyRow {
  std::string path;  // "training.micro_batch"
  KeyType type = KeyType::Text;
  Dimension dimension = Dimension::Number;  // of a Quantity
  double minimum = 0, maximum = 0;  // of Count(s), Number(s), Shares and Quantity, in base units
  std::string fallback;
  std::string choices;  // of a Choice: "none|selective|full"
  std::string parts{};  // of Words: what a list may hold
  std::string inner{};  // and what a list in it may; empty: none stands there
  bool single = false;  // of Counts: a number may stand without a list
  std::string text;     // one sentence for people
  std::any member;      // what it fills, a Member<Spec> (members.hpp); empty: it is read by hand
};

std::span<const KeyRow> scenario_keys();
std::span<const KeyRow> topology_keys();
std::span<const KeyRow> gpu_keys();
std::span<const KeyRow> faults_keys();

/// The row of `path`, or nullptr.
const KeyRow* find_key(std::span<const KeyRow> keys, std::string_view path);

/// What is left of a row's path below a section that fits its beginning ("" is the root).
std::optional<std::string_view> rest_below(std::string_view pattern, std::string_view section);
/// Whether there are keys below `path`.
bool is_section_of(std::span<const KeyRow> keys, std::string_view path);
/// The names of the keys and sections right below a section.
std::vector<std::string_view> names_below(std::span<const KeyRow> keys, std::string_view section);
/// The key that a section's only value would belong to (`model: NAME` is model.preset), or nullptr.
const KeyRow* find_short_form(std::span<const KeyRow> keys, std::string_view section);

/// The row of type Numbers or Ranges whose entry `path` is ("degraded.gpus.3"), or nullptr. An
/// entry is a value of its own, so that each is checked, overridden and shown at its place.
const KeyRow* find_numbers(std::span<const KeyRow> keys, std::string_view path);

/// A limit of the row as a user would write it: "100 MB/s", "1000000".
std::string limit_text(const KeyRow& row, double number);

/// A number of the row (Count, Number, Quantity) so that reading it gives the same number again.
std::string exact_text(const KeyRow& row, double number);

/// A JSON Schema (draft 07) that accepts what the reader accepts, as far as a schema can say it.
std::string json_schema(std::span<const KeyRow> keys, std::string_view title);
/// A Markdown page with a table of all keys.
std::string reference_page(std::span<const KeyRow> keys, std::string_view title,
                           std::string_view introduction);

}  // namespace danlu
