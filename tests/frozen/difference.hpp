// Where a JSON document differs from the one that was stored, by more than rounding.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace danlu::testing {

using Json = nlohmann::ordered_json;

/// Numbers that differ by less, relative to the larger one, are equal. A number below kSmall is
/// taken for that: parts of a step that cancel leave a residue of some 1e-17 s, or none.
/// FROZEN_ROUNDING=1e-9 in the environment looks past more: where a graph was cut in another way,
/// sums of 1e5 terms differ by some 1e-13 of the step, which is more than 1e-12 of its small parts.
inline constexpr double kRounding = 1e-12;
inline constexpr double kSmall = 1e-3;

struct Difference {
  std::string document;  // a scenario's file, or a seed
  std::string path;      // "communication[2].time_s"
  std::string text;      // "stored 2, found 3 (relative difference 0.33)"
  double size = kTotal;  // relative; kTotal of what is no number, or not there

  static constexpr double kTotal = 1e300;
};

std::vector<Difference> differences(const std::string& document, const Json& stored,
                                    const Json& found);

/// `found` with the stored number wherever the two are equal but for rounding, so that storing it
/// again changes nothing that did not change.
Json keep_rounding(const Json& stored, Json found);

/// The largest first, equal ones as they came.
void sort_by_size(std::vector<Difference>& differences);

/// The first ten, a line each, and of the rest how many there are at which paths; "" for none.
std::string message(const std::vector<Difference>& differences);

}  // namespace danlu::testing
