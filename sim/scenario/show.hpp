// A scenario as it is understood: every key with its value and where it comes from, as YAML that
// gives the same results byte for byte.
#pragma once

#include <set>
#include <string>

#include "sim/scenario/load_scenario.hpp"

namespace danlu {

struct ShownScenario {
  std::string yaml;
  Scenario read;                 // what `yaml` is read back as
  std::set<std::string> silent;  // keys that are comments
};

/// The settings of `scenario` as a scenario file, each with its source as a comment. A default that
/// would be refused if it stood in a file, since nothing uses it, is a comment as a whole.
/// Which these are is found by reading it back, each time without some more. Keys of `silent` are
/// left out from the start where they are no part of a file or --set: those of a scenario that is
/// like this one save most of the time.
ShownScenario show_scenario(const Scenario& scenario, const LoadOptions& options,
                            const std::set<std::string>& silent = {});
std::string show_yaml(const Scenario& scenario, const LoadOptions& options);

}  // namespace danlu
