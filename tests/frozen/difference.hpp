// Where a JSON document differs from the one that was stored, by more than rounding.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace danlu::testing {

using Json = nlohmann::ordered_json;

/// Numbers that differ by less, relative to the larger one, are equal. A number below kSmall is
/// taken for that: parts of a step that cancel leave a residue of some 1e-17 s, or none.
inline constexpr double kRounding = 1e-12;
inline constexpr double kSmall = 1e-3;

struct Difference {
  std::string document;  // a scenario's file, or a seed
  std::string path;      // "communication[2].time_s"
  std::string text;      // "stored 2, found 3 (relative difference 0.33)"
};

std::vector<Difference> differences(const std::string& document, const Json& stored,
                                    const Json& found);

/// `found` with the stored number wherever the two are equal but for rounding, so that storing it
/// again changes nothing that did not change.
Json keep_rounding(const Json& stored, Json found);

/// The first ten, a line each, and of the rest how many there are at which paths; "" for none.
std::string message(const std::vector<Difference>& differences);

}  // namespace danlu::testing
