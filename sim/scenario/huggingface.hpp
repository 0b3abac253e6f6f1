// A model from a config.json of Hugging Face. What a field means, and what holds where it is
// missing, depends on `model_type`: a table has a row for each.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/values.hpp"

namespace danlu {

/// A model as a configuration has it.
struct HuggingFaceModel {
  Values values;                   // of the keys of `model`, without that word
  std::vector<std::string> notes;  // what was taken from where, and what is left out
};

/// Reads `file`; `place` is where the scenario names it, `beside` what the scenario says of the
/// model itself, which stands in for fields that are missing. Throws InputError: for a type that is
/// not in the table, for a field that is missing in both or wrong, for what no key of a scenario
/// can say.
HuggingFaceModel read_huggingface(const std::filesystem::path& file, const Problem& place,
                                  const Values& beside);

/// The types of the table, in its order.
std::vector<std::string_view> huggingface_types();

/// The page that says what of a config.json becomes which key, written from the table.
std::string huggingface_page();

}  // namespace danlu
