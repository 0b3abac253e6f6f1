// Inside sim/scenario: short ways to write the rows of the tables of keys. A row is
//
//   count("model.layers", &ModelSpec::layers, 1, kMost, "", "Transformer layers")
//
// path, the member that the key fills (kByHand: it has code of its own), limits, default, help.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/base/text.hpp"
#include "sim/scenario/keys.hpp"
#include "sim/scenario/members.hpp"

namespace danlu::rows {

inline constexpr double kMost = 1e6;  // of most that one counts: layers, sequences

inline KeyRow text(std::string path, Into into, std::string fallback, std::string help) {
  return {.path = std::move(path),
          .fallback = std::move(fallback),
          .text = std::move(help),
          .member = std::move(into.member)};
}
inline KeyRow count(std::string path, Into into, double minimum, double maximum,
                    std::string fallback, std::string help) {
  return {.path = std::move(path),
          .type = KeyType::Count,
          .minimum = minimum,
          .maximum = maximum,
          .fallback = std::move(fallback),
          .text = std::move(help),
          .member = std::move(into.member)};
}
inline KeyRow number(std::string path, Into into, double minimum, double maximum,
                     std::string fallback, std::string help) {
  KeyRow row = count(std::move(path), std::move(into), minimum, maximum, std::move(fallback),
                     std::move(help));
  row.type = KeyType::Number;
  return row;
}
inline KeyRow quantity(std::string path, Into into, Dimension dimension, double minimum,
                       double maximum, std::string fallback, std::string help) {
  KeyRow row = count(std::move(path), std::move(into), minimum, maximum, std::move(fallback),
                     std::move(help));
  row.type = KeyType::Quantity;
  row.dimension = dimension;
  return row;
}
inline KeyRow flag(std::string path, Into into, std::string fallback, std::string help) {
  KeyRow row = text(std::move(path), std::move(into), std::move(fallback), std::move(help));
  row.type = KeyType::Flag;
  return row;
}
inline KeyRow choice(std::string path, Into into, std::string choices, std::string fallback,
                     std::string help) {
  KeyRow row = text(std::move(path), std::move(into), std::move(fallback), std::move(help));
  row.type = KeyType::Choice;
  row.choices = std::move(choices);
  return row;
}
/// One of `words`, each of which stands for a value of the member.
template <typename Spec, typename T>
KeyRow choice(std::string path, T Spec::*at, const std::vector<Named<T>>& words,
              std::string fallback, std::string help) {
  return choice(std::move(path), Into(member_at(at, words)), choices_of(words), std::move(fallback),
                std::move(help));
}
/// One of the names of an enum.
template <typename Spec, typename Enum>
KeyRow choice(std::string path, Enum Spec::*at, std::string fallback, std::string help) {
  return choice(std::move(path), at, words_of<Enum>(), std::move(fallback), std::move(help));
}
inline KeyRow counts(std::string path, Into into, double minimum, double maximum,
                     std::string help) {
  KeyRow row = count(std::move(path), std::move(into), minimum, maximum, "", std::move(help));
  row.type = KeyType::Counts;
  return row;
}
/// A list of whole numbers, or one of them alone.
inline KeyRow count_or_counts(std::string path, Into into, double minimum, double maximum,
                              std::string help) {
  KeyRow row = counts(std::move(path), std::move(into), minimum, maximum, std::move(help));
  row.single = true;
  return row;
}
/// One of the words `choices`, or a list of the words `parts`.
inline KeyRow words(std::string path, Into into, std::string choices, std::string parts,
                    std::string fallback, std::string help) {
  KeyRow row = choice(std::move(path), std::move(into), std::move(choices), std::move(fallback),
                      std::move(help));
  row.type = KeyType::Words;
  row.parts = std::move(parts);
  return row;
}
/// One word of an enum, or a list of them; those of `alone` stand in no list.
template <typename Spec, typename Enum>
KeyRow enum_list(std::string path, std::vector<Enum> Spec::*at, std::string help,
                 std::string fallback = "", std::optional<Enum> alone = {}) {
  const auto set = [at](Spec& spec, const Value& value) {
    const std::string_view text = value.text;
    const bool is_list = text.starts_with('[');
    (spec.*at).clear();
    if (text == "none" && !value_named<Enum>(text)) {
      return;
    }
    for (std::string_view word : split(is_list ? text.substr(1, text.size() - 2) : text, ',')) {
      word.remove_prefix(word.find_first_not_of(' '));
      (spec.*at).push_back(value_named<Enum>(word).value());
    }
  };
  const std::vector<Named<Enum>> all = words_of<Enum>();
  std::vector<Named<Enum>> parts;
  std::copy_if(all.begin(), all.end(), std::back_inserter(parts),
               [&](const Named<Enum>& word) { return word.value != alone; });
  return words(std::move(path), Member<Spec>{.set = set, .get = {}}, choices_of(all),
               choices_of(parts), std::move(fallback), std::move(help));
}
/// The same, or `none`, where those of a framework are not wanted.
template <typename Spec, typename Enum>
KeyRow enum_list_or_none(std::string path, std::vector<Enum> Spec::*at, std::string help) {
  KeyRow row = enum_list(std::move(path), at, std::move(help));
  row.choices += "|none";
  return row;
}
inline KeyRow lines(std::string path, std::string help) {
  return {.path = std::move(path), .type = KeyType::Lines, .text = std::move(help)};
}
/// Where figures come from, by key path.
inline KeyRow sources(std::string help) {
  return {.path = "sources", .type = KeyType::Sources, .text = std::move(help)};
}
/// Entries by number, which are read by hand.
inline KeyRow numbers(std::string path, double minimum, double maximum, std::string help) {
  KeyRow row = number(std::move(path), kByHand, minimum, maximum, "", std::move(help));
  row.type = KeyType::Numbers;
  return row;
}

inline KeyRow bandwidth(std::string path, Into into, double minimum, double maximum,
                        std::string fallback, std::string help) {
  return quantity(std::move(path), std::move(into), Dimension::Bandwidth, minimum, maximum,
                  std::move(fallback), std::move(help));
}
inline KeyRow duration(std::string path, Into into, std::string fallback, std::string help) {
  return quantity(std::move(path), std::move(into), Dimension::Duration, 0, 1, std::move(fallback),
                  std::move(help));
}
inline KeyRow fraction(std::string path, Into into, std::string fallback, std::string help) {
  return number(std::move(path), std::move(into), 0.01, 1, std::move(fallback), std::move(help));
}

/// A row, or several.
struct Rows {
  Rows(KeyRow row) : rows{std::move(row)} {}               // NOLINT(google-explicit-constructor)
  Rows(std::vector<KeyRow> all) : rows(std::move(all)) {}  // NOLINT(google-explicit-constructor)

