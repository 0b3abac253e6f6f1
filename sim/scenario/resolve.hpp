// Inside sim/scenario: what a scenario says, laid over everything it rests on. The one order of who
// wins:
//
//   --set > file > extended file > preset (model, GPU, node.xml, topology, faults, framework) >
//   default
//
// Factors ("2x") multiply what lies below them. What one value makes of others where nothing stands
// (data = gpus / (tensor x pipeline)) is filled in last.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario/load_scenario.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

/// A scenario's values, with those of its presets and without.
struct ResolvedValues {
  Values own;  // what the scenario and the command line say, without what only repeats a preset
  Values all;  // the same over its presets, and what follows from them; defaults are left out
  std::vector<std::string> notes{};  // what of a preset gave way or goes with another value
};

/// Lays `own` over its presets; relative paths of the command line start at `beside`. What is wrong
/// goes to `problems`, and the keys concerned count as wrong in the values.
ResolvedValues resolve(Values own, const std::filesystem::path& beside, const LoadOptions& options,
                       std::vector<Problem>& problems);

/// The layers of a model preset; nothing where there is none of that name.
std::optional<int> layers_of_preset(std::string_view name);
/// Whether such a model has experts; nothing where there is none of that name.
std::optional<bool> preset_has_experts(std::string_view name);

}  // namespace danlu
