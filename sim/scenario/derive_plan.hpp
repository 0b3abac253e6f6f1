// Inside sim/scenario: what the values of a plan make of each other where nothing stands (data =
// gpus / (tensor x pipeline), fused attention without selective recomputation, ...).
#pragma once

#include <string_view>
#include <vector>

#include "sim/scenario/values.hpp"

namespace danlu {

/// How Value::origin begins of what follows from other values.
inline constexpr std::string_view kDerived = "derived: ";

/// Fills in what follows of the sections parallelism and training; `values` lie over their presets
/// and stay as they are where something stands.
void derive_plan(Values& values, std::vector<Problem>& problems);

/// Takes that out again, so that it can follow from other values.
void forget_derived(Values& values);

}  // namespace danlu
