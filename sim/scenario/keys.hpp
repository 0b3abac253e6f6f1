// The tables of keys: one row per key of a scenario, a topology or a GPU file. The reader's checks,
// the JSON Schemas and the reference pages are all made from these rows.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "sim/base/units.hpp"

namespace danlu {

/// The most characters of a text.
inline constexpr std::size_t kLongestText = 1000;

enum class KeyType {
  Text,
  Count,
  Number,
  Quantity,
  Choice,
  Flag,
  Links,    // [GPU, GPU, how many]
  Shares,   // [GPU, GPU, share of the rate]
  Numbers,  // numbers by number
  Ranges,   // texts by number or range of numbers, as in 4-7
  Sources
};

/// One key. `fallback` is the default as a user would write it; "required" if there is none, "" if
/// the key may be absent without a default.
struct KeyRow {
  std::string path;  // "training.micro_batch"
  KeyType type = KeyType::Text;
  Dimension dimension = Dimension::Number;  // of a Quantity
  double minimum = 0, maximum = 0;  // of Count, Number(s), Shares and Quantity, in base units
  std::string fallback;
  std::string choices;  // of a Choice: "none|selective|full"
  std::string text;     // one sentence for people
};

std::span<const KeyRow> scenario_keys();
std::span<const KeyRow> topology_keys();
std::span<const KeyRow> gpu_keys();

/// The row of `path`, or nullptr.
const KeyRow* find_key(std::span<const KeyRow> keys, std::string_view path);

/// The row of type Numbers or Ranges whose entry `path` is ("degraded.gpus.3"), or nullptr. An
/// entry is a value of its own, so that each is checked, overridden and shown at its place.
const KeyRow* find_numbers(std::span<const KeyRow> keys, std::string_view path);

/// A limit of the row as a user would write it: "100 MB/s", "1000000".
std::string limit_text(const KeyRow& row, double number);

/// A JSON Schema (draft 07) that accepts what the reader accepts, as far as a schema can say it.
std::string json_schema(std::span<const KeyRow> keys, std::string_view title);
/// A Markdown page with a table of all keys.
std::string reference_page(std::span<const KeyRow> keys, std::string_view title,
                           std::string_view introduction);

}  // namespace danlu
