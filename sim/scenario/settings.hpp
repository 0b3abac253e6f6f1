// Inside sim/scenario: resolved values as the list of settings that a person can read.
#pragma once

#include <vector>

#include "sim/scenario/load_scenario.hpp"
#include "sim/scenario/values.hpp"

namespace danlu {

/// Every key that has a value or a default, in the order of the table of keys. Names of files are
/// made absolute, so that the list holds wherever it is read.
std::vector<Setting> settings_of(const Values& values, const LoadOptions& options);

}  // namespace danlu
