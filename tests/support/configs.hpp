// Scenarios whose model is a config.json.
#pragma once

#include <string>
#include <vector>

#include "sim/scenario/load_scenario.hpp"
#include "tests/support/support.hpp"

namespace danlu::testing {

inline Scenario scenario_of(const std::string& config, std::vector<std::string> overrides = {}) {
  const Folder folder;
  folder.write("models/config.json", config);
  return load_scenario(folder.write("a.yaml",
                                    "model: {huggingface: models/config.json}\n"
                                    "cluster: {topology: dgx-h100, gpus: 1}\n"
                                    "training: {global_batch: 1, sequence_length: 512}\n"),
                       shipped_presets(std::move(overrides)));
}

/// What loading says is wrong.
inline std::string complaint(const std::string& config) {
  try {
    scenario_of(config);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace danlu::testing
