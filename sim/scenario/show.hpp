// A scenario as it is understood: every key with its value and where it comes from, as YAML that
// gives the same results byte for byte.
#pragma once

#include <string>

#include "sim/scenario/load_scenario.hpp"

namespace danlu {

/// The settings of `scenario` as a scenario file, each with its source as a comment. A default that
/// would be refused if it stood in a file, since nothing uses it, is a comment as a whole.
std::string show_yaml(const Scenario& scenario, const LoadOptions& options);

}  // namespace danlu
