// Inside sim/scenario: which figures of presets a result rests on that no source gives.
#pragma once

#include <vector>

#include "sim/scenario/load_scenario.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

/// The figures that `scenario` uses and that are a default, or that a preset has without a source
/// or with one that says so ("assumed", "A100 value carried over"). What the user wrote is none.
/// `cluster` are the values of a topology and its GPU with the user's over them, which stand below
/// `section` ("cluster.").
std::vector<Assumed> find_assumed(const Values& cluster, const std::string& section,
                                  const Scenario& scenario);

/// Why the figure at `key` is assumed, from the `sources` of its file (each "key<TAB>source" on a
/// line); "" if it has a source.
std::string why_assumed(std::string_view key, const std::string& sources,
                        std::span<const KeyRow> keys);

}  // namespace danlu