  std::vector<KeyRow> rows;
};
inline std::vector<KeyRow> joined(std::initializer_list<Rows> parts) {
  std::vector<KeyRow> all;
  for (const Rows& part : parts) {
    all.insert(all.end(), part.rows.begin(), part.rows.end());
  }
  return all;
}

}  // namespace danlu::rows

namespace danlu {

/// The rows of a GPU file, of the `gpu` section of a topology, of its `node`, `fabric`,
/// `collective` and `storage` sections, and of the `faults` section, each without its name.
std::vector<KeyRow> gpu_file_keys();
std::vector<KeyRow> gpu_section_keys();
std::vector<KeyRow> node_and_fabric_keys();
std::vector<KeyRow> faults_section_keys();
/// Of the model, but for experts.
std::vector<KeyRow> model_keys();
/// Of mixtures of experts, in the sections of the model, its parallelism and training.
std::vector<KeyRow> expert_keys();
/// Of tensor ranks: how many, and what they exchange around norms, products split by columns and
/// logits.
std::vector<KeyRow> tensor_keys();
/// Of the CPUs that launch kernels.
std::vector<KeyRow> host_keys();
/// Of what is narrower than 16 bits, what the optimizer keeps, what is trained, what is fused.
std::vector<KeyRow> width_keys();

}  // namespace danlu
