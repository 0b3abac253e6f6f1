// Inside sim/scenario: resolved values as the list of settings that a person can read.
#pragma once

#include "sim/scenario/load_scenario.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

/// Every key that has a value or a default, in the order of the table of keys; `topology` and `gpu`
/// are the values of both files with the user's over them.
std::vector<Setting> settings_of(const Values& values, const Values& topology, const Values& gpu,
                                 const Scenario& scenario);

}  // namespace danlu
